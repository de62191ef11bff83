// Ids in, ids out: checks a request, queues it and hands back its stream. The engine borrows the
// model, alone, and does not dispose of it. Main thread only.
import type { Forward, ForwardOptions, Model } from '@hadal/model'
import { EngineError, reject } from './error.ts'
import { type ForwardJob, Loop } from './loop.ts'
import { type Finish, Request, type Token } from './request.ts'
import {
  checkDefaults,
  checkIds,
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
  readonly #scheduler: Scheduler
  readonly #meter: Meter = new Meter()
  readonly #loop: Loop
  /** The longest sequence: what the model can do and what the KV budget holds. */
  readonly #contextLength: number
  #order = 0
  #disposed = false

  /** `defaults`: sampling and end ids of the checkpoint, e.g. from generation_config.json. */
  constructor(model: Model, defaults: EngineDefaults = {}) {
    const { contextLength, blockCount, blockSize } = model.limits
    this.#model = model
    this.#defaults = checkDefaults(defaults)
    this.#contextLength = Math.min(contextLength, blockCount * blockSize)
    this.#scheduler = new Scheduler(model.limits)
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
   * come out: EngineError ERR_HADAL_REQUEST (ids, options, length), ERR_HADAL_DISPOSED, and later
   * ERR_HADAL_STEP when a step of the model failed.
   */
  generate(ids: Int32Array | readonly number[], options: GenerateOptions = {}): TokenStream {
    return createStream<Token, Finish>(
      (sink) => this.#submit(ids, options, sink),
      () => ({
        reason: 'cancelled',
        promptTokens: ids.length,
        completionTokens: 0,
        reasoningTokens: 0,
        timeToFirstTokenMs: 0,
        tokensPerSecond: 0,
      }),
    )
  }

  /** The model's logits over `ids`, in turn with the steps of the loop. */
  async forward(
    ids: Int32Array | readonly number[],
    options: ForwardOptions = {},
  ): Promise<Forward> {
    this.#checkLive('forward')
    for (const name of Object.keys(options))
      if (!forwardOptions.includes(name))
        reject(`option ${name}: expected one of ${forwardOptions.join(', ')}`)
    const checked = checkIds('ids', ids, this.#model.info.vocabularySize)
    checkSignal(options.signal)
    if (checked.length === 0) reject('ids: expected at least one id, got none')
    if (checked.length > this.#contextLength) {
      reject(`ids: expected at most ${this.#limitText()}, got ${checked.length}`)
    }
    const { signal } = options
    signal?.throwIfAborted()
    return new Promise((resolve, rejectCall) => {
      const withdraw = () => {
        if (this.#loop.withdraw(job)) rejectCall(signal?.reason)
      }
      const settled = <A>(settle: (value: A) => void) => {
        return (value: A) => {
          signal?.removeEventListener('abort', withdraw)
          settle(value)
        }
      }
      const ends = { resolve: settled(resolve), reject: settled(rejectCall) }
      const job: ForwardJob = { ids: checked, options, ...ends }
      signal?.addEventListener('abort', withdraw, { once: true })
      this.#loop.enqueue(job)
    })
  }

  /** Cancels every request (they end as 'cancelled') and waits for the step in flight. */
  async dispose(): Promise<void> {
    this.#disposed = true
    for (const request of [...this.#scheduler.running, ...this.#scheduler.waiting]) {
      this.#scheduler.finish(request, 'cancelled')
    }
    for (const job of this.#loop.withdrawAll()) job.reject(disposedError('forward'))
    this.#loop.abort()
    await this.#loop.idle
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }

  #submit(
    ids: Int32Array | readonly number[],
    options: GenerateOptions,
    sink: Sink<Token, Finish>,
  ): () => void {
    this.#checkLive('generate')
    const prompt = checkIds('ids', ids, this.#model.info.vocabularySize)
    if (prompt.length === 0) reject('ids: expected at least one id, got none')
    if (prompt.length >= this.#contextLength) {
      const got = `got ${prompt.length}; shorten the prompt or load with a longer context`
      reject(`ids: expected fewer than ${this.#limitText()}, ${got}`)
    }
    const sampling = resolveSampling(options, this.#defaults, this.#model.info.vocabularySize)
    const table = this.#scheduler.blocks.table()
    const { signal } = options
    const cancel = () => {
      this.#scheduler.finish(request, 'cancelled')
      this.#loop.requestCancelled()
    }
    const ended: Sink<Token, Finish> = {
      push: (token) => sink.push(token),
      close: (finish, drop) => {
        signal?.removeEventListener('abort', cancel)
        sink.close(finish, drop)
      },
      fail: (error) => {
        signal?.removeEventListener('abort', cancel)
        sink.fail(error)
      },
    }
    const order = this.#order++
    const request = new Request(order, prompt, sampling, table, this.#contextLength, ended)
    if (signal?.aborted) {
      request.finish('cancelled')
      return cancel
    }
    signal?.addEventListener('abort', cancel, { once: true })
    this.#scheduler.submit(request)
    this.#loop.wake()
    return cancel
  }

  #checkLive(method: string): void {
    if (this.#disposed) throw disposedError(method)
  }

  #limitText(): string {
    const { contextLength, blockCount } = this.#model.limits
    return this.#contextLength === contextLength
      ? `${contextLength} ids (the context length)`
      : `${this.#contextLength} ids (all ${blockCount} KV blocks; the context length is ${contextLength})`
  }
}

function disposedError(method: string): EngineError {
  return new EngineError('ERR_HADAL_DISPOSED', `engine.${method}: the engine was disposed of`)
}
