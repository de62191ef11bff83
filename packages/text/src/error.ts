// The error of this package: a tokenizer or template that cannot be used, with the field or the cause.
export class TextError extends Error {
  readonly code = 'ERR_HADAL_TEXT'
  override readonly name = 'TextError'
}

export type Json =
  | null
  | boolean
  | string
  | number
  | readonly Json[]
  | { readonly [name: string]: Json }

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
