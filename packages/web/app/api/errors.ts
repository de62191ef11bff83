// What can go wrong between the page and the server, as the page tells it to the reader.
export type Failure =
  /** No answer, or the connection broke in the middle of one. */
  | { kind: 'network' }
  | { kind: 'key' }
  | { kind: 'loading' }
  /** 429 or 503: the queue is full. */
  | { kind: 'busy'; message: string; retryAfterMs: number | undefined }
  /** The server said no, or gave up in mid-answer. */
  | { kind: 'refused'; message: string; status: number }

export class ApiError extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    super('message' in failure ? failure.message : failure.kind)
    this.name = 'ApiError'
    this.failure = failure
  }
}

/** Seconds or an HTTP date (RFC 9110 §10.2.3), in milliseconds from now. */
export function retryAfter(header: string | null, now: number = Date.now()): number | undefined {
  if (header === null) return undefined
  const seconds = Number(header)
  if (header.trim() !== '' && Number.isFinite(seconds)) return Math.max(0, seconds * 1000)
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

function object(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)
    : undefined
}

/** The message of an error body in OpenAI's shape, or in any other that has one. */
export function errorMessage(body: unknown): string | undefined {
  const outer = object(body)
  const error = outer?.error
  if (typeof error === 'string') return error
  const message = object(error)?.message ?? outer?.message
  return typeof message === 'string' ? message : undefined
}

export async function failureOf(response: Response): Promise<Failure> {
  const text = await response.text().catch(() => '')
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    body = undefined
  }
  const message = errorMessage(body) ?? `The server answered ${response.status}.`
  const { status } = response
  if (status === 401) return { kind: 'key' }
  if (status === 503 && object(object(body)?.error)?.code === 'model_loading')
    return { kind: 'loading' }
  if (status === 429 || status === 503)
    return { kind: 'busy', message, retryAfterMs: retryAfter(response.headers.get('retry-after')) }
  return { kind: 'refused', message, status }
}
