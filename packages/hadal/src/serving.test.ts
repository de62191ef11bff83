// The public API as a server uses it: second turns, saved prefixes, thinking ended by hand, limits, draining.
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type ChatFinish, type Llm, type LoadOptions, load, type Message } from './index.ts'

const ask = (content: string): Message => ({ role: 'user', content })
// Long enough to fill KV blocks of 64 tokens.
const long = [ask('What is 47 * 36? '.repeat(12))]

async function open(options: LoadOptions = {}): Promise<Llm> {
  const llm = await load(undefined, options)
  onTestFinished(() => llm.dispose())
  return llm
}

async function finishOf(llm: Llm, messages = long, options = {}): Promise<ChatFinish> {
  const stream = llm.chat(messages, { temperature: 0, maxTokens: 150, ...options })
  for (;;) {
    const next = await stream.next()
    if (next.done) return next.value
  }
}

describe('a conversation', () => {
  it('reads only what is new in its second turn, with the answer of a cold run', async () => {
    const llm = await open()
    const first = await finishOf(llm)
    expect(first.cachedTokens).toBe(0)
    const answer: Message = { role: 'assistant', content: first.text }
    const second = [...long, answer, ask('And 5 * 6?')]
    const warm = await finishOf(llm, second)
    expect(warm.promptTokens - warm.cachedTokens).toBeLessThan(first.completionTokens + 64 + 30)
    expect(warm.cachedTokens).toBeGreaterThan(64)
    const cold = await finishOf(await open({ prefixCache: false }), second)
    expect(cold.cachedTokens).toBe(0)
    expect([warm.reasoning, warm.text]).toEqual([cold.reasoning, cold.text])
  })

  it('answers at once when its thinking is ended by hand', async () => {
    const llm = await open()
    const end = new AbortController()
    const messages = [ask('How many r are in strawberry?')]
    const stream = llm.chat(messages, { temperature: 0, maxTokens: 60, endThinking: end.signal })
    let parts = 0
    for (;;) {
      const next = await stream.next()
      if (next.done) {
        expect(next.value.text).not.toBe('')
        // The whole thinking has 40 ids and more.
        expect(next.value.reasoningTokens).toBeLessThan(20)
        break
      }
      if (next.value.type === 'reasoning' && ++parts === 4) end.abort()
    }
    const wrong = llm.chat(messages, { endThinking: 1 as unknown as AbortSignal })
    await expect(wrong.next()).rejects.toThrow('option endThinking: expected an AbortSignal, got 1')
  })
})

describe('the prefix cache', () => {
  it('outlives the program in a file, if one is named', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'hadal-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const prefixCachePath = path.join(folder, 'cache.bin')
    const first = await load(undefined, { prefixCachePath })
    const cold = await finishOf(first)
    const copy = path.join(folder, 'copy.bin')
    const saved = await first.savePrefixCache(copy)
    expect(saved.blocks).toBeGreaterThan(1)
    await first.dispose()
    expect((await stat(prefixCachePath)).size).toBe(saved.bytes)
    const second = await open({ prefixCachePath })
    const warm = await finishOf(second)
    expect([warm.text, warm.reasoning]).toEqual([cold.text, cold.reasoning])
    expect(warm.cachedTokens).toBeGreaterThan(64)
    const third = await open()
    expect(await third.loadPrefixCache(copy)).toEqual(saved)
    expect((await finishOf(third)).cachedTokens).toBe(warm.cachedTokens)
  })

  it('does without a file that does not fit, and says so', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'hadal-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const prefixCachePath = path.join(folder, 'cache.bin')
    await writeFile(prefixCachePath, 'something else')
    const warnings: string[] = []
    const listen = (warning: Error) => void warnings.push(warning.message)
    process.on('warning', listen)
    onTestFinished(() => void process.off('warning', listen))
    const llm = await open({ prefixCachePath })
    expect((await finishOf(llm)).cachedTokens).toBe(0)
    expect(warnings.join()).toContain('prefix cache')
    await expect(llm.loadPrefixCache(prefixCachePath)).rejects.toMatchObject({
      code: 'ERR_HADAL_CACHE_FILE',
    })
    await expect(load(undefined, { prefixCachePath, prefixCache: false })).rejects.toThrow(
      'prefixCachePath',
    )
  })
})

describe('limits', () => {
  it('refuse with a code and a time, and draining ends what runs', async () => {
    const llm = await open({ maxSequences: 1, maxQueue: 1 })
    const runs = [0, 1].map((seed) => finishOf(llm, long, { seed, maxTokens: 20 }))
    await expect(finishOf(llm)).rejects.toMatchObject({
      code: 'ERR_HADAL_QUEUE_FULL',
      retryAfterMs: expect.any(Number),
    })
    const drained = llm.drain({ timeoutMs: 20_000 })
    await expect(finishOf(llm)).rejects.toMatchObject({ code: 'ERR_HADAL_DRAINING' })
    expect(await drained).toEqual({ cancelled: 0 })
    for (const { completionTokens } of await Promise.all(runs)) expect(completionTokens).toBe(20)
    await expect(load(undefined, { maxQueue: -1 })).rejects.toThrow('option maxQueue')
    await expect(load(undefined, { maxQueu: 1 } as LoadOptions)).rejects.toThrow('maxQueue')
  })
})
