// One request at work: one stream for each choice, merged into events that every wire folds its own way. A job ends
// by itself, by the client leaving, by a control call, by a time limit or by the server closing. Its clock feeds the
// metrics, whoever reads it.
import { randomBytes } from 'node:crypto'
import { ApiError, retryAfter, toApiError } from './errors.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { PartStream, ServedFinish, ServedPart } from './model.ts'
import type { Limits, Prices } from './options.ts'
import { cost, type Tokens, tokensOf } from './wire/usage.ts'

export type JobEvent =
  | { readonly choice: number; readonly part: ServedPart; readonly finish?: undefined }
  | { readonly choice: number; readonly finish: ServedFinish; readonly part?: undefined }

/** Who ended it, if it did not end by itself. */
export type StopReason = 'client' | 'cancelled' | 'shutdown' | 'timeout'

export interface JobSignals {
  readonly signal: AbortSignal
  readonly endThinking: AbortSignal
}

export interface JobOptions {
  /** e.g. `chatcmpl-`; the id is random and long enough to be a secret. */
  readonly prefix: string
  readonly choices: number
  /** Choices of one prompt: the prompt is counted once for each group. Default: all are. */
  readonly perPrompt?: number
  /** End a choice after its first tool call. */
  readonly oneToolCall?: boolean
  readonly start: (choice: number, signals: JobSignals) => PartStream
}

export interface JobContext {
  readonly metrics: Metrics
  readonly prices: Prices | undefined
  readonly limits: Limits
  readonly log: Log
  /** When there is likely room for one more. */
  readonly retryAfterMs: () => number
}

export const newId = (prefix: string): string => prefix + randomBytes(16).toString('hex')

type Next = { readonly choice: number; readonly result: IteratorResult<ServedPart, ServedFinish> }

export class Job {
  readonly id: string
  /** Seconds since 1970. */
  readonly created: number = Math.floor(Date.now() / 1000)
  readonly choices: number
  /** Resolves when nothing of it runs any more; never rejects. */
  readonly done: Promise<void>
  /** By choice. */
  readonly finishes: Map<number, ServedFinish> = new Map()
  stopped: StopReason | undefined
  failure: ApiError | undefined
  readonly #options: JobOptions
  readonly #context: JobContext
  readonly #abort = new AbortController()
  readonly #ending = new AbortController()
  readonly #arrived: number = performance.now()
  readonly #timers: NodeJS.Timeout[]
  #firstAt = 0
  readonly #lastAt = new Map<number, number>()
  #resolve: () => void = () => {}

  constructor(options: JobOptions, context: JobContext) {
    this.id = newId(options.prefix)
    this.choices = options.choices
    this.#options = options
    this.#context = context
    this.done = new Promise((resolve) => {
      this.#resolve = resolve
    })
    const { firstTokenMs, requestMs } = context.limits
    const limit = (ms: number, passed: () => boolean) =>
      setTimeout(() => passed() && this.stop('timeout'), ms).unref()
    this.#timers = [
      limit(firstTokenMs, () => this.#firstAt === 0),
      limit(requestMs, () => this.finishes.size < this.choices),
    ]
  }

  /** Ends every choice at once, in prefill too. */
  stop(reason: StopReason): void {
    this.stopped ??= reason
    this.#abort.abort()
  }

  endThinking(): void {
    this.#ending.abort()
  }

  get tokens(): Tokens {
    return tokensOf(this.finishes, this.#options.perPrompt ?? this.choices)
  }

  /** Now, in seconds since 1970, by a clock that is never set back: no answer ends before it began. */
  get now(): number {
    return this.created + Math.floor((performance.now() - this.#arrived) / 1000)
  }

  get timeToFirstTokenMs(): number | undefined {
    return this.#firstAt > 0 ? this.#firstAt - this.#arrived : undefined
  }

  /** To be read once, to its end. Errors are ApiErrors. */
  async *events(): AsyncGenerator<JobEvent, void, void> {
    try {
      yield* this.#merge()
      if (this.stopped === 'timeout' && this.#firstAt === 0) throw this.#late()
    } catch (error) {
      this.failure = toApiError(error)
      if (this.failure.status >= 500) this.#context.log.error(this.failure, { id: this.id })
      throw this.failure
    } finally {
      this.#end()
    }
  }

  async *#merge(): AsyncGenerator<JobEvent, void, void> {
    const signals = { signal: this.#abort.signal, endThinking: this.#ending.signal }
    const streams = Array.from({ length: this.choices }, (_, i) => this.#options.start(i, signals))
    const pending = new Map<number, Promise<Next>>()
    const pull = (choice: number) => {
      const next = (streams[choice] as PartStream).next()
      pending.set(
        choice,
        next.then((result) => ({ choice, result })),
      )
    }
    try {
      for (const choice of streams.keys()) pull(choice)
      while (pending.size > 0) {
        const { choice, result } = await Promise.race(pending.values())
        // Set anew, it stands last: no choice starves the others.
        pending.delete(choice)
        if (result.done) {
          yield this.#finish(choice, result.value)
          continue
        }
        this.#tick(choice, result.value)
        yield { choice, part: result.value }
        if (this.#options.oneToolCall && result.value.type === 'tool-call') {
          const end = await (streams[choice] as PartStream).return()
          yield this.#finish(choice, { ...(end.value as ServedFinish), reason: 'stop' })
        } else pull(choice)
      }
    } finally {
      for (const promise of pending.values()) promise.catch(() => {})
      await Promise.all(streams.map((stream, choice) => this.#close(stream, choice)))
    }
  }

  /** What was done before a choice was cut off counts too. */
  async #close(stream: PartStream, choice: number): Promise<void> {
    const end = await stream.return().catch(() => undefined)
    // A stream that was refused before it began has no finish.
    if (end?.done && end.value && !this.finishes.has(choice)) this.finishes.set(choice, end.value)
  }

  #finish(choice: number, finish: ServedFinish): JobEvent {
    this.finishes.set(choice, finish)
    return { choice, finish }
  }

  /** Gaps are those of the making: a client that reads slowly does not count. */
  #tick(choice: number, { atMs }: ServedPart): void {
    const { metrics } = this.#context
    if (this.#firstAt === 0) {
      this.#firstAt = performance.now()
      metrics.firstToken.observe((this.#firstAt - this.#arrived) / 1000)
    }
    const before = this.#lastAt.get(choice)
    if (before !== undefined) metrics.gap.observe((atMs - before) / 1000)
    this.#lastAt.set(choice, atMs)
  }

  #late(): ApiError {
    const { firstTokenMs } = this.#context.limits
    return new ApiError({
      status: 503,
      message: `no token within ${firstTokenMs / 1000} s; the server has too much to do`,
      code: 'overloaded',
      headers: retryAfter(this.#context.retryAfterMs()),
    })
  }

  #end(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#abort.abort()
    const { metrics, prices } = this.#context
    const { prompt, completion, reasoning } = this.tokens
    metrics.prompt.add(prompt)
    metrics.completion.add(completion)
    metrics.reasoning.add(reasoning)
    metrics.whole.observe((performance.now() - this.#arrived) / 1000)
    if (this.stopped) metrics.cancelled.add(1, { reason: this.stopped })
    if (prices) metrics.cost.add(cost(this.tokens, prices).amount, { currency: prices.currency })
    this.#resolve()
  }
}
