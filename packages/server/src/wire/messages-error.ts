// Errors in Anthropic's shape, for its paths.
import type { ApiError } from '../errors.ts'
import type { AnthropicErrorBody } from '../protocol/messages.ts'

const types: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  408: 'timeout_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  500: 'api_error',
  501: 'api_error',
  503: 'overloaded_error',
}

/** Under /anthropic, where DeepSeek offers this wire, and beside OpenAI's. */
export const isMessagesPath = (path: string): boolean =>
  /^(?:\/anthropic)?\/v1\/messages(?:\/|$)/.test(path)

export function anthropicErrorBody(error: ApiError, requestId?: string): AnthropicErrorBody {
  const type = types[error.status] ?? 'invalid_request_error'
  return {
    ...{ type: 'error', error: { type, message: error.message } },
    ...(requestId !== undefined && { request_id: requestId }),
  }
}
