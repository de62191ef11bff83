// The one error class of this package, and the caps on what a stranger's grammar may cost.

export interface Limits {
  /** Levels of schemas, groups of a pattern, and references in a row. */
  readonly depth: number
  /** Bytes of a schema as JSON, and of all choices together. */
  readonly bytes: number
  /** A bound of a repetition, a length or a number of items. */
  readonly repeat: number
  /** Characters of a pattern. */
  readonly pattern: number
  /** Values of an enum and choices. */
  readonly values: number
  /** Properties of one object. */
  readonly properties: number
  readonly nodes: number
  /** Time to compile. */
  readonly milliseconds: number
}

export const limits: Limits = {
  depth: 100,
  bytes: 1 << 20,
  repeat: 10_000,
  pattern: 16_384,
  values: 10_000,
  properties: 1000,
  nodes: 200_000,
  milliseconds: 1000,
}

export class GrammarError extends Error {
  readonly code = 'ERR_HADAL_GRAMMAR'
  override readonly name = 'GrammarError'
  /** The schema keyword or the option at fault, e.g. `minLength`. */
  readonly keyword: string | undefined
  /** Where in the schema, e.g. `#/properties/name`. */
  readonly path: string | undefined

  constructor(message: string, where: { keyword?: string; path?: string; cause?: unknown } = {}) {
    super(message, where.cause === undefined ? undefined : { cause: where.cause })
    this.keyword = where.keyword
    this.path = where.path
  }
}

/** Throws a GrammarError: path, keyword, expected, got. */
export function reject(path: string, keyword: string, expected: string, got: unknown): never {
  throw new GrammarError(`${path}: ${keyword}: expected ${expected}, got ${show(got)}`, {
    keyword,
    path,
  })
}

export function show(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}
