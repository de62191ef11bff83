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

export class EngineError extends Error {
  readonly code: EngineErrorCode

  constructor(code: EngineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EngineError'
    this.code = code
  }
}

/** Throws ERR_HADAL_REQUEST. */
export function reject(message: string): never {
  throw new EngineError('ERR_HADAL_REQUEST', message)
}
