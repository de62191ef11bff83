// Responses that take long: server-sent events, or one JSON body. Both send a sign of life during silence, both
// stop the job when the client leaves, and both are pulled: what the client does not read is not made.
import type { Ctx } from './core.ts'
import { type ApiError, toApiError } from './errors.ts'
import type { Job, JobEvent } from './job.ts'

const encoder = new TextEncoder()
const silence = Symbol('silence')

/** `promise`, or `silence` after `ms`. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | typeof silence> {
  let timer: NodeJS.Timeout | undefined
  const alarm = new Promise<typeof silence>((resolve) => {
    timer = setTimeout(resolve, ms, silence)
  })
  try {
    return await Promise.race([promise, alarm])
  } finally {
    clearTimeout(timer)
  }
}

/** Errors that come at once (a wrong option, a full queue) still have a status of their own. */
async function firstTurn(first: Promise<unknown>): Promise<void> {
  const turn = new Promise<void>((resolve) => setImmediate(resolve))
  await Promise.race([first, turn])
}

/** How a wire writes its events. */
export interface EventStyle {
  /** Each event also has its `type` as its name. */
  readonly named: boolean
  /** The last event's data, if the wire has one. */
  readonly done?: string
  /** What keeps the client waiting during silence. */
  readonly silence: string
  readonly error: (error: ApiError) => object
}

/** DeepSeek's and OpenAI's: an error in the middle is an event `data: {"error": …}` and the end. */
export const openAiStyle: EventStyle = {
  named: false,
  done: '[DONE]',
  silence: ': keep-alive',
  error: (error) => error.body(),
}

const eventText = (style: EventStyle, value: object): string => {
  const name = style.named ? `event: ${(value as { type: string }).type}\n` : ''
  return `${name}data: ${JSON.stringify(value)}`
}

/**
 * `opening` and then what `fold` makes of each event of the job. A request that is refused at once throws before the
 * opening, so that it still gets a status of its own.
 */
export async function* folded<E>(
  job: Job,
  opening: () => Iterable<E>,
  fold: (event: JobEvent) => Iterable<E>,
): AsyncGenerator<E, void, void> {
  const events = job.events()
  const first = events.next()
  try {
    await firstTurn(first)
    yield* opening()
    for (let next = await first; !next.done; next = await events.next()) yield* fold(next.value)
  } finally {
    first.catch(() => {})
    await events.return()
  }
}

/** Server-sent events of a job. */
export async function eventStream(
  job: Job,
  events: AsyncGenerator<object, void, void>,
  commentMs: number,
  style: EventStyle = openAiStyle,
): Promise<Response> {
  let next: Promise<IteratorResult<object, void>> | undefined = events.next()
  await firstTurn(next)
  const line = (text: string) => encoder.encode(`${text}\n\n`)
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          next ??= events.next()
          const result = await within(next, commentMs)
          if (result === silence) return controller.enqueue(line(style.silence))
          next = undefined
          if (!result.done) return controller.enqueue(line(eventText(style, result.value)))
          if (style.done) controller.enqueue(line(`data: ${style.done}`))
        } catch (error) {
          controller.enqueue(line(eventText(style, style.error(toApiError(error)))))
        }
        controller.close()
      },
      cancel() {
        job.stop('client')
        next?.catch(() => {})
        void events.return()
      },
    },
    { highWaterMark: 0 },
  )
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      // Without it the adapter would wait for a second chunk before it sends the first.
      'transfer-encoding': 'chunked',
    },
  })
}

/** One JSON body. Beyond `commentMs` the status is sent, and blanks in front of the body keep the client waiting. */
export async function jsonWhenReady(
  c: Ctx,
  job: Job,
  result: Promise<object>,
  commentMs: number,
  style: Pick<EventStyle, 'error'> = openAiStyle,
): Promise<Response> {
  const { signal } = c.req.raw
  const leave = () => job.stop('client')
  if (signal.aborted) leave()
  signal.addEventListener('abort', leave, { once: true })
  // Node keeps the signal of a request until the request is collected: a listener that leads back to the request would
  // keep both for ever.
  const settled = () => signal.removeEventListener('abort', leave)
  result.then(settled, settled)
  const headers = { 'content-type': 'application/json; charset=utf-8' }
  const first = await within(result, commentMs)
  if (first !== silence) return new Response(JSON.stringify(first), { headers })
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const value = await within(result, commentMs)
          if (value === silence) return controller.enqueue(encoder.encode('\n'))
          controller.enqueue(encoder.encode(JSON.stringify(value)))
        } catch (error) {
          // The status is gone: the body says it.
          controller.enqueue(encoder.encode(JSON.stringify(style.error(toApiError(error)))))
        }
        controller.close()
      },
      cancel: leave,
    },
    { highWaterMark: 0 },
  )
  return new Response(body, { headers: { ...headers, 'transfer-encoding': 'chunked' } })
}
