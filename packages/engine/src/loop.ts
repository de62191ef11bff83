// The only loop: schedule → run → commit, as long as there is work. One step or one piece of exclusive
// work at a time has the model. A step that fails takes its own requests with it and nothing else.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Model, Sampled } from '@hadal/model'
import { EngineError } from './error.ts'
import type { Request } from './request.ts'
import type { Scheduler, Step } from './scheduler.ts'
import type { Meter } from './stats.ts'

/** Exclusive work in the queue. */
interface Job {
  run(controller: AbortController): Promise<void>
  reject(error: unknown): void
}

interface Flight {
  readonly controller: AbortController
  readonly step: Step | undefined
}

export class Loop {
  readonly #model: Model
  readonly #scheduler: Scheduler
  readonly #meter: Meter
  readonly #jobs: Job[] = []
  #flight: Flight | undefined
  #running: Promise<void> | undefined

  constructor(model: Model, scheduler: Scheduler, meter: Meter) {
    this.#model = model
    this.#scheduler = scheduler
    this.#meter = meter
  }

  /** Resolves when there is no work left. */
  get idle(): Promise<void> {
    return this.#running ?? Promise.resolve()
  }

  wake(): void {
    this.#running ??= this.#run()
  }

  /**
   * Runs `work` between two steps, with the model to itself. Rejects with the reason of `signal` when
   * that fires, in the queue or later, and with ERR_HADAL_DISPOSED when the engine stops it.
   */
  exclusive<T>(
    what: string,
    work: (signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    signal?.throwIfAborted()
    return new Promise<T>((resolve, reject) => {
      const job: Job = {
        reject,
        run: async (controller) => {
          signal?.removeEventListener('abort', withdraw)
          const signals = [controller.signal, ...(signal ? [signal] : [])]
          try {
            resolve(await work(AbortSignal.any(signals)))
          } catch (cause) {
            if (!controller.signal.aborted) reject(signal?.aborted ? signal.reason : cause)
            else reject(new EngineError('ERR_HADAL_DISPOSED', `engine: stopped ${what}`, { cause }))
          }
        },
      }
      const withdraw = () => {
        const index = this.#jobs.indexOf(job)
        if (index < 0) return
        this.#jobs.splice(index, 1)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', withdraw, { once: true })
      this.#jobs.push(job)
      this.wake()
    })
  }

  /** To be called after a cancellation: stops the step in flight if nobody waits for it any more. */
  requestCancelled(): void {
    const step = this.#flight?.step
    if (step?.parts.every((part) => part.request.state === 'done')) this.abort()
  }

  /** Stops whatever is in flight. */
  abort(): void {
    this.#flight?.controller.abort()
  }

  /** Fails exclusive work that did not begin. */
  rejectJobs(error: unknown): void {
    for (const job of this.#jobs.splice(0)) job.reject(error)
  }

  async #run(): Promise<void> {
    for (;;) {
      // A turn of the event loop: requests made together start together, consumers that leave after
      // the last id are gone before the next step, and timers and sockets get their due.
      await nextTurn()
      const job = this.#jobs.shift()
      if (job) await this.#work(job)
      const step = this.#schedule()
      if (step) await this.#step(step)
      else if (this.#jobs.length === 0) break
    }
    this.#running = undefined
    this.#trim()
  }

  #schedule(): Step | undefined {
    try {
      return this.#scheduler.next()
    } catch (cause) {
      // A defect of ours: better to fail the requests than to leave them waiting for ever.
      this.#failAll([...this.#scheduler.running, ...this.#scheduler.waiting], cause)
      return undefined
    }
  }

  async #step(step: Step): Promise<void> {
    const started = performance.now()
    const controller = new AbortController()
    this.#flight = { controller, step }
    try {
      const sampled = await this.#model.step(step.batch, controller.signal)
      const ms = performance.now() - started
      this.#meter.record(step, ms)
      this.#scheduler.pace.record(step.read, step.decoders, ms)
      checkSampled(sampled, step, this.#model.info.vocabularySize)
      this.#scheduler.commit(step, sampled)
    } catch (cause) {
      this.#failAll(
        step.parts.map((part) => part.request),
        cause,
      )
    } finally {
      this.#flight = undefined
    }
  }

  #failAll(requests: readonly Request[], cause: unknown): void {
    const error = stepError(cause)
    for (const request of requests) this.#scheduler.fail(request, error)
  }

  async #work(job: Job): Promise<void> {
    const controller = new AbortController()
    this.#flight = { controller, step: undefined }
    await job.run(controller)
    this.#flight = undefined
  }

  #trim(): void {
    try {
      this.#model.trim(this.#scheduler.blocks.takeTrimmable())
    } catch (error) {
      // Memory that was not given back is no reason to fail a request that has its answer.
      process.emitWarning(`KV blocks were not given back to the system: ${message(error)}`)
    }
  }
}

export function stepError(cause: unknown): EngineError {
  return new EngineError('ERR_HADAL_STEP', `a step of the model failed: ${message(cause)}`, {
    cause,
  })
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function checkSampled(sampled: Sampled, step: Step, vocabularySize: number): void {
  const { ids } = sampled
  const rows = step.batch.rows.length
  if (ids.length !== rows) {
    throw new Error(`model.step: expected ${rows} ids, got ${ids.length}`)
  }
  for (let row = 0; row < rows; row++) {
    const id = ids[row]!
    if (id >= 0 && id < vocabularySize) continue
    if (id === -1 && step.batch.sampling[row]?.mask) continue // its request ends, see Request.accept
    throw new Error(`model.step: row ${row}: expected an id below ${vocabularySize}, got ${id}`)
  }
}
