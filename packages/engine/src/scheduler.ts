// Who takes part in the next step, and what becomes of its ids. Pure bookkeeping: no tensors, no
// promises. Order is order of arrival; a request that loses its blocks keeps its ids and its place.
import type { Batch, ModelLimits, Sampled } from '@hadal/model'
import { EngineError } from './error.ts'
import { KvBlocks } from './kv-blocks.ts'
import type { Chosen, FinishReason, Request } from './request.ts'

/** One request's part of a step. */
export interface Part {
  readonly request: Request
  /** Ids of this request in the step. */
  readonly count: number
  /** Row of `Sampled`, or −1 when more of the prompt is to come. */
  readonly row: number
}

export interface Step {
  readonly batch: Batch
  readonly parts: readonly Part[]
}

export class Scheduler {
  readonly blocks: KvBlocks
  preemptions = 0
  readonly #limits: ModelLimits
  /** Most requests at once, so that each can get a token and a row in every step. */
  readonly #slots: number
  readonly #waiting: Request[] = []
  readonly #running: Request[] = []

  constructor(limits: ModelLimits) {
    this.#limits = limits
    this.#slots = Math.min(limits.maxSequences, limits.maxRows, limits.maxTokens)
    this.blocks = new KvBlocks(limits.blockCount, limits.blockSize)
  }

  get waiting(): readonly Request[] {
    return this.#waiting
  }

  get running(): readonly Request[] {
    return this.#running
  }

  submit(request: Request): void {
    const end = request.begin()
    if (end instanceof EngineError) request.fail(end)
    else if (end) request.finish(end)
    else this.#enqueue(request)
  }

  /** The next step, or undefined when no request is left. */
  next(): Step | undefined {
    this.#grow()
    this.#admit()
    return this.#running.length > 0 ? this.#compose() : undefined
  }

  /** Hands the step's ids to their requests; those cancelled meanwhile are passed over. */
  commit(step: Step, sampled: Sampled): void {
    for (const { request, count, row } of step.parts) {
      if (request.state === 'done') continue
      request.computed += count
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

  /** Takes the blocks of the youngest running request; it will be computed again. False if none runs. */
  preemptYoungest(): boolean {
    const request = this.#running.pop()
    if (!request) return false
    this.preemptions++
    request.table.release()
    request.computed = 0
    request.state = 'waiting'
    this.#enqueue(request)
    return true
  }

  #enqueue(request: Request): void {
    insertByOrder(this.#waiting, request)
  }

  #remove(request: Request): boolean {
    if (request.state === 'done') return false
    const list = request.state === 'waiting' ? this.#waiting : this.#running
    list.splice(list.indexOf(request), 1)
    request.table.release()
    return true
  }

  /** Gives running requests the blocks for all their ids, oldest first. */
  #grow(): void {
    for (let i = 0; i < this.#running.length; i++) {
      const request = this.#running[i]!
      // The oldest always gets through: alone, any sequence fits (the engine checks its length).
      while (request.state === 'running' && !request.table.grow(request.length)) {
        this.preemptYoungest()
      }
    }
  }

  #admit(): void {
    while (this.#waiting.length > 0 && this.#running.length < this.#slots) {
      const request = this.#waiting[0]!
      // One block to spare per running request, or the newcomer would soon be preempted again.
      const spare = this.#running.length
      if (request.table.missing(request.length) + spare > this.blocks.free) return
      if (!request.table.grow(request.length)) return
      this.#waiting.shift()
      request.state = 'running'
      request.startedAt ||= performance.now()
      insertByOrder(this.#running, request)
    }
  }

  #compose(): Step {
    const counts = this.#share()
    const chosen = this.#running.filter((request) => counts.has(request))
    const tokens = chosen.reduce((sum, request) => sum + counts.get(request)!, 0)
    const ids = new Int32Array(tokens)
    const positions = new Int32Array(tokens)
    const slots = new Int32Array(tokens)
    const tokenSeq = new Int32Array(tokens)
    const rows: number[] = []
    const parts: Part[] = []
    let t = 0
    for (const [s, request] of chosen.entries()) {
      const count = counts.get(request)!
      const { computed, ids: sequence } = request
      ids.set(sequence.subarray(computed, computed + count), t)
      for (let i = 0; i < count; i++, t++) {
        const position = computed + i
        positions[t] = position
        slots[t] = this.#slotOf(request, position)
        tokenSeq[t] = s
      }
      const last = count === request.pending
      parts.push({ request, count, row: last ? rows.length : -1 })
      if (last) rows.push(t - 1)
    }
    const ready = parts.filter((part) => part.row >= 0)
    const batch: Batch = {
      ...{ ids, positions, slots, tokenSeq },
      blocks: chosen.map((request) => request.table.blocks),
      rows: Int32Array.from(rows),
      sampling: ready.map((part) => part.request.rowSampling()),
    }
    return { batch, parts }
  }

  #slotOf(request: Request, position: number): number {
    const size = this.#limits.blockSize
    return request.table.blocks[Math.floor(position / size)]! * size + (position % size)
  }

  /** How many ids each takes: decoders one each, the rest shared evenly, leftovers oldest first. */
  #share(): Map<Request, number> {
    const counts = new Map<Request, number>()
    let left = this.#limits.maxTokens
    for (const request of this.#running) {
      if (request.pending > 1) continue
      counts.set(request, 1)
      left--
    }
    const filling = this.#running.filter((request) => request.pending > 1)
    const even = Math.max(1, Math.floor(left / Math.max(1, filling.length)))
    for (const request of filling) {
      const count = Math.min(request.pending, even, left)
      if (count > 0) counts.set(request, count)
      left -= count
    }
    for (const request of filling) {
      const more = Math.min(request.pending - (counts.get(request) ?? 0), left)
      if (more > 0) counts.set(request, (counts.get(request) ?? 0) + more)
      left -= more
    }
    return counts
  }
}

function insertByOrder(list: Request[], request: Request): void {
  let i = list.length
  while (i > 0 && list[i - 1]!.order > request.order) i--
  list.splice(i, 0, request)
}

function chosen(sampled: Sampled, row: number, topLogprobs: number): Chosen {
  const width = sampled.topIds.length / sampled.ids.length
  const top = Array.from({ length: topLogprobs }, (_, i) => ({
    id: sampled.topIds[row * width + i]!,
    logprob: sampled.topLogprobs[row * width + i]!,
  })).filter(({ id }) => id >= 0)
  return {
    id: sampled.ids[row]!,
    logprob: sampled.logprobs[row]!,
    top: topLogprobs > 0 ? top : undefined,
  }
}
