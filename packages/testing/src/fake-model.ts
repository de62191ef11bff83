// A model without arithmetic: the next id is a hash of the ids that its KV slots hold. Every slot
// remembers the hash of its whole prefix, so a slot that another sequence wrote over, a wrong
// position, a wrong block table or a block shared with the wrong sequence is noticed and thrown. Checks
// each batch against the limits.
import { setTimeout as sleep } from 'node:timers/promises'
import type {
  Batch,
  Forward,
  ForwardOptions,
  Model,
  ModelInfo,
  ModelLimits,
  RowSampling,
  Sampled,
} from '@hadal/model'

export interface FakeModelOptions {
  readonly limits?: Partial<ModelLimits>
  readonly vocabularySize?: number
  /** Milliseconds of a step; 0 still takes a turn of the event loop. */
  readonly delay?: number | ((step: number) => number)
  /** An error to fail a step with. */
  readonly failure?: (batch: Batch, step: number) => Error | undefined
  /** false: forget each batch after its step. */
  readonly keepBatches?: boolean
  /** Names what saved blocks are worth; default: the same for all fake models. */
  readonly fingerprint?: Readonly<Record<string, string>>
  /** Overrides the next id: hash of the sequence and its length in, id out. */
  readonly next?: (hash: number, length: number) => number | undefined
}

interface Slot {
  readonly id: number
  readonly position: number
  /** Hash of the ids of positions 0..position. */
  readonly prefix: number
}

const top = 20
const bytesPerSlot = 12

const defaultLimits: ModelLimits = {
  maxTokens: 64,
  maxSequences: 8,
  maxRows: 8,
  contextLength: 1024,
  blockSize: 64,
  blockCount: 128,
}

export class FakeModel implements Model {
  readonly limits: ModelLimits
  readonly info: ModelInfo
  readonly fingerprint: Readonly<Record<string, string>>
  readonly blockBytes: number
  /** Every batch that was run, in order. */
  readonly batches: Batch[] = []
  /** Blocks named by trim(). */
  readonly trimmed: number[] = []
  aborted = 0
  forwards = 0
  disposed = false
  readonly #options: FakeModelOptions
  readonly #slots: (Slot | undefined)[]
  #busy = false
  #steps = 0

  constructor(options: FakeModelOptions = {}) {
    this.#options = options
    this.limits = { ...defaultLimits, ...options.limits }
    this.#slots = new Array(this.limits.blockCount * this.limits.blockSize)
    this.info = fakeInfo(options.vocabularySize ?? 512)
    this.fingerprint = options.fingerprint ?? { checkpoint: 'fake' }
    this.blockBytes = this.limits.blockSize * bytesPerSlot
  }

  /** The ids that `prompt` must give when it runs alone. */
  expected(
    prompt: ArrayLike<number>,
    count: number,
    sampling: Partial<RowSampling> = {},
  ): number[] {
    let hash = hashAll(prompt)
    return Array.from({ length: count }, (_, counter) => {
      const row = { temperature: 0, seed: 0n, ...sampling, counter }
      const id = this.#choose(hash, prompt.length + counter, row)
      hash = mix(hash, id)
      return id
    })
  }

  async step(batch: Batch, signal?: AbortSignal): Promise<Sampled> {
    return this.#exclusive(async () => {
      const index = this.#steps++
      if (this.#options.keepBatches !== false) this.batches.push(batch)
      this.#checkShape(batch)
      await this.#wait(index, signal)
      const error = this.#options.failure?.(batch, index)
      if (error) throw error
      const prefixes = this.#write(batch)
      return this.#sample(batch, prefixes)
    })
  }

  async forward(
    ids: Int32Array,
    blocks: readonly number[],
    options: ForwardOptions = {},
  ): Promise<Forward> {
    return this.#exclusive(async () => {
      this.forwards++
      await this.#wait(this.#steps, options.signal)
      const { blockSize, contextLength } = this.limits
      expect(ids.length > 0 && ids.length <= contextLength, `forward: ${ids.length} ids`)
      expect(
        blocks.length === Math.ceil(ids.length / blockSize),
        `forward: ${blocks.length} blocks`,
      )
      const V = this.info.vocabularySize
      const logits = new Float32Array(ids.length * V)
      let hash = start
      for (const [p, id] of ids.entries()) {
        hash = mix(hash, id)
        this.#slots[this.#slotAt(blocks, p)] = { id, position: p, prefix: hash }
        logits[p * V + this.#choose(hash, p + 1, { temperature: 0, seed: 0n, counter: 0 })] = 1
      }
      return { logits: logits.slice((ids.length - (options.lastLogits ?? ids.length)) * V) }
    })
  }

  trim(freeBlocks: readonly number[]): void {
    expect(!this.#busy, 'trim() during a step')
    const { blockSize } = this.limits
    for (const block of freeBlocks) {
      this.trimmed.push(block)
      this.#slots.fill(undefined, block * blockSize, (block + 1) * blockSize)
    }
  }

  readBlocks(blocks: readonly number[]): Uint8Array {
    const { blockSize } = this.limits
    const words = new Int32Array(blocks.length * blockSize * 3).fill(-1)
    for (const [b, block] of blocks.entries()) {
      for (let i = 0; i < blockSize; i++) {
        const slot = this.#slots[block * blockSize + i]
        if (slot) words.set([slot.id, slot.position, slot.prefix | 0], (b * blockSize + i) * 3)
      }
    }
    return new Uint8Array(words.buffer)
  }

  writeBlocks(blocks: readonly number[], bytes: Uint8Array): void {
    const { blockSize } = this.limits
    expect(bytes.length === blocks.length * this.blockBytes, `writeBlocks: ${bytes.length} bytes`)
    const words = new Int32Array(new Uint8Array(bytes).buffer)
    for (const [b, block] of blocks.entries()) {
      for (let i = 0; i < blockSize; i++) {
        const at = (b * blockSize + i) * 3
        const [id, position, prefix] = [words[at]!, words[at + 1]!, words[at + 2]! >>> 0]
        this.#slots[block * blockSize + i] = id < 0 ? undefined : { id, position, prefix }
      }
    }
  }

  async dispose(): Promise<void> {
    expect(!this.#busy, 'dispose() during a step')
    this.disposed = true
  }

  async #exclusive<T>(run: () => Promise<T>): Promise<T> {
    expect(!this.disposed, 'the model was disposed of')
    expect(!this.#busy, 'a second call while one runs')
    this.#busy = true
    try {
      return await run()
    } finally {
      this.#busy = false
    }
  }

  async #wait(step: number, signal: AbortSignal | undefined): Promise<void> {
    const { delay = 0 } = this.#options
    const ms = typeof delay === 'number' ? delay : delay(step)
    try {
      await sleep(ms, undefined, signal ? { signal } : {})
    } catch (error) {
      this.aborted++
      throw error
    }
  }

  #checkShape(batch: Batch): void {
    const { maxTokens, maxSequences, maxRows, contextLength, blockSize, blockCount } = this.limits
    const T = batch.ids.length
    expect(T > 0 && T <= maxTokens, `${T} tokens, most ${maxTokens}`)
    expect(batch.blocks.length <= maxSequences, `${batch.blocks.length} sequences`)
    expect(batch.rows.length <= maxRows, `${batch.rows.length} rows`)
    expect(batch.sampling.length === batch.rows.length, 'as many samplings as rows')
    for (const list of [batch.positions, batch.slots, batch.tokenSeq]) {
      expect(list.length === T, `${list.length} entries for ${T} tokens`)
    }
    expect(new Set(batch.tokenSeq).size === batch.blocks.length, 'a sequence without tokens')
    const owners = new Map<number, number>()
    for (const list of batch.blocks) {
      expect(new Set(list).size === list.length, 'a block in two places')
      expect(!list.some((block) => block < 0 || block >= blockCount), 'a block out of range')
      expect(list.length <= Math.ceil(contextLength / blockSize), 'more blocks than the context')
      for (const block of list) owners.set(block, (owners.get(block) ?? 0) + 1)
    }
    for (const slot of batch.slots) {
      const shared = slot >= 0 && owners.get(Math.floor(slot / blockSize))! > 1
      if (shared) fail(`slot ${slot}: written, but its block is shared`)
    }
  }

  /** Stores every token; returns the prefix hash after each. */
  #write(batch: Batch): number[] {
    // A sequence is walked once, at its first token of the step.
    const seen = new Map<number, { position: number; prefix: number }>()
    return Array.from(batch.ids, (id, t) => {
      const s = batch.tokenSeq[t]!
      const position = batch.positions[t]!
      const blocks = batch.blocks[s]!
      const slot = this.#slotAt(blocks, position)
      if (!(id >= 0 && id < this.info.vocabularySize)) fail(`id ${id}`)
      if (position >= this.limits.contextLength) fail(`position ${position}`)
      const kept = batch.slots[t] === -1
      if (!kept && batch.slots[t] !== slot) {
        fail(`token ${t}: slot ${slot} wanted, got ${batch.slots[t]}`)
      }
      const before = seen.get(s)
      if (before && position !== before.position + 1) fail(`token ${t}: position ${position}`)
      const prefix = mix(before?.prefix ?? this.#prefix(blocks, position - 1), id)
      seen.set(s, { position, prefix })
      if (kept) this.#checkSlot(slot, position, prefix)
      else this.#slots[slot] = { id, position, prefix }
      return prefix
    })
  }

  /** Walks a sequence up to a position and makes sure that its slots still hold it. */
  #prefix(blocks: readonly number[], last: number): number {
    let hash = start
    for (let p = 0; p <= last; p++) {
      const slot = this.#slotAt(blocks, p)
      hash = mix(hash, this.#slots[slot]?.id ?? -1)
      this.#checkSlot(slot, p, hash)
    }
    return hash
  }

  #checkSlot(index: number, position: number, prefix: number): void {
    const slot = this.#slots[index]
    if (slot?.position !== position) {
      fail(`position ${position}: its slot holds position ${slot?.position}`)
    }
    if (slot.prefix !== prefix) fail(`position ${position}: its slot belongs to another sequence`)
  }

  #slotAt(blocks: readonly number[], position: number): number {
    const { blockSize } = this.limits
    const block = blocks[Math.floor(position / blockSize)]
    if (block === undefined) fail(`position ${position} lies in none of ${blocks.length} blocks`)
    return block * blockSize + (position % blockSize)
  }

  #sample(batch: Batch, prefixes: readonly number[]): Sampled {
    const N = batch.rows.length
    const ids = new Int32Array(N)
    const logprobs = new Float32Array(N)
    const topIds = new Int32Array(N * top).fill(-1)
    const topLogprobs = new Float32Array(N * top)
    for (const [n, row] of batch.sampling.entries()) {
      const t = batch.rows[n]!
      const length = batch.positions[t]! + 1
      checkHistory(row, length)
      ids[n] = allowed(row.mask, this.#choose(prefixes[t]!, length, row), this.info.vocabularySize)
      logprobs[n] = -((prefixes[t]! % 1000) + 1) / 1000
      for (let i = 0; i < row.topLogprobs; i++) {
        topIds[n * top + i] = (ids[n]! + i) % this.info.vocabularySize
        topLogprobs[n * top + i] = logprobs[n]! - i
      }
    }
    return { ids, logprobs, topIds, topLogprobs }
  }

  #choose(hash: number, length: number, row: ChooseBy): number {
    const forced = [...(row.bias ?? [])].find(([, value]) => value >= 100)
    if (forced) return forced[0]
    const scripted = this.#options.next?.(hash, length)
    if (scripted !== undefined) return scripted
    const salt = row.temperature > 0 ? mix(Number(row.seed % 0xffffffffn), row.counter) : 0
    // The first ten ids are left to tags and end ids, which only `next` produces.
    return 10 + (mix(hash, salt) % (this.info.vocabularySize - 10))
  }
}

type ChooseBy = Pick<RowSampling, 'temperature' | 'seed' | 'counter'> & Partial<RowSampling>

const start = 0x811c9dc5

function mix(hash: number, value: number): number {
  let x = Math.imul(hash ^ value, 0x9e3779b1) >>> 0
  x = Math.imul(x ^ (x >>> 15), 0x85ebca6b) >>> 0
  return (x ^ (x >>> 13)) >>> 0
}

function hashAll(ids: ArrayLike<number>): number {
  return Array.from(ids).reduce(mix, start)
}

/** `id`, or the next one that the mask allows, or −1. */
function allowed(mask: Uint32Array | undefined, id: number, vocabularySize: number): number {
  if (!mask) return id
  for (let i = 0; i < vocabularySize; i++) {
    const candidate = (id + i) % vocabularySize
    if ((((mask[candidate >> 5] ?? 0) >>> (candidate & 31)) & 1) === 1) return candidate
  }
  return -1
}

function checkHistory(row: RowSampling, length: number): void {
  const { repetitionPenalty, presencePenalty, frequencyPenalty, history } = row
  const counts = repetitionPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0
  const wanted = counts ? length : 0
  expect(history.length === wanted, `history of ${history.length} ids, not ${wanted}`)
}

function expect(condition: boolean, message: string): void {
  if (!condition) fail(message)
}

function fail(message: string): never {
  throw new Error(`FakeModel: ${message}`)
}

function fakeInfo(vocabularySize: number): ModelInfo {
  return {
    ...{ architecture: 'FakeForCausalLM', modelType: 'fake', parameters: 0, activeParameters: 0 },
    ...{ mtpParameters: 0, bytes: 0, dtypes: {}, kvBytesPerToken: 0, layers: 0, hasMtp: false },
    ...{ vocabularySize, precision: 'reference', device: 'none', threads: 1 },
  }
}
