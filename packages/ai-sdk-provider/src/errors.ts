// What Hadal throws → what callers of the AI SDK expect. By `code`, so that two copies of hadal do no harm; the
// original stays as `cause`. A full queue becomes the one error that the AI SDK tries again by itself.
import {
  AISDKError,
  APICallError,
  InvalidArgumentError,
  InvalidPromptError,
  UnsupportedFunctionalityError,
} from '@ai-sdk/provider'

interface Thrown {
  readonly message: string
  readonly code: string | undefined
  readonly retryAfterMs: number | undefined
}

function describe(error: unknown): Thrown {
  const { message, code, retryAfterMs } = (
    typeof error === 'object' && error !== null ? error : {}
  ) as Record<string, unknown>
  return {
    message: typeof message === 'string' ? message : String(error),
    code: typeof code === 'string' ? code : undefined,
    retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : undefined,
  }
}

export function toSdkError(error: unknown, prompt: unknown): AISDKError {
  if (AISDKError.isInstance(error)) return error
  const thrown = describe(error)
  const { message, code } = thrown
  switch (code) {
    case 'ERR_HADAL_TEXT':
      return new InvalidPromptError({ prompt, message, cause: error })
    case 'ERR_HADAL_OPTION':
    case 'ERR_HADAL_REQUEST':
      return new InvalidArgumentError({ argument: argumentOf(message), message, cause: error })
    case 'ERR_HADAL_GRAMMAR':
      return Object.assign(
        new UnsupportedFunctionalityError({ functionality: 'responseFormat', message }),
        { cause: error },
      )
    case 'ERR_HADAL_QUEUE_FULL':
      return unavailable(429, thrown, error)
    case 'ERR_HADAL_QUEUE_TIMEOUT':
    case 'ERR_HADAL_DRAINING':
      return unavailable(503, thrown, error)
    default:
      return new AISDKError({ name: 'AI_HadalError', message, cause: error })
  }
}

/** The AI SDK waits as long as `retry-after-ms` says. */
function unavailable(statusCode: number, thrown: Thrown, cause: unknown): APICallError {
  const { message, code, retryAfterMs } = thrown
  return new APICallError({
    ...{ message, cause, statusCode, url: 'hadal:in-process', requestBodyValues: {} },
    ...(retryAfterMs !== undefined && {
      responseHeaders: { 'retry-after-ms': String(Math.ceil(retryAfterMs)) },
    }),
    isRetryable: code !== 'ERR_HADAL_DRAINING',
  })
}

/** Hadal's messages begin with the option: `option topP: …`, `chat: thinking: …`, `chat: unknown option "x"…`. */
function argumentOf(message: string): string {
  const [, option, chat, unknown] =
    /^(?:option ([\w.]+)|chat: (?:unknown option "([^"]*)"|(\w+)))/.exec(message) ?? []
  return option ?? chat ?? unknown ?? 'prompt'
}

/** The reason of an abort if the AI SDK will know it as one, else an AbortError that has it as its cause. */
export function abortError(signal: AbortSignal): Error {
  const reason: unknown = signal.reason
  if (reason instanceof Error && /^(AbortError|TimeoutError)$/.test(reason.name)) return reason
  const error = new DOMException('The request was aborted', 'AbortError')
  return Object.defineProperty(error, 'cause', { value: reason })
}
