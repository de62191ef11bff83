// The one error of this package: which file, which tensor or field, what was expected and what came.
export interface CheckpointErrorDetails {
  readonly file: string
  readonly tensor?: string
  readonly field?: string
  readonly cause?: unknown
}

export class CheckpointError extends Error {
  readonly code = 'ERR_HADAL_CHECKPOINT'
  override readonly name = 'CheckpointError'
  readonly file: string
  readonly tensor: string | undefined
  readonly field: string | undefined

  constructor(message: string, details: CheckpointErrorDetails) {
    super(message, { cause: details.cause })
    this.file = details.file
    this.tensor = details.tensor
    this.field = details.field
  }
}

/** A string from a hostile file, safe to print: control characters escaped, cut at 120 characters. */
export function printable(text: string): string {
  const cut = text.length > 120 ? `${text.slice(0, 120)}…` : text
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this removes
  return cut.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (c) => {
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
