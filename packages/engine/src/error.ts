// The one error class of the engine. Messages say what was expected, what came, and where.

export type EngineErrorCode =
  /** The request itself is wrong: ids, options, lengths. */
  | 'ERR_HADAL_REQUEST'
  /** The engine was disposed of before the call. */
  | 'ERR_HADAL_DISPOSED'
  /** The request's constraint could not be followed; only this request ends. */
  | 'ERR_HADAL_CONSTRAINT'
  /** A step of the model failed; `cause` is the model's error. */
  | 'ERR_HADAL_STEP'
  /** As many requests wait as may; try again in `retryAfterMs`. */
  | 'ERR_HADAL_QUEUE_FULL'
  /** The request waited too long for its turn; try again in `retryAfterMs`. */
  | 'ERR_HADAL_QUEUE_TIMEOUT'
  /** The engine takes no new requests: it is being shut down. */
  | 'ERR_HADAL_DRAINING'
  /** A saved prefix cache does not fit this model, or is damaged. */
  | 'ERR_HADAL_CACHE_FILE'

export interface EngineErrorOptions extends ErrorOptions {
  readonly retryAfterMs?: number
}

export class EngineError extends Error {
  readonly code: EngineErrorCode
  /** When a place is likely, by how fast requests end now; with ERR_HADAL_QUEUE_FULL and _TIMEOUT. */
  readonly retryAfterMs: number | undefined

  constructor(code: EngineErrorCode, message: string, options?: EngineErrorOptions) {
    super(message, options)
    this.name = 'EngineError'
    this.code = code
    this.retryAfterMs = options?.retryAfterMs
  }
}

/** Throws ERR_HADAL_REQUEST. */
export function reject(message: string): never {
  throw new EngineError('ERR_HADAL_REQUEST', message)
}
