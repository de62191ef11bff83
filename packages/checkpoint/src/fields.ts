// Typed readers of a config's fields: every error names the field, the file, what was expected and what came.
import { CheckpointError, printable } from './error.ts'
import type { JsonObject, JsonValue } from './json.ts'

export interface Range {
  readonly min?: number
  readonly max?: number
}

export interface Fields {
  readonly file: string
  has(name: string): boolean
  raw(name: string): JsonValue | undefined
  /** A whole number; `fallback` when the field is absent or null. */
  int(name: string, range?: Range, fallback?: number): number
  number(name: string, range?: Range, fallback?: number): number
  bool(name: string, fallback?: boolean): boolean
  string(name: string, fallback?: string): string
  oneOf<const V extends string>(name: string, values: readonly V[], fallback?: V): V
  /** A nested object's fields, or undefined when absent or null. */
  object(name: string): Fields | undefined
  fail(name: string, expected: string): never
}

export function fields(object: JsonObject, file: string, prefix = ''): Fields {
  const show = (value: JsonValue | undefined) =>
    value === undefined ? 'nothing' : printable(JSON.stringify(value))
  const fail = (name: string, expected: string): never => {
    const field = prefix + name
    throw new CheckpointError(
      `${printable(file)}: ${field}: expected ${expected}, got ${show(object[name])}`,
      { file, field },
    )
  }
  const missing = (name: string) => object[name] === undefined || object[name] === null
  const number = (name: string, what: string, range: Range, fallback?: number): number => {
    if (missing(name) && fallback !== undefined) return fallback
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = range
    const value = object[name]
    const whole = what === 'a whole number'
    if (
      typeof value !== 'number' ||
      (whole && !Number.isSafeInteger(value)) ||
      value < min ||
      value > max
    )
      return fail(name, `${what} from ${min} to ${max}`)
    return value
  }
  const typed = <V extends JsonValue>(name: string, type: string, fallback?: V): V => {
    if (missing(name) && fallback !== undefined) return fallback
    const value = object[name]
    return typeof value === type ? (value as V) : fail(name, `a ${type}`)
  }
  return {
    file,
    has: (name) => !missing(name),
    raw: (name) => object[name],
    int: (name, range = {}, fallback) => number(name, 'a whole number', range, fallback),
    number: (name, range = {}, fallback) => number(name, 'a number', range, fallback),
    bool: (name, fallback) => typed<boolean>(name, 'boolean', fallback),
    string: (name, fallback) => typed<string>(name, 'string', fallback),
    oneOf: (name, values, fallback) => {
      if (missing(name) && fallback !== undefined) return fallback
      const found = values.find((value) => value === object[name])
      return found ?? fail(name, `one of ${values.join(', ')}`)
    },
    object: (name) => {
      if (missing(name)) return undefined
      const value = object[name]
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        return fail(name, 'an object')
      return fields(value, file, `${prefix}${name}.`)
    },
    fail,
  }
}
