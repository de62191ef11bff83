// Text around the engine: a scripted model over bytes, whose ids 256 and 257 are the thinking tags.
import { setTimeout as sleep } from 'node:timers/promises'
import { FakeModel, type FakeModelOptions } from '@hadal/testing'
import type { ChatTemplate, Tokenizer } from '@hadal/text'
import { describe, expect, it } from 'vitest'
import { type ChatOptions, type ChatPart, type ChatStream, chat } from './chat.ts'
import { Engine } from './engine.ts'

const [openId, closeId, endId] = [256, 257, 258]
const names = new Map([
  ['<think>', openId],
  ['</think>', closeId],
])

const encode = (text: string) => Int32Array.from(Buffer.from(text))

function tokenizer(tags: boolean): Tokenizer {
  const added = tags ? names : new Map<string, number>()
  const text = (id: number) => [...added].find(([, value]) => value === id)?.[0]
  const bytesOf = (id: number) => (text(id) ? Buffer.from(text(id)!) : Uint8Array.of(id))
  return {
    ...{ size: 259, bosId: undefined, eosId: endId, added, encode, bytesOf },
    decode: (ids) => Buffer.concat([...ids].map(bytesOf)).toString(),
    idOf: (token) => added.get(token),
    isSpecial: (id) => id >= 256,
  }
}

/** Renders the last message, opening the thinking when it says so. */
const template: ChatTemplate = {
  knowsThinking: false,
  render(messages, options) {
    const text = messages.at(-1)!.content
    const opensReasoning = text.startsWith('think')
    const ids = Int32Array.of(...encode(text), ...(opensReasoning ? [openId] : []))
    return { ids, text, opensReasoning, ...(options?.prefix && { continues: true }) }
  },
}

interface Setup {
  readonly question: string
  /** What the model says: bytes of the strings, ids of the tags; its end id comes after. */
  readonly says: readonly (string | number)[]
  readonly tags?: boolean
  readonly options?: ChatOptions
  readonly model?: FakeModelOptions
}

function start({ question, says, tags = true, options = {}, model = {} }: Setup) {
  const script = says.flatMap((item) => (typeof item === 'number' ? [item] : [...encode(item)]))
  const words = tokenizer(tags)
  const prompt = template.render([{ role: 'user', content: question }]).ids.length
  const next = (_: number, length: number) => script[length - prompt] ?? endId
  const fake = new FakeModel({ ...model, vocabularySize: 259, next })
  const engine = new Engine(fake, { eosTokenIds: [endId] })
  const messages = [{ role: 'user', content: question }] as const
  return { engine, stream: chat(engine, words, template, messages, options) }
}

async function read(stream: ChatStream) {
  const parts: ChatPart[] = []
  for (;;) {
    const next = await stream.next()
    if (next.done) return { parts, finish: next.value }
    parts.push(next.value)
  }
}

const says = ['because\n', closeId, '\n\nyes ✓'] as const

describe('chat', () => {
  it('splits thinking from answer, keeps time, and sums up', async () => {
    const { parts, finish } = await read(
      start({ question: 'think', says, model: { delay: 1 } }).stream,
    )
    expect(
      parts
        .filter((part) => part.type === 'reasoning')
        .map((part) => part.text)
        .join(''),
    ).toBe('because')
    expect(
      parts
        .filter((part) => part.type === 'text')
        .map((part) => part.text)
        .join(''),
    ).toBe('yes ✓')
    expect(finish).toMatchObject({
      reason: 'stop',
      text: 'yes ✓',
      reasoning: 'because',
      toolCalls: [],
    })
    expect(finish).toMatchObject({ promptTokens: 6, completionTokens: 18, reasoningTokens: 8 })
    const firstText = parts.find((part) => part.type === 'text')!
    expect(finish.reasoningMs).toBeGreaterThan(0)
    expect(finish.reasoningMs).toBeLessThanOrEqual(firstText.atMs)
    const times = parts.map((part) => part.atMs)
    expect(times).toEqual([...times].sort((a, b) => a - b))
  })

  it('answers without thinking where none was opened', async () => {
    const { finish } = await read(start({ question: 'hi', says: ['hello'] }).stream)
    expect(finish).toMatchObject({
      text: 'hello',
      reasoning: '',
      reasoningMs: 0,
      reasoningTokens: 0,
    })
  })

  it('ends at a stop string in the answer with reason stop, and frees the blocks', async () => {
    const { engine, stream } = start({
      question: 'think',
      says: ['END is near', closeId, 'so it is. END and more'],
      options: { stop: 'END' },
    })
    const { finish } = await read(stream)
    expect(finish).toMatchObject({
      ...{ reason: 'stop', text: 'so it is. ', reasoning: 'END is near', stopText: 'END' },
    })
    expect(engine.stats).toMatchObject({ running: 0, blocksFree: engine.stats.blocksTotal })
  })

  it('makes the model answer when the reasoning budget runs out', async () => {
    // After three ids of thinking, "\n</think>" is forced; the script goes on five ids later.
    const { finish } = await read(
      start({ question: 'think', says: ['abcdefgh'], options: { maxReasoningTokens: 3 } }).stream,
    )
    expect(finish).toMatchObject({
      reasoning: 'abc',
      text: 'fgh',
      reasoningTokens: 3,
      reason: 'stop',
    })
  })

  it('answers at once with thinking: false, though the template opened it', async () => {
    const { finish } = await read(
      start({ question: 'think', says: ['..answer'], options: { thinking: false } }).stream,
    )
    expect(finish).toMatchObject({ reasoning: '', text: 'answer', reasoningTokens: 0 })
  })

  it('ends the thinking when asked, in the middle of it', async () => {
    const ending = new AbortController()
    const { stream } = start({
      question: 'think',
      says: ['x'.repeat(40)],
      options: { endThinking: ending.signal, maxTokens: 30 },
      model: { delay: 2 },
    })
    const parts: ChatPart[] = []
    for await (const part of stream) {
      if (parts.push(part) === 3) ending.abort()
    }
    const thought = parts.filter((part) => part.type === 'reasoning').length
    expect(thought).toBeGreaterThanOrEqual(3)
    expect(thought).toBeLessThan(8)
    expect(parts.at(-1)).toMatchObject({ type: 'text', text: 'x' })
  })

  it('brings every token with the parts, in order', async () => {
    const { parts, finish } = await read(
      start({ question: 'think', says, options: { partTokens: true } }).stream,
    )
    const tokens = parts.flatMap((part) => part.tokens ?? [])
    expect(tokens).toHaveLength(finish.completionTokens)
    expect(tokens[0]).toMatchObject({ id: 98, logprob: expect.any(Number) })
    expect(parts.at(-1)!.tokens).toHaveLength(3)
    const plain = await read(start({ question: 'think', says }).stream)
    expect(plain.parts.every((part) => part.tokens === undefined)).toBe(true)
  })

  it('keeps the line ends at the beginning of what it goes on with', async () => {
    const { finish, parts } = await read(
      start({ question: 'hi', says: ['\n\nmore'], options: { prefix: true, partTokens: true } })
        .stream,
    )
    expect(finish.text).toBe('\n\nmore')
    expect(parts.flatMap((part) => part.tokens ?? [])).toHaveLength(6)
  })

  it('delivers what was held back when the model ends in the middle of it', async () => {
    const { finish, parts } = await read(
      start({ question: 'hi', says: ['wait EN'], options: { stop: ['END'] } }).stream,
    )
    expect(finish.text).toBe('wait EN')
    expect(parts.map((part) => part.text).join('')).toBe('wait EN')
  })

  it('stops at once by return(), also while a part is awaited', async () => {
    const { engine, stream } = start({
      question: 'hi',
      says: ['x'.repeat(99)],
      model: { delay: 20 },
    })
    await stream.next()
    const pending = stream.next()
    const returned = await stream.return()
    expect(engine.stats).toMatchObject({ running: 0, blocksFree: engine.stats.blocksTotal })
    expect(returned).toMatchObject({ done: true, value: { reason: 'cancelled', text: 'x' } })
    expect(await pending).toMatchObject({ done: true })
    expect(await start({ question: 'hi', says: [] }).stream.return()).toMatchObject({
      value: { reason: 'cancelled', text: '' },
    })
  })

  it('stops by signal and keeps what was said', async () => {
    const controller = new AbortController()
    const { stream } = start({
      ...{ question: 'hi', says: ['x'.repeat(99)], model: { delay: 5 } },
      options: { signal: controller.signal },
    })
    await stream.next()
    const rest = read(stream)
    await sleep(10)
    controller.abort()
    expect((await rest).finish).toMatchObject({
      reason: 'cancelled',
      text: expect.stringMatching(/^x+$/),
    })
  })

  it('passes on errors of options, template and model', async () => {
    const failing = (options: object, extra: Partial<Setup> = {}) =>
      read(start({ question: 'think', says, options, ...extra }).stream)
    await expect(failing({ temperature: -1 })).rejects.toThrow('option temperature')
    await expect(failing({ stop: ['a', ''] })).rejects.toThrow(
      'option stop: expected strings with at least one character, got an empty one at 1',
    )
    await expect(failing({ stop: 5 })).rejects.toThrow('got number at 0')
    await expect(failing({ maxReasoningTokens: -1 })).rejects.toThrow(
      'option maxReasoningTokens: expected an integer of 0 or more, got -1',
    )
    await expect(
      failing({ maxReasoningTokens: 5 }, { tags: false, question: 'thin' }),
    ).rejects.toThrow('a token </think>')
    await expect(
      failing({}, { model: { failure: () => new Error('burnt') } }),
    ).rejects.toMatchObject({
      code: 'ERR_HADAL_STEP',
    })
    const broken: ChatTemplate = {
      knowsThinking: false,
      render: () => {
        throw new Error('no template')
      },
    }
    const { engine } = start({ question: 'hi', says })
    await expect(read(chat(engine, tokenizer(true), broken, []))).rejects.toThrow('no template')
  })
})
