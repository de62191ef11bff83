// JSON Schemas from strangers: size and depth are measured before anything walks them, every keyword is known
// or refused by name and path, and references lead to places inside the same schema.
import { GrammarError, limits, reject } from './error.ts'

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [k: string]: Json }
export type Schema = { readonly [keyword: string]: Json }

const mostNesting = 400

/** Keywords without influence on what is valid. */
const annotations = [
  ...['title', 'description', 'default', 'examples', 'example', 'deprecated', '$comment'],
  ...['$schema', '$id', 'id', '$defs', 'definitions', 'readOnly', 'writeOnly', '$anchor'],
  ...['contentMediaType', 'contentEncoding'],
]
const known = new Set([
  ...annotations,
  ...['type', 'enum', 'const', 'anyOf', 'oneOf', 'allOf', '$ref'],
  ...['properties', 'required', 'additionalProperties'],
  ...['items', 'prefixItems', 'additionalItems', 'minItems', 'maxItems'],
  ...['minLength', 'maxLength', 'pattern', 'format'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
])
const isAnnotation = new Set(annotations)

export const types = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] as const
export type Type = (typeof types)[number]

/** Keywords that speak of one type only. */
export const keywordsOf: Readonly<Record<string, readonly string[]>> = {
  object: ['properties', 'required', 'additionalProperties'],
  array: ['items', 'prefixItems', 'additionalItems', 'minItems', 'maxItems'],
  string: ['minLength', 'maxLength', 'pattern', 'format'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
}

export const isObject = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A plain copy of a stranger's schema; throws when it is too deep, too large, or no JSON. */
export function copySchema(schema: unknown): Json {
  const cap = (what: string): never => {
    throw new GrammarError(`#: schema: expected ${what}`, { keyword: 'schema', path: '#' })
  }
  // Level by level, without recursion; a cycle of objects is endlessly deep.
  let level: unknown[] = [schema]
  let values = 0
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > mostNesting)
      cap(`at most ${mostNesting} levels of values inside each other, got more`)
    const next: unknown[] = []
    for (const value of level) {
      if (typeof value !== 'object' || value === null) continue
      for (const inner of Array.isArray(value) ? value : Object.values(value)) next.push(inner)
    }
    values += next.length
    if (values > limits.bytes / 2) cap(`at most ${limits.bytes} bytes, got more`)
    level = next
  }
  let text: string | undefined
  try {
    text = JSON.stringify(schema)
  } catch (cause) {
    throw new GrammarError('#: schema: expected JSON', { keyword: 'schema', path: '#', cause })
  }
  if (text === undefined) return reject('#', 'schema', 'an object or a boolean', schema)
  if (text.length > limits.bytes || Buffer.byteLength(text) > limits.bytes)
    cap(`at most ${limits.bytes} bytes, got ${Buffer.byteLength(text)}`)
  return JSON.parse(text) as Json
}

/** The schema without annotations, its keywords known. `true` is {}; false stays. */
export function readSchema(value: Json | undefined, path: string): Schema | false {
  if (value === true) return {}
  if (value === false) return false
  if (!isObject(value)) return reject(path, 'schema', 'an object or a boolean', value)
  const out: Record<string, Json> = Object.create(null)
  for (const [keyword, inner] of Object.entries(value)) {
    if (!known.has(keyword)) {
      if (keyword === 'uniqueItems' && inner === false) continue
      throw new GrammarError(
        `${path}: ${keyword}: expected a keyword that constrained output supports, got one that it does not`,
        { keyword, path },
      )
    }
    if (!isAnnotation.has(keyword)) out[keyword] = inner
  }
  return out
}

export const step = (path: string, key: string | number): string =>
  `${path}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`

/** What a local reference names. */
export function resolve(root: Json, reference: Json | undefined, path: string): Json {
  const local = 'a reference inside this schema, like "#/$defs/name"'
  if (typeof reference !== 'string' || !(reference === '#' || reference.startsWith('#/')))
    return reject(path, '$ref', local, reference)
  let at: Json | undefined = root
  for (const part of reference.split('/').slice(1)) {
    const key = decode(part)?.replaceAll('~1', '/').replaceAll('~0', '~')
    const inside: Json | undefined = at
    at = undefined
    if (key === undefined) break
    if (Array.isArray(inside) && /^(0|[1-9]\d{0,8})$/.test(key)) at = inside[Number(key)]
    else if (isObject(inside) && Object.hasOwn(inside, key)) at = inside[key]
    if (at === undefined) break
  }
  if (at === undefined) return reject(path, '$ref', `${local} that exists`, reference)
  return at
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

export function listOf(schema: Schema, keyword: string, path: string): readonly Json[] | undefined {
  const value = schema[keyword]
  if (value === undefined) return undefined
  if (!Array.isArray(value) || value.length === 0)
    return reject(path, keyword, 'a list with at least one entry', value)
  return value
}

/** A number of characters or items. */
export function countOf(schema: Schema, keyword: string, path: string): number | undefined {
  const value = schema[keyword]
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > limits.repeat)
    return reject(path, keyword, `an integer from 0 to ${limits.repeat}`, value)
  return value
}

export function numberOf(schema: Schema, keyword: string, path: string): number | undefined {
  const value = schema[keyword]
  if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value
  return reject(path, keyword, 'a number', value)
}

/** The types that a schema names, or undefined. */
export function typesOf(schema: Schema, path: string): readonly Type[] | undefined {
  const value = schema.type
  if (value === undefined) return undefined
  const list = Array.isArray(value) ? value : [value]
  for (const type of list)
    if (!types.includes(type as Type)) reject(path, 'type', `one of ${types.join(', ')}`, type)
  return list as Type[]
}

export function typeOfValue(value: Json): Type {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value as Type
}
