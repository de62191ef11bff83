// The only loop: schedule → run → commit, as long as there is work. One step or one forward() at a
// time has the model. A step that fails takes its own requests with it and nothing else.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Forward, ForwardOptions, Model, Sampled } from '@hadal/model'
import { EngineError } from './error.ts'
import type { Request } from './request.ts'
import type { Scheduler, Step } from './scheduler.ts'
import type { Meter } from './stats.ts'

/** A forward() call in the queue. */
export interface ForwardJob {
  readonly ids: Int32Array
  readonly options: ForwardOptions
  resolve(result: Forward): void
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
  readonly #jobs: ForwardJob[] = []
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

  enqueue(job: ForwardJob): void {
    this.#jobs.push(job)
    this.wake()
  }

  /** Takes a forward() call out of the queue; false if it runs or ran already. */
  withdraw(job: ForwardJob): boolean {
    const index = this.#jobs.indexOf(job)
    if (index >= 0) this.#jobs.splice(index, 1)
    return index >= 0
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

  withdrawAll(): ForwardJob[] {
    return this.#jobs.splice(0)
  }

  async #run(): Promise<void> {
    for (;;) {
      // A turn of the event loop: requests made together start together, consumers that leave after
      // the last id are gone before the next step, and timers and sockets get their due.
      await nextTurn()
      const job = this.#jobs.shift()
      if (job) await this.#forward(job)
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
    const flight: Flight = { controller: new AbortController(), step }
    this.#flight = flight
    try {
      const sampled = await this.#model.step(step.batch, flight.controller.signal)
      this.#meter.record(step, performance.now() - started)
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

  async #forward(job: ForwardJob): Promise<void> {
    const { ids, options } = job
    const table = this.#scheduler.blocks.table()
    const controller = new AbortController()
    const signals = [controller.signal, ...(options.signal ? [options.signal] : [])]
    this.#flight = { controller, step: undefined }
    try {
      while (!table.grow(ids.length)) {
        if (!this.#scheduler.preemptYoungest()) throw new Error('no KV block left for forward()')
      }
      const signal = AbortSignal.any(signals)
      job.resolve(await this.#model.forward(ids, table.blocks, { ...options, signal }))
    } catch (cause) {
      if (controller.signal.aborted) {
        job.reject(
          new EngineError('ERR_HADAL_DISPOSED', 'engine: disposed during forward()', { cause }),
        )
      } else job.reject(options.signal?.aborted ? options.signal.reason : forwardError(cause))
    } finally {
      this.#flight = undefined
      table.release()
    }
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

function stepError(cause: unknown): EngineError {
  return new EngineError('ERR_HADAL_STEP', `a step of the model failed: ${message(cause)}`, {
    cause,
  })
}

/** The model refuses wrong options of forward() with a RangeError. */
function forwardError(cause: unknown): EngineError {
  if (!(cause instanceof RangeError)) return stepError(cause)
  return new EngineError('ERR_HADAL_REQUEST', cause.message, { cause })
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function checkSampled(sampled: Sampled, step: Step, vocabularySize: number): void {
  const rows = step.batch.rows.length
  if (sampled.ids.length !== rows) {
    throw new Error(`model.step: expected ${rows} ids, got ${sampled.ids.length}`)
  }
  for (const [row, id] of sampled.ids.entries()) {
    if (id >= 0 && id < vocabularySize) continue
    if (id === -1 && step.batch.sampling[row]?.mask) continue // its request ends, see Request.accept
    throw new Error(`model.step: row ${row}: expected an id below ${vocabularySize}, got ${id}`)
  }
}
