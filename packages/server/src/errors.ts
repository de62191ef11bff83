// Every refusal in OpenAI's shape, with the field's path, what was expected and what came. Errors of the engine and
// of the text package are translated here; what nobody foresaw becomes a 500 that tells no details.
import type { ErrorBody } from './protocol/common.ts'

export interface ErrorFields {
  readonly status: number
  readonly message: string
  readonly code: string
  readonly param?: string
  readonly headers?: Readonly<Record<string, string>>
}

const types: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  429: 'rate_limit_error',
  500: 'server_error',
  501: 'server_error',
  503: 'service_unavailable_error',
}

export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly param: string | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(fields: ErrorFields, options?: ErrorOptions) {
    super(fields.message, options)
    this.name = 'ApiError'
    this.status = fields.status
    this.code = fields.code
    this.param = fields.param
    this.headers = fields.headers ?? {}
  }

  body(): ErrorBody {
    const type = types[this.status] ?? 'invalid_request_error'
    return {
      error: { message: this.message, type, param: this.param ?? null, code: this.code },
    }
  }

  /** `body`: in the shape of another wire than OpenAI's. */
  response(body: object = this.body()): Response {
    const headers = { 'content-type': 'application/json; charset=utf-8', ...this.headers }
    return new Response(JSON.stringify(body), { status: this.status, headers })
  }
}

/** A 400 about one field. */
export function invalid(param: string, message: string, code = 'invalid_value'): ApiError {
  return new ApiError({ status: 400, message: `${param}: ${message}`, param, code })
}

/** A value in an error: its beginning, in one line, of strangers' making. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 60)}… (${String(value).length} characters)` : text
}

/** Names of the engine's options on the wire. */
const wireNames: Readonly<Record<string, string>> = {
  maxTokens: 'max_tokens',
  topP: 'top_p',
  topK: 'top_k',
  minP: 'min_p',
  repetitionPenalty: 'repetition_penalty',
  presencePenalty: 'presence_penalty',
  frequencyPenalty: 'frequency_penalty',
  topLogprobs: 'top_logprobs',
  logitBias: 'logit_bias',
  maxReasoningTokens: 'max_reasoning_tokens',
  responseFormat: 'response_format',
  toolChoice: 'tool_choice',
}

function requestError(message: string, cause: unknown): ApiError {
  if (/^ids: expected (fewer than|at most) /.test(message))
    return new ApiError(
      {
        status: 400,
        message: message.replace(/^ids: expected/, 'the prompt is too long: expected'),
        code: 'context_length_exceeded',
      },
      { cause },
    )
  const [, option] = /(?:^|unknown )option "?(\w+)/.exec(message) ?? []
  if (option === undefined) return new ApiError({ status: 400, message, code: 'invalid_value' })
  const param = wireNames[option] ?? option
  return new ApiError(
    {
      status: 400,
      message: message.replace(`option ${option}`, param),
      param,
      code: 'invalid_value',
    },
    { cause },
  )
}

export const retryAfter = (ms: number): Readonly<Record<string, string>> => ({
  'retry-after': String(Math.min(3600, Math.max(1, Math.ceil(ms / 1000)))),
})

/** Any error as one that a client may see. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (!(error instanceof Error)) return internal(error)
  const { code, retryAfterMs = 1000 } = error as Error & { code?: unknown; retryAfterMs?: number }
  if (error.name === 'TextError') return textError(error)
  switch (code) {
    case 'ERR_HADAL_REQUEST':
    case 'ERR_HADAL_OPTION':
      return requestError(error.message, error)
    case 'ERR_HADAL_GRAMMAR':
      return new ApiError(
        { status: 400, message: error.message, param: 'response_format', code: 'invalid_schema' },
        { cause: error },
      )
    case 'ERR_HADAL_QUEUE_FULL':
      return queueFull(error.message, retryAfterMs)
    case 'ERR_HADAL_QUEUE_TIMEOUT':
      return new ApiError(
        {
          status: 503,
          message: error.message,
          code: 'overloaded',
          headers: retryAfter(retryAfterMs),
        },
        { cause: error },
      )
    case 'ERR_HADAL_DISPOSED':
    case 'ERR_HADAL_DRAINING':
      return shuttingDown()
    case 'ERR_HADAL_CONSTRAINT':
      return new ApiError(
        { status: 500, message: error.message, code: 'constraint_failed' },
        { cause: error },
      )
    case 'ERR_HADAL_STEP':
      return new ApiError(
        { status: 500, message: 'the model failed on this request', code: 'model_error' },
        { cause: error },
      )
    default:
      return internal(error)
  }
}

function textError(error: Error): ApiError {
  const param = /^(tools|messages)/.exec(error.message)?.[0] ?? 'messages'
  return new ApiError(
    { status: 400, message: error.message, param, code: 'invalid_value' },
    { cause: error },
  )
}

function internal(cause: unknown): ApiError {
  return new ApiError(
    { status: 500, message: 'an error of the server; its log says more', code: 'internal_error' },
    { cause },
  )
}

export function queueFull(message: string, ms: number): ApiError {
  return new ApiError({ status: 429, message, code: 'queue_full', headers: retryAfter(ms) })
}

export function shuttingDown(): ApiError {
  const message = 'the server is shutting down'
  return new ApiError({ status: 503, message, code: 'shutting_down', headers: retryAfter(5000) })
}

export function notFound(message = 'no such path'): ApiError {
  return new ApiError({ status: 404, message, code: 'not_found' })
}
