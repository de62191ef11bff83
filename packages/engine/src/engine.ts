// Ids in, ids out: checks a request, queues it and hands back its stream. The engine borrows the
// model, alone (its KV blocks outlive requests, so a second engine on the model would spoil them), and
// does not dispose of it. Main thread only.
import type { Forward, ForwardOptions, Model } from '@hadal/model'
import { EngineError, reject } from './error.ts'
import { Loop, stepError } from './loop.ts'
import {
  checkDrainOptions,
  checkEngineOptions,
  type DrainOptions,
  type EngineOptions,
  longestMs,
} from './options.ts'
import { saltDigest } from './prefix-cache.ts'
import { loadCache, type SavedCache, saveCache } from './prefix-file.ts'
import { type Finish, Request, type Token } from './request.ts'
import {
  checkDefaults,
  checkIds,
  checkSalt,
  checkSignal,
  type EngineDefaults,
  type GenerateOptions,
  resolveSampling,
} from './sampling.ts'
import { Scheduler } from './scheduler.ts'
import { type EngineStats, Meter } from './stats.ts'
import { createStream, type Sink, type Stream } from './stream.ts'

const forwardOptions: readonly string[] = [
  ...['mtp', 'lastLogits', 'hiddenStates', 'routing', 'chunk', 'signal'],
]

/** Yields tokens; the value at the end says why and how fast. `return()` cancels at once. */
export type TokenStream = Stream<Token, Finish>

export class Engine {
  readonly #model: Model
  readonly #defaults: EngineDefaults
  readonly #options: EngineOptions
  readonly #scheduler: Scheduler
  readonly #meter: Meter = new Meter()
  readonly #loop: Loop
  /** The longest sequence: what the model can do and what the KV budget holds. */
  readonly #contextLength: number
  #order = 0
  #state: 'open' | 'draining' | 'disposed' = 'open'

  /** `defaults`: sampling and end ids of the checkpoint, e.g. from generation_config.json. */
  constructor(model: Model, defaults: EngineDefaults = {}, options: EngineOptions = {}) {
    const { contextLength, blockCount, blockSize } = model.limits
    this.#model = model
    this.#defaults = checkDefaults(defaults)
    this.#options = checkEngineOptions(options)
    this.#contextLength = Math.min(contextLength, blockCount * blockSize)
    this.#scheduler = new Scheduler(model.limits, options)
    this.#loop = new Loop(model, this.#scheduler, this.#meter)
  }

  get contextLength(): number {
    return this.#contextLength
  }

  get stats(): EngineStats {
    return this.#meter.snapshot(this.#scheduler)
  }

  /** Resolves when no request is left. */
  get idle(): Promise<void> {
    return this.#loop.idle
  }

  /**
   * Continues `ids`. The request is checked and queued on the first `next()`, which is where errors
   * come out: EngineError ERR_HADAL_REQUEST (ids, options, length), ERR_HADAL_QUEUE_FULL,
   * ERR_HADAL_DRAINING, ERR_HADAL_DISPOSED, and later ERR_HADAL_QUEUE_TIMEOUT, or ERR_HADAL_STEP when
   * a step of the model failed.
   */
  generate(ids: Int32Array | readonly number[], options: GenerateOptions = {}): TokenStream {
    return createStream<Token, Finish>(
      (sink) => this.#submit(ids, options, sink),
      () => ({ ...unstarted, promptTokens: ids.length }),
    )
  }

  /** The model's logits over `ids`, in turn with the steps of the loop; without the prefix cache. */
  async forward(
    ids: Int32Array | readonly number[],
    options: ForwardOptions = {},
  ): Promise<Forward> {
    this.#checkOpen('forward')
    for (const name of Object.keys(options))
      if (!forwardOptions.includes(name))
        reject(`option ${name}: expected one of ${forwardOptions.join(', ')}`)
    const checked = checkIds('ids', ids, this.#model.info.vocabularySize)
    checkSignal(options.signal)
    if (checked.length === 0) reject('ids: expected at least one id, got none')
    if (checked.length > this.#contextLength) {
      reject(`ids: expected at most ${this.#limitText()}, got ${checked.length}`)
    }
    const work = async (signal: AbortSignal) => {
      const table = this.#scheduler.blocks.table()
      try {
        while (!table.grow(checked.length)) {
          if (!this.#scheduler.preemptLast()) throw new Error('no KV block left for forward()')
        }
        return await this.#model.forward(checked, table.blocks, { ...options, signal })
      } catch (cause) {
        throw forwardError(cause)
      } finally {
        table.release()
      }
    }
    return this.#loop.exclusive('forward()', work, options.signal)
  }

  /**
   * Writes the prefix cache to a file that only this user can read: prompts and answers can be told
   * from it. Requests go on meanwhile. May be called after `dispose`, as long as the model lives.
   */
  savePrefixCache(path: string): Promise<SavedCache> {
    return saveCache(path, this.#model, this.#scheduler.blocks)
  }

  /**
   * Reads what `savePrefixCache` wrote, as far as empty blocks go; requests wait meanwhile. A file that
   * is damaged or belongs to another model is refused whole: ERR_HADAL_CACHE_FILE.
   */
  async loadPrefixCache(path: string): Promise<SavedCache> {
    this.#checkOpen('loadPrefixCache')
    return this.#loop.exclusive('loadPrefixCache()', (signal) =>
      loadCache(path, this.#model, this.#scheduler.blocks, signal),
    )
  }

  /**
   * Refuses new requests with ERR_HADAL_DRAINING, lets those that are in end, and cancels what is left
   * after `timeoutMs`. Resolves when nothing runs; says how many were cancelled.
   */
  async drain(options: DrainOptions = {}): Promise<{ readonly cancelled: number }> {
    const timeoutMs = checkDrainOptions(options)
    if (this.#state === 'open') this.#state = 'draining'
    const { idle } = this.#loop
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      if (timeoutMs <= longestMs) timer = setTimeout(resolve, timeoutMs)
    })
    await Promise.race([idle, late])
    clearTimeout(timer)
    const cancelled = this.#cancelAll('drain', 'ERR_HADAL_DRAINING')
    await this.#loop.idle
    return { cancelled }
  }

  /** Cancels every request (they end as 'cancelled') and waits for the step in flight. */
  async dispose(): Promise<void> {
    this.#state = 'disposed'
    this.#cancelAll('forward', 'ERR_HADAL_DISPOSED')
    await this.#loop.idle
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }

  #cancelAll(method: string, code: 'ERR_HADAL_DRAINING' | 'ERR_HADAL_DISPOSED'): number {
    const requests = [...this.#scheduler.running, ...this.#scheduler.waiting]
    for (const request of requests) this.#scheduler.finish(request, 'cancelled')
    this.#loop.rejectJobs(closedError(method, code))
    this.#loop.abort()
    return requests.length
  }

  #submit(
    ids: Int32Array | readonly number[],
    options: GenerateOptions,
    sink: Sink<Token, Finish>,
  ): () => void {
    this.#checkOpen('generate')
    const { vocabularySize } = this.#model.info
    const prompt = checkIds('ids', ids, vocabularySize)
    if (prompt.length === 0) reject('ids: expected at least one id, got none')
    if (prompt.length >= this.#contextLength) {
      const got = `got ${prompt.length}; shorten the prompt or load with a longer context`
      reject(`ids: expected fewer than ${this.#limitText()}, ${got}`)
    }
    const sampling = resolveSampling(options, this.#defaults, vocabularySize)
    const table = this.#scheduler.blocks.table(saltDigest(checkSalt(options.cacheSalt)))
    const { signal } = options
    if (!signal?.aborted) this.#checkQueue()
    const cancel = () => {
      this.#scheduler.finish(request, 'cancelled')
      this.#loop.requestCancelled()
    }
    const ended = this.#watch(sink, () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', cancel)
      return request
    })
    const order = this.#order++
    const request = new Request(order, prompt, sampling, table, this.#contextLength, ended)
    const timer = this.#limitWait(request)
    if (signal?.aborted) {
      request.finish('cancelled')
      return cancel
    }
    signal?.addEventListener('abort', cancel, { once: true })
    this.#scheduler.submit(request)
    this.#loop.wake()
    return cancel
  }

  /** The sink of a request, which also tells that it ended. */
  #watch(sink: Sink<Token, Finish>, end: () => Request): Sink<Token, Finish> {
    return {
      push: (token) => sink.push(token),
      close: (finish, drop) => {
        const { startedAt } = end()
        const began = startedAt > 0 && finish.reason !== 'cancelled'
        if (began) this.#meter.ended(performance.now() - startedAt)
        sink.close(finish, drop)
      },
      fail: (error) => {
        end()
        sink.fail(error)
      },
    }
  }

  #checkQueue(): void {
    const { maxQueue = Number.POSITIVE_INFINITY } = this.#options
    const { queued } = this.#scheduler
    if (queued < maxQueue) return
    const text = `engine.generate: ${queued} requests wait, as many as may (maxQueue ${maxQueue})`
    throw new EngineError('ERR_HADAL_QUEUE_FULL', text, { retryAfterMs: this.#retryAfterMs() })
  }

  #limitWait(request: Request): NodeJS.Timeout | undefined {
    const { queueTimeoutMs = Number.POSITIVE_INFINITY } = this.#options
    if (queueTimeoutMs > longestMs) return undefined
    return setTimeout(() => {
      if (request.startedAt > 0) return
      const text = `engine.generate: the request did not begin within ${queueTimeoutMs} ms (queueTimeoutMs)`
      const retryAfterMs = this.#retryAfterMs()
      const error = new EngineError('ERR_HADAL_QUEUE_TIMEOUT', text, { retryAfterMs })
      this.#scheduler.fail(request, error)
    }, queueTimeoutMs)
  }

  #retryAfterMs(): number {
    const { waiting, running } = this.#scheduler
    return this.#meter.retryAfterMs(waiting.length, running.length)
  }

  #checkOpen(method: string): void {
    if (this.#state === 'disposed') throw closedError(method, 'ERR_HADAL_DISPOSED')
    if (this.#state === 'draining') throw closedError(method, 'ERR_HADAL_DRAINING')
  }

  #limitText(): string {
    const { contextLength, blockCount } = this.#model.limits
    return this.#contextLength === contextLength
      ? `${contextLength} ids (the context length)`
      : `${this.#contextLength} ids (all ${blockCount} KV blocks; the context length is ${contextLength})`
  }
}

/** The summary of a request that never began. */
export const unstarted: Finish = {
  reason: 'cancelled',
  promptTokens: 0,
  cachedTokens: 0,
  completionTokens: 0,
  reasoningTokens: 0,
  timeToFirstTokenMs: 0,
  tokensPerSecond: 0,
}

function closedError(method: string, code: 'ERR_HADAL_DRAINING' | 'ERR_HADAL_DISPOSED') {
  const why = code === 'ERR_HADAL_DISPOSED' ? 'was disposed of' : 'is being drained'
  return new EngineError(code, `engine.${method}: the engine ${why}`)
}

/** The model refuses wrong options of forward() with a RangeError. */
function forwardError(cause: unknown): EngineError {
  if (!(cause instanceof RangeError)) return stepError(cause)
  return new EngineError('ERR_HADAL_REQUEST', cause.message, { cause })
}
