// A served model for tests, with the engine's real scheduler and text behind it: it says what the last user message
// tells it to, so every answer can be checked against its request. `[[/think]]` and the like are control tokens,
// `[[x*100]]` is a hundred times x.
import { setTimeout as sleep } from 'node:timers/promises'
import { chat, Engine } from '@hadal/engine'
import type { Batch, Forward, Model, ModelInfo, ModelLimits, Sampled } from '@hadal/model'
import { createChatTemplate, type Message, type Tokenizer, toolMarkers } from '@hadal/text'
import type { ServedChatOptions, ServedModel } from '../model.ts'

const specials = [
  ...['<｜begin▁of▁sentence｜>', '<｜end▁of▁sentence｜>', '<｜User｜>', '<｜Assistant｜>'],
  ...['<think>', '</think>', '<｜fim▁begin｜>', '<｜fim▁hole｜>', '<｜fim▁end｜>'],
  ...Object.values(toolMarkers),
]
const added = new Map(specials.map((name, i) => [name, 256 + i]))
const id = (name: string) => added.get(name) as number
const [bosId, eosId] = [id(specials[0] as string), id(specials[1] as string)]
export const vocabularySize: number = 256 + specials.length

const short: Readonly<Record<string, string>> = {
  think: '<think>',
  '/think': '</think>',
  eos: '<｜end▁of▁sentence｜>',
  calls: toolMarkers.callsBegin,
  '/calls': toolMarkers.callsEnd,
  call: toolMarkers.callBegin,
  '/call': toolMarkers.callEnd,
  sep: toolMarkers.separator,
}

/** Every byte is a token; so half characters occur all the time. */
export const bytes: Tokenizer = {
  size: vocabularySize,
  bosId,
  eosId,
  added,
  idOf: (token) => added.get(token),
  isSpecial: (token) => token >= 256,
  bytesOf: (token) =>
    token < 256 ? Uint8Array.of(token) : Buffer.from(specials[token - 256] ?? ''),
  encode(text, { special = false, bos = false } = {}) {
    const names = specials.map((name) => name.replace(/[|]/g, '\\|')).join('|')
    const pieces = special ? text.split(new RegExp(`(${names})`, 'u')) : [text]
    const ids = pieces.flatMap(
      (piece) => (special ? added.get(piece) : undefined) ?? [...Buffer.from(piece)],
    ) as number[]
    return Int32Array.from(bos ? [bosId, ...ids] : ids)
  },
  decode: (ids) => Buffer.concat([...ids].map((token) => bytes.bytesOf(token))).toString(),
}

const template = `{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% elif m.role == 'user' %}<｜User｜>{{ m.content }}{% elif m.role == 'tool' %}<tool>{{ m.content }}</tool>{% else %}<｜Assistant｜>{{ m.content if m.content is not none else '' }}{% for t in m.tool_calls or [] %}<｜tool▁calls▁begin｜>{{ t.function.name }}<｜tool▁sep｜>{{ t.function.arguments }}{% endfor %}<｜end▁of▁sentence｜>{% endif %}{% endfor %}{% if add_generation_prompt %}<｜Assistant｜>{% if thinking %}<think>
{% else %}</think>{% endif %}{% endif %}`

const scripts = new Map<string, readonly number[]>()

/** The script in a user's words. */
function scriptOf(text: string): readonly number[] {
  const known = scripts.get(text)
  if (known) return known
  const script = readScript(text)
  scripts.set(text, script)
  return script
}

function readScript(text: string): number[] {
  return text.split(/\[\[(.+?)\]\]/s).flatMap((piece, i) => {
    if (i % 2 === 0) return [...Buffer.from(piece, 'latin1')]
    const [, what = '', times] = /^(.+?)(?:\*(\d+))?$/s.exec(piece) ?? []
    const name = short[what]
    const ids = name ? [id(name)] : [...Buffer.from(what, 'latin1')]
    return Array.from({ length: Number(times ?? 1) }, () => ids).flat()
  })
}

/** What comes after `ids`: the script of the last user, as far as it has been said; or what the tools said since. */
function nextOf(ids: readonly number[]): number {
  const turn = ids.lastIndexOf(id('<｜Assistant｜>'))
  const user = ids.lastIndexOf(id('<｜User｜>'))
  if (turn < 0) return ids.length % 26 === 0 ? eosId : 97 + (ids.length % 26)
  let said = ids.slice(turn + 1)
  const thinks = said[0] === id('<think>')
  if (thinks && said[1] === 10) said = said.slice(2)
  else if (said[0] === id('</think>')) said = said.slice(1)
  const words = ids.slice(user + 1, turn)
  const loop = words.indexOf(id('<｜Assistant｜>'))
  const script =
    loop < 0 ? Buffer.from(words).toString('latin1') : toolsSaid(words.slice(loop), thinks)
  return scriptOf(script)[said.length] ?? eosId
}

function toolsSaid(ids: readonly number[], thinks: boolean): string {
  const results = [...bytes.decode(ids).matchAll(/<tool>(.*?)<\/tool>/gs)].map(([, text]) => text)
  const answer = Buffer.from(`the tools say ${results.join(' and ')}`).toString('latin1')
  return thinks ? `noted\n[[/think]]\n\n${answer}` : answer
}

export interface EchoOptions {
  readonly limits?: Partial<ModelLimits>
  readonly delay?: number
  /** A step whose prompt has this text fails. */
  readonly poison?: string
}

class EchoModel implements Model {
  readonly info: ModelInfo
  readonly limits: ModelLimits
  readonly #options: EchoOptions
  readonly #slots: Int32Array

  constructor(options: EchoOptions) {
    this.#options = options
    this.limits = {
      ...{ maxTokens: 256, maxSequences: 8, maxRows: 8, contextLength: 4096, blockSize: 64 },
      blockCount: 512,
      ...options.limits,
    }
    this.#slots = new Int32Array(this.limits.blockCount * this.limits.blockSize)
    this.info = {
      ...{ architecture: 'EchoForCausalLM', modelType: 'echo', parameters: 0, activeParameters: 0 },
      ...{ mtpParameters: 0, bytes: 0, dtypes: {}, kvBytesPerToken: 0, layers: 0, hasMtp: false },
      ...{ vocabularySize, precision: 'reference', device: 'none', threads: 1 },
    }
  }

  async step(batch: Batch, signal?: AbortSignal): Promise<Sampled> {
    await sleep(this.#options.delay ?? 0, undefined, signal ? { signal } : {})
    for (const [t, slot] of batch.slots.entries())
      if (slot >= 0) this.#slots[slot] = batch.ids[t] as number
    const ids = Int32Array.from(batch.rows, (t) => this.#next(batch, t))
    const logprobs = Float32Array.from(ids, (token) => -(token % 10) / 10)
    const topIds = new Int32Array(ids.length * 20).fill(-1)
    const topLogprobs = new Float32Array(ids.length * 20)
    for (const [n, token] of ids.entries())
      for (let i = 0; i < 20; i++) {
        topIds[n * 20 + i] = (token + i) % vocabularySize
        topLogprobs[n * 20 + i] = (logprobs[n] as number) - i
      }
    return { ids, logprobs, topIds, topLogprobs }
  }

  #next(batch: Batch, t: number): number {
    const { blockSize } = this.limits
    const blocks = batch.blocks[batch.tokenSeq[t] as number] as readonly number[]
    const length = (batch.positions[t] as number) + 1
    const ids = Array.from({ length }, (_, p) => {
      const block = blocks[Math.floor(p / blockSize)] as number
      return this.#slots[block * blockSize + (p % blockSize)] as number
    })
    const { poison } = this.#options
    if (poison && bytes.decode(ids).includes(poison)) throw new Error('burnt')
    return nextOf(ids)
  }

  forward(): Promise<Forward> {
    throw new Error('not here')
  }

  readonly fingerprint: Readonly<Record<string, string>> = { checkpoint: 'echo' }

  get blockBytes(): number {
    return this.limits.blockSize * 4
  }

  readBlocks(blocks: readonly number[]): Uint8Array {
    const { blockSize } = this.limits
    const all = blocks.map((b) => this.#slots.slice(b * blockSize, (b + 1) * blockSize))
    return Buffer.concat(all.map((slots) => Buffer.from(slots.buffer)))
  }

  writeBlocks(blocks: readonly number[], bytesOf: Uint8Array): void {
    const words = new Int32Array(new Uint8Array(bytesOf).buffer)
    const { blockSize } = this.limits
    for (const [i, b] of blocks.entries())
      this.#slots.set(words.subarray(i * blockSize, (i + 1) * blockSize), b * blockSize)
  }

  trim(): void {}

  async dispose(): Promise<void> {}
}

export interface Echo extends ServedModel {
  readonly engine: Engine
}

export function echoModel(options: EchoOptions = {}): Echo {
  const model = new EchoModel(options)
  const engine = new Engine(model, { eosTokenIds: [eosId], doSample: false })
  const config = { bos_token: specials[0], eos_token: specials[1], chat_template: template }
  const chatTemplate = createChatTemplate({ tokenizerJson: {}, tokenizerConfig: config }, bytes)
  return {
    engine,
    info: { ...model.info, contextLength: engine.contextLength },
    limits: model.limits,
    tokenizer: bytes,
    get stats() {
      return engine.stats
    },
    chat: (messages, chatOptions: ServedChatOptions = {}) =>
      chat(engine, bytes, chatTemplate, messages, chatOptions),
    countTokens: (messages, promptOptions = {}) =>
      chatTemplate.render(messages, promptOptions).ids.length,
    generate: (prompt, generateOptions = {}) => engine.generate(prompt, generateOptions),
  }
}

export interface Asked {
  readonly messages: readonly Message[]
  // biome-ignore lint/suspicious/noExplicitAny: what options arrive is what tests look at
  readonly options: any
}

/**
 * An echo that keeps what it was asked, takes what constrains an answer (its script obeys or not), and says that
 * `cachedTokens` of each prompt were in the cache.
 */
export function recordingModel(
  options: EchoOptions = {},
  cachedTokens = 0,
): { readonly model: Echo; readonly seen: Asked[] } {
  const model = echoModel(options)
  const seen: Asked[] = []
  const chat: Echo['chat'] = (messages, asked = {}) => {
    seen.push({ messages, options: asked })
    const { responseFormat: _, toolChoice: __, ...known } = asked
    const stream = model.chat(messages, known)
    const [next, end] = [stream.next.bind(stream), stream.return.bind(stream)]
    type Result = Awaited<ReturnType<typeof next>>
    const counted = (result: Result): Result =>
      result.done && result.value
        ? { done: true, value: { ...result.value, cachedTokens } }
        : result
    stream.next = () => next().then(counted)
    stream.return = (value) => end(value).then(counted)
    return stream
  }
  const own = { get: () => model.stats, enumerable: true }
  return { seen, model: Object.defineProperty({ ...model, chat }, 'stats', own) }
}
