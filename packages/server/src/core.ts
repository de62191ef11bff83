// What all routes share: the model (or how far it is), the jobs at work, limits, metrics, log. One for each server.
import { createHash } from 'node:crypto'
import type { Context } from 'hono'
import { BodyReader } from './body.ts'
import { ApiError, queueFull, retryAfter, shuttingDown } from './errors.ts'
import { Job, type JobOptions, type StopReason } from './job.ts'
import { Log } from './log.ts'
import { Metrics } from './metrics.ts'
import type { ServedModel } from './model.ts'
import { defaultLimits, type Limits, type ServerOptions } from './options.ts'
import { ResponseStore } from './wire/responses-store.ts'

/** What a request leaves for its line in the log. */
export interface RequestState {
  Variables: {
    route: string
    id: string
    /** To name in CORS headers. */
    origin: string | undefined
    /** Clients of one key share the prefix cache with each other and with nobody else. */
    cacheSalt: string | undefined
    job: Job | undefined
    prompt: unknown
  }
}
export type Ctx = Context<RequestState>

type ModelState =
  | { readonly state: 'loading' }
  | { readonly state: 'ready'; readonly model: ServedModel; readonly fingerprint: string }
  | { readonly state: 'failed'; readonly error: Error }

/** DeepSeek's names for its one model without and with thinking. */
export const aliases = { 'deepseek-chat': false, 'deepseek-reasoner': true } as const

export class Core {
  readonly options: ServerOptions
  readonly limits: Limits
  readonly metrics: Metrics = new Metrics()
  readonly bodies: BodyReader
  readonly log: Log
  readonly responses: ResponseStore
  readonly jobs: Map<string, Job> = new Map()
  readonly modelId: string
  readonly created: number = Math.floor(Date.now() / 1000)
  draining = false
  #model: ModelState = { state: 'loading' }

  constructor(options: ServerOptions) {
    this.options = options
    this.limits = { ...defaultLimits, ...options.limits }
    this.bodies = new BodyReader(this.limits)
    this.responses = new ResponseStore(this.limits)
    this.modelId = options.modelId ?? 'hadal'
    const write = options.writeLog ?? ((line: string) => process.stderr.write(`${line}\n`))
    this.log = new Log(options.logLevel ?? 'requests', write)
    if (options.model instanceof Promise) {
      options.model.then(
        (model) => this.#ready(model),
        (error) => {
          this.#model = { state: 'failed', error }
        },
      )
    } else this.#ready(options.model)
  }

  #ready(model: ServedModel): void {
    const about = JSON.stringify([this.modelId, model.info], (_, value) =>
      typeof value === 'bigint' ? String(value) : value,
    )
    const fingerprint = `fp_${createHash('sha256').update(about).digest('hex').slice(0, 10)}`
    this.#model = { state: 'ready', model, fingerprint }
  }

  get state(): ModelState {
    return this.#model
  }

  /** Says which weights and which kernels answer: with it and a seed, answers repeat. */
  get fingerprint(): string {
    return this.#model.state === 'ready' ? this.#model.fingerprint : 'fp_'
  }

  /** The model, or a 503 that says why not yet. */
  get model(): ServedModel {
    if (this.#model.state === 'ready') return this.#model.model
    const failed = this.#model.state === 'failed'
    throw new ApiError({
      status: 503,
      message: failed ? 'the model could not be loaded' : 'the model is being loaded',
      code: failed ? 'model_failed' : 'model_loading',
      headers: retryAfter(failed ? 60_000 : 2000),
    })
  }

  /** The model for a request's name: whether the name asks for thinking. 404 for names we do not serve. */
  resolve(name: string | null | undefined): {
    model: ServedModel
    name: string
    thinking?: boolean
  } {
    const { model } = this
    if (name === null || name === undefined || name === this.modelId)
      return { model, name: this.modelId }
    if (Object.hasOwn(aliases, name))
      return { model, name, thinking: aliases[name as keyof typeof aliases] }
    const known = [this.modelId, ...Object.keys(aliases)].join(', ')
    throw new ApiError({
      status: 404,
      message: `model: expected one of ${known}, got ${JSON.stringify(name)}`,
      param: 'model',
      code: 'model_not_found',
    })
  }

  get activeChoices(): number {
    return [...this.jobs.values()].reduce((sum, job) => sum + job.choices, 0)
  }

  /** Starts a job if there is room for it; its events must be read to their end. */
  start(c: Ctx, options: JobOptions): Job {
    if (this.draining) throw shuttingDown()
    const { maxQueue = 256 } = this.options
    const room = this.model.limits.maxSequences + maxQueue
    const active = this.activeChoices
    if (active + options.choices > room)
      throw queueFull(
        `the queue is full: expected at most ${room} answers at once, got ${active + options.choices}`,
        this.model.stats.retryAfterMs,
      )
    const job = new Job(options, {
      metrics: this.metrics,
      prices: this.options.prices,
      limits: this.limits,
      log: this.log,
      retryAfterMs: () => this.model.stats.retryAfterMs,
    })
    this.jobs.set(job.id, job)
    void job.done.then(() => this.jobs.delete(job.id))
    c.set('job', job)
    return job
  }

  stopAll(reason: StopReason): void {
    for (const job of this.jobs.values()) job.stop(reason)
  }
}
