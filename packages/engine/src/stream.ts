// The single async boundary between the loop and a consumer: a queue with an async iterator on it.
// Written by hand and not as `async function*`, because there `return()` waits for a pending `next()`,
// and stopping has to take effect at once. The queue is bounded by the request's maxTokens.

type Cancel = () => void | Promise<void>
type Waiter<T, R> = {
  resolve: (result: IteratorResult<T, R>) => void
  reject: (error: unknown) => void
}
type End<R> = { readonly value: R } | { readonly error: unknown }

/** Where a producer puts what it makes. Calls after the end are ignored. */
export interface Sink<T, R> {
  push(item: T): void
  /** Ends the stream; `drop` forgets what was not read yet. */
  close(value: R, drop?: boolean): void
  fail(error: unknown): void
}

/**
 * An async generator whose `return()` may be called without an argument and acts at once, even while
 * a `next()` is pending. Nothing starts before the first `next()`.
 */
export interface Stream<T, R> extends AsyncGenerator<T, R, void> {
  return(value?: R | PromiseLike<R>): Promise<IteratorResult<T, R>>
}

/**
 * `start` runs on the first `next()` and returns how to cancel; an error that it throws ends the
 * stream. The cancel function must close the sink before its promise, if it returns one, resolves. `unstarted` is the value of a stream that was
 * returned before it began.
 */
export function createStream<T, R>(
  start: (sink: Sink<T, R>) => Cancel,
  unstarted: () => R,
): Stream<T, R> {
  return new QueueStream(start, unstarted)
}

/** A stream whose first `next()` rejects with `error`. */
export function failedStream<T, R>(error: unknown): Stream<T, R> {
  return createStream<T, R>(
    () => {
      throw error
    },
    () => undefined as R,
  )
}

class QueueStream<T, R> implements Stream<T, R>, Sink<T, R> {
  readonly #start: (sink: Sink<T, R>) => Cancel
  readonly #unstarted: () => R
  readonly #waiters: Waiter<T, R>[] = []
  #queue: T[] = []
  #head = 0
  #end: End<R> | undefined
  #cancel: Cancel | undefined
  #started = false

  constructor(start: (sink: Sink<T, R>) => Cancel, unstarted: () => R) {
    this.#start = start
    this.#unstarted = unstarted
  }

  push(item: T): void {
    if (this.#end) return
    const waiter = this.#waiters.shift()
    if (waiter) waiter.resolve({ done: false, value: item })
    else this.#queue.push(item)
  }

  close(value: R, drop = false): void {
    this.#finish({ value }, drop)
  }

  fail(error: unknown): void {
    this.#finish({ error }, false)
  }

  next(): Promise<IteratorResult<T, R>> {
    this.#begin()
    if (this.#head < this.#queue.length) {
      const value = this.#queue[this.#head++]!
      if (this.#head === this.#queue.length) {
        this.#queue = []
        this.#head = 0
      }
      return Promise.resolve({ done: false, value })
    }
    if (this.#end) return settle(this.#end)
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  async return(value?: R | PromiseLike<R>): Promise<IteratorResult<T, R>> {
    await this.#stop()
    if (value !== undefined) return { done: true, value: await value }
    return this.#end ? settle(this.#end) : { done: true, value: this.#unstarted() }
  }

  async throw(error: unknown): Promise<IteratorResult<T, R>> {
    await this.#stop()
    throw error
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #begin(): void {
    if (this.#started) return
    this.#started = true
    try {
      this.#cancel = this.#start(this)
    } catch (error) {
      this.fail(error)
    }
  }

  /** What is cancelled at once is cancelled before the first await. */
  async #stop(): Promise<void> {
    if (!this.#started) {
      this.#started = true
      this.close(this.#unstarted(), true)
    } else if (this.#end) {
      // An error nobody read yet is not lost by return(): the consumer has left on its own.
      this.#queue = []
      this.#head = 0
      if ('error' in this.#end) this.#end = { value: this.#unstarted() }
    } else await this.#cancel?.()
  }

  #finish(end: End<R>, drop: boolean): void {
    if (this.#end) return
    this.#end = end
    if (drop) {
      this.#queue = []
      this.#head = 0
    }
    for (const waiter of this.#waiters.splice(0))
      settle<T, R>(end).then(waiter.resolve, waiter.reject)
  }
}

function settle<T, R>(end: End<R>): Promise<IteratorResult<T, R>> {
  return 'error' in end
    ? Promise.reject(end.error)
    : Promise.resolve({ done: true, value: end.value })
}
