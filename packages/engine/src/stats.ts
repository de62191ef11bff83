// What the engine counts while it runs, and the snapshot that callers read.
import type { RequestState } from './request.ts'
import type { Scheduler, Step } from './scheduler.ts'

export interface PrefixCacheStats {
  /** Prompt ids of requests that began. */
  readonly queryTokens: number
  /** Of these, ids whose KV was there already; `queryTokens − hitTokens` were misses. */
  readonly hitTokens: number
  /** Blocks given up to make room. */
  readonly evictions: number
  /** Blocks in the cache, those of running requests included. */
  readonly blocks: number
}

export interface RequestStats {
  /** Order of arrival, from 0. */
  readonly order: number
  readonly state: RequestState
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly completionTokens: number
  /** From submission to admission, or to now. */
  readonly waitedMs: number
  /** Since admission; 0 while it waits for the first time. */
  readonly runningMs: number
}

export interface EngineStats {
  readonly running: number
  readonly waiting: number
  /** Blocks that a request could have: empty ones, and cached ones that nobody uses. */
  readonly blocksFree: number
  readonly blocksTotal: number
  /** Ids chosen by the model so far. */
  readonly tokensGenerated: number
  /** Ids read as prompt, or read again after a preemption. */
  readonly tokensPrefilled: number
  /** How often a request lost its blocks to one before it in line. */
  readonly preemptions: number
  readonly prefixCache: PrefixCacheStats
  readonly steps: number
  readonly lastStepMs: number
  readonly meanStepMs: number
  /** When one more request would likely begin, by how fast requests end now. */
  readonly retryAfterMs: number
  /** The requests in the engine, in order of arrival. */
  readonly requests: readonly RequestStats[]
}

/** What to say before any request has ended. */
const unknownMs = 1000

export class Meter {
  #steps = 0
  #stepMs = 0
  #lastStepMs = 0
  #generated = 0
  #prefilled = 0
  #serviceMs = 0

  record(step: Step, ms: number): void {
    this.#steps++
    this.#stepMs += ms
    this.#lastStepMs = ms
    this.#generated += step.batch.rows.length
    this.#prefilled += step.prefilled
  }

  /** Takes note of a request that ended on its own, so many milliseconds after it began to run. */
  ended(ms: number): void {
    this.#serviceMs = this.#serviceMs === 0 ? ms : this.#serviceMs + 0.1 * (ms - this.#serviceMs)
  }

  /** When `waiting` requests and one more will have begun, if requests go on ending as they do. */
  retryAfterMs(waiting: number, running: number): number {
    if (this.#serviceMs === 0) return unknownMs
    const ms = (this.#serviceMs * (waiting + 1)) / Math.max(1, running)
    return Math.round(Math.min(Math.max(ms, 100), 60_000))
  }

  snapshot(scheduler: Scheduler): EngineStats {
    const now = performance.now()
    const { cacheQueries, cacheHits, blocks } = scheduler
    const requests = [...scheduler.running, ...scheduler.waiting].sort((a, b) => a.order - b.order)
    return {
      running: scheduler.running.length,
      waiting: scheduler.waiting.length,
      blocksFree: scheduler.blocks.free,
      blocksTotal: scheduler.blocks.total,
      tokensGenerated: this.#generated,
      tokensPrefilled: this.#prefilled,
      preemptions: scheduler.preemptions,
      prefixCache: {
        queryTokens: cacheQueries,
        hitTokens: cacheHits,
        evictions: blocks.cache?.evictions ?? 0,
        blocks: blocks.cache?.size ?? 0,
      },
      steps: this.#steps,
      lastStepMs: this.#lastStepMs,
      meanStepMs: this.#steps > 0 ? this.#stepMs / this.#steps : 0,
      retryAfterMs: this.retryAfterMs(scheduler.waiting.length, scheduler.running.length),
      requests: requests.map((request) => ({
        order: request.order,
        state: request.state,
        promptTokens: request.promptLength,
        cachedTokens: request.cached,
        completionTokens: request.outputLength,
        waitedMs: (request.startedAt || now) - request.submittedAt,
        runningMs: request.startedAt ? now - request.startedAt : 0,
      })),
    }
  }
}
