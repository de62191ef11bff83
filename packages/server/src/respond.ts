// Responses that take long: server-sent events, or one JSON body. Both send a sign of life during silence, both
// stop the job when the client leaves, and both are pulled: what the client does not read is not made.
import type { Ctx } from './core.ts'
import { toApiError } from './errors.ts'
import type { Job } from './job.ts'

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

/**
 * Events as DeepSeek sends them: `data: {…}`, comments during silence, `[DONE]`. An error in the middle is an event
 * `data: {"error": …}` and the end.
 */
export async function eventStream(
  job: Job,
  events: AsyncGenerator<object, void, void>,
  commentMs: number,
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
          if (result === silence) return controller.enqueue(line(': keep-alive'))
          next = undefined
          if (!result.done) return controller.enqueue(line(`data: ${JSON.stringify(result.value)}`))
          controller.enqueue(line('data: [DONE]'))
        } catch (error) {
          const { error: told } = toApiError(error).body()
          controller.enqueue(line(`data: ${JSON.stringify({ error: told })}`))
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
): Promise<Response> {
  const { signal } = c.req.raw
  const leave = () => job.stop('client')
  if (signal.aborted) leave()
  signal.addEventListener('abort', leave, { once: true })
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
          controller.enqueue(encoder.encode(JSON.stringify(toApiError(error).body())))
        }
        controller.close()
      },
      cancel: leave,
    },
    { highWaterMark: 0 },
  )
  return new Response(body, { headers: { ...headers, 'transfer-encoding': 'chunked' } })
}
