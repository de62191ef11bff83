// What the engine counts while it runs, and the snapshot that callers read.
import type { RequestState } from './request.ts'
import type { Scheduler, Step } from './scheduler.ts'

export interface RequestStats {
  /** Order of arrival, from 0. */
  readonly order: number
  readonly state: RequestState
  readonly promptTokens: number
  readonly completionTokens: number
  /** From submission to admission, or to now. */
  readonly waitedMs: number
  /** Since admission; 0 while it waits for the first time. */
  readonly runningMs: number
}

export interface EngineStats {
  readonly running: number
  readonly waiting: number
  readonly blocksFree: number
  readonly blocksTotal: number
  /** Ids chosen by the model so far. */
  readonly tokensGenerated: number
  /** Ids read as prompt, or read again after a preemption. */
  readonly tokensPrefilled: number
  /** How often a request lost its blocks to an older one. */
  readonly preemptions: number
  readonly steps: number
  readonly lastStepMs: number
  readonly meanStepMs: number
  /** The requests in the engine, oldest first. */
  readonly requests: readonly RequestStats[]
}

export class Meter {
  #steps = 0
  #stepMs = 0
  #lastStepMs = 0
  #generated = 0
  #prefilled = 0

  record(step: Step, ms: number): void {
    this.#steps++
    this.#stepMs += ms
    this.#lastStepMs = ms
    const rows = step.batch.rows.length
    this.#generated += rows
    const decoded = step.parts.filter((part) => part.count === 1 && part.row >= 0).length
    this.#prefilled += step.batch.ids.length - decoded
  }

  snapshot(scheduler: Scheduler): EngineStats {
    const now = performance.now()
    const requests = [...scheduler.running, ...scheduler.waiting].sort((a, b) => a.order - b.order)
    return {
      running: scheduler.running.length,
      waiting: scheduler.waiting.length,
      blocksFree: scheduler.blocks.free,
      blocksTotal: scheduler.blocks.total,
      tokensGenerated: this.#generated,
      tokensPrefilled: this.#prefilled,
      preemptions: scheduler.preemptions,
      steps: this.#steps,
      lastStepMs: this.#lastStepMs,
      meanStepMs: this.#steps > 0 ? this.#stepMs / this.#steps : 0,
      requests: requests.map((request) => ({
        order: request.order,
        state: request.state,
        promptTokens: request.promptLength,
        completionTokens: request.outputLength,
        waitedMs: (request.startedAt || now) - request.submittedAt,
        runningMs: request.startedAt ? now - request.startedAt : 0,
      })),
    }
  }
}
