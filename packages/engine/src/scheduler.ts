// Who takes part in the next step, and what becomes of its ids. Pure bookkeeping: no tensors, no
// promises. Requests stand in line (see `Line`); one that loses its blocks keeps its ids and its place.
import type { ModelLimits, Sampled } from '@hadal/model'
import { chosen, compose, type Step } from './compose.ts'
import { EngineError } from './error.ts'
import { KvBlocks, type KvOptions } from './kv-blocks.ts'
import { isBefore, Line } from './line.ts'
import { Pace } from './pace.ts'
import type { FinishReason, Request } from './request.ts'
import { shareTokens } from './share.ts'

export type { Part, Step } from './compose.ts'

export interface SchedulerOptions extends KvOptions {
  readonly maxStepMs?: number
  readonly agingMs?: number
}

export class Scheduler {
  readonly blocks: KvBlocks
  readonly pace: Pace
  preemptions = 0
  /** Prompt ids of requests that were admitted, and those of them that the prefix cache had. */
  cacheQueries = 0
  cacheHits = 0
  readonly #limits: ModelLimits
  /** Most requests at once, so that each can get a token and a row in every step. */
  readonly #slots: number
  readonly #waiting: Line
  readonly #running: Line
  /** The last round of admission had no room for somebody. */
  #crowded = false

  constructor(limits: ModelLimits, options: SchedulerOptions = {}) {
    const { maxStepMs = 200, agingMs = 10_000 } = options
    this.#limits = limits
    this.#slots = Math.min(limits.maxSequences, limits.maxRows, limits.maxTokens)
    this.blocks = new KvBlocks(limits.blockCount, limits.blockSize, options)
    this.pace = new Pace(maxStepMs, limits.maxTokens)
    this.#waiting = new Line(agingMs)
    this.#running = new Line(agingMs)
  }

  get waiting(): readonly Request[] {
    return this.#waiting.all
  }

  get running(): readonly Request[] {
    return this.#running.all
  }

  /** Requests that wait, less those that the next round of admission has slots for. */
  get queued(): number {
    const places = this.#crowded ? 0 : Math.max(0, this.#slots - this.#running.length)
    return Math.max(0, this.#waiting.length - places)
  }

  submit(request: Request): void {
    const end = request.begin()
    if (end instanceof EngineError) request.fail(end)
    else if (end) request.finish(end)
    else this.#waiting.add(request)
  }

  /** The next step, or undefined when no request is left. */
  next(): Step | undefined {
    this.#grow()
    this.#admit()
    const { blockSize } = this.#limits
    let decoders = 0
    for (const request of this.running) {
      if (request.pending > 1) this.#adopt(request)
      if (request.pending === 1) decoders++
    }
    if (this.#running.length === 0) return undefined
    const tokens = shareTokens(this.running, this.pace.budget(decoders), blockSize)
    return compose(this.running, tokens, blockSize)
  }

  /** Hands the step's ids to their requests; those cancelled meanwhile are passed over. */
  commit(step: Step, sampled: Sampled): void {
    for (const { request, count, row } of step.parts) {
      if (request.state === 'done') continue
      request.computed += count
      if (request.computed >= (request.table.shared + 1) * this.#limits.blockSize) {
        request.table.seal(request.ids.subarray(0, request.computed))
      }
      if (row < 0) continue
      const end = request.accept(chosen(sampled, row, request.sampling.topLogprobs))
      if (end instanceof EngineError) this.fail(request, end)
      else if (end) this.finish(request, end)
    }
  }

  /** Ends a request in any state and frees what it holds. */
  finish(request: Request, reason: FinishReason): void {
    if (!this.#remove(request)) return
    request.finish(reason)
  }

  fail(request: Request, error: unknown): void {
    if (!this.#remove(request)) return
    request.fail(error)
  }

  /** Takes the blocks of the running request that is last in line; it will be computed again. False if none runs. */
  preemptLast(): boolean {
    const request = this.#running.last
    if (!request) return false
    this.preemptions++
    this.#running.remove(request)
    request.preempt()
    this.#waiting.add(request)
    return true
  }

  #remove(request: Request): boolean {
    if (request.state === 'done') return false
    const line = request.state === 'waiting' ? this.#waiting : this.#running
    line.remove(request)
    request.table.release()
    if (this.#waiting.length === 0) this.#crowded = false
    return true
  }

  /** Gives running requests the blocks for all their ids, first in line first. */
  #grow(): void {
    for (let i = 0; i < this.#running.length; i++) {
      const request = this.running[i]!
      // The first always gets through: alone, any sequence fits (the engine checks its length).
      while (request.state === 'running' && !request.table.grow(request.length)) this.preemptLast()
    }
  }

  /** Lets in those that wait, in line; who waits for a prefix is passed over until it is there. */
  #admit(): void {
    const readers = this.running.filter((request) => request.pending > 1)
    this.#crowded = false
    for (let i = 0; i < this.#waiting.length; ) {
      const request = this.waiting[i]!
      if (this.#isReadByOther(request, readers)) {
        // It has begun: somebody reads its prompt.
        this.#begin(request)
        i++
        continue
      }
      if (!this.#makeRoom(request)) {
        this.#crowded = true
        return
      }
      this.#waiting.remove(request)
      request.state = 'running'
      this.#begin(request)
      this.#adopt(request)
      if (!request.table.grow(request.length)) throw new Error('admitted without blocks')
      this.#running.add(request)
      if (request.pending > 1) readers.push(request)
    }
  }

  #begin(request: Request): void {
    if (request.startedAt > 0) return
    request.startedAt = performance.now()
    this.cacheQueries += request.promptLength
  }

  /**
   * Somebody as important is about to read the block that this one needs next. Waiting for it outside
   * keeps blocks and a slot for others.
   */
  #isReadByOther(request: Request, readers: readonly Request[]): boolean {
    const { blockSize } = this.#limits
    return readers.some((reader) => {
      if (reader.state !== 'running' || reader.priority < request.priority) return false
      const block = Math.floor(reader.computed / blockSize)
      const key = reader.table.keyAt(block, reader.ids)
      return key !== undefined && key === request.table.keyAt(block, request.ids)
    })
  }

  /** A slot and blocks for a request; of less important ones that run, if need be. */
  #makeRoom(request: Request): boolean {
    while (this.#running.length >= this.#slots || this.#shortage(request) > 0) {
      if (!this.#outranked(request)) return false
      this.preemptLast()
    }
    return true
  }

  /** Blocks that are missing to admit it. */
  #shortage(request: Request): number {
    const found = request.table.found(request.ids)
    const idle = found.filter((node) => node.refs === 0).length
    const wanted = request.table.missing(request.length) - found.length
    // One block to spare per running request, or the newcomer would soon be preempted again.
    return wanted + this.#running.length - (this.blocks.free - idle)
  }

  /** Enough runs that is less important and came later to give way to it. */
  #outranked(request: Request): boolean {
    const { running } = this
    let blocks = 0
    let slots = this.#slots - running.length
    for (let i = running.length - 1; i >= 0; i--) {
      const other = running[i]!
      if (other.priority >= request.priority || isBefore(other, request)) break
      blocks += other.table.blocks.length + 1
      slots++
    }
    return slots > 0 && blocks > 0 && blocks >= this.#shortage(request)
  }

  #adopt(request: Request): void {
    const before = request.cached
    request.adoptCached(this.#limits.blockSize)
    this.cacheHits += request.cached - before
  }
}
