// allOf, and keywords beside $ref or anyOf: several schemas that hold at once become one, where that can be
// written down; what cannot is refused by name. And whether the branches of a oneOf exclude each other.
import { GrammarError, limits, reject } from './error.ts'
import {
  isObject,
  type Json,
  listOf,
  readSchema,
  resolve,
  type Schema,
  step,
  type Type,
  typeOfValue,
  types,
  typesOf,
} from './schema-read.ts'

const mostMerges = 5000
const mostBranches = 256

const larger = (a: Json, b: Json): Json => Math.max(a as number, b as number)
const smaller = (a: Json, b: Json): Json => Math.min(a as number, b as number)
const both = (a: Json, b: Json): Json => ({ allOf: [a, b] })
const same = (a: Json, b: Json): boolean => canonical(a) === canonical(b)

/** Equal JSON values have equal texts. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (!isObject(value)) return JSON.stringify(value === 0 ? 0 : value)
  const keys = Object.keys(value).sort()
  return `{${keys.map((k) => `${JSON.stringify(k)}:${canonical(value[k] as Json)}`).join()}}`
}

const combine: Readonly<Record<string, (a: Json, b: Json) => Json>> = {
  minLength: larger,
  maxLength: smaller,
  minItems: larger,
  maxItems: smaller,
  minimum: larger,
  maximum: smaller,
  exclusiveMinimum: larger,
  exclusiveMaximum: smaller,
  items: both,
  required: (a, b) => [...new Set([...(a as Json[]), ...(b as Json[])])],
}

export class Merger {
  readonly #root: Json
  #merges = 0

  constructor(root: Json) {
    this.#root = root
  }

  /** The schema with $ref beside other keywords, and allOf, worked in. A lone $ref stays. */
  flatten(value: Json, path: string, seen: ReadonlySet<string> = new Set()): Schema | false {
    const schema = readSchema(value, path)
    if (schema === false) return false
    const { $ref, allOf, ...rest } = schema
    if ($ref === undefined && allOf === undefined) return schema
    if ($ref !== undefined && allOf === undefined && Object.keys(rest).length === 0) return schema
    const parts: (Schema | false)[] = [rest]
    if ($ref !== undefined) parts.push(this.#target($ref, path, seen))
    const list = listOf(schema, 'allOf', path) ?? []
    list.forEach((part, i) => {
      const where = step(step(path, 'allOf'), i)
      const flat = this.flatten(part, where, seen)
      const lone = flat !== false && flat.$ref !== undefined
      parts.push(lone ? this.#target(flat.$ref as Json, where, seen) : flat)
    })
    return parts.reduce((a, b) => (a === false || b === false ? false : this.#merge(a, b, path)))
  }

  #target($ref: Json, path: string, seen: ReadonlySet<string>): Schema | false {
    if (seen.has($ref as string))
      return reject(path, '$ref', 'a reference that leads to content', `a circle through ${$ref}`)
    if (seen.size >= limits.depth)
      return reject(path, '$ref', `at most ${limits.depth} references in a row`, 'more')
    const inner = new Set([...seen, $ref as string])
    const flat = this.flatten(resolve(this.#root, $ref, path), $ref as string, inner)
    if (flat !== false && flat.$ref !== undefined) return this.#target(flat.$ref, path, inner)
    return flat
  }

  #merge(a: Schema, b: Schema, path: string): Schema | false {
    if (++this.#merges > mostMerges)
      return reject(path, 'allOf', `at most ${mostMerges} schemas to merge`, 'more')
    const out: Record<string, Json> = Object.create(null)
    for (const keyword of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const [x, y] = [a[keyword], b[keyword]]
      if (x === undefined || y === undefined) out[keyword] = (x ?? y) as Json
      else if (same(x, y)) out[keyword] = x
      else {
        const merged = this.#conflict(keyword, x, y, path)
        if (merged === undefined) return false
        out[keyword] = merged
      }
    }
    if (
      a.enum !== undefined ||
      b.enum !== undefined ||
      a.const !== undefined ||
      b.const !== undefined
    ) {
      const values = intersectValues(a, b, path)
      if (values.length === 0) return false
      delete out.const
      out.enum = values
    }
    return this.#mergeProperties(a, b, out, path)
  }

  #conflict(keyword: string, x: Json, y: Json, path: string): Json | undefined {
    if (keyword === 'type') {
      const list = intersectTypes(typesOf({ type: x }, path), typesOf({ type: y }, path))
      return list.length > 0 ? (list as Json) : undefined
    }
    if (['properties', 'additionalProperties', 'enum', 'const'].includes(keyword)) return x
    if (keyword === 'anyOf' || keyword === 'oneOf') return this.#product(keyword, x, y, path)
    const how = combine[keyword]
    const tuple = keyword === 'items' && (Array.isArray(x) || Array.isArray(y))
    const numeric = how === larger || how === smaller
    if (!how || tuple || (numeric && (typeof x !== 'number' || typeof y !== 'number')))
      return reject(path, keyword, 'one value, or values that can be merged', 'several')
    return how(x, y)
  }

  /** (a or b) and (c or d): every pair. */
  #product(keyword: string, x: Json, y: Json, path: string): Json {
    if (keyword === 'oneOf' || !Array.isArray(x) || !Array.isArray(y))
      return reject(path, keyword, 'one of them among schemas that hold together', 'several')
    if (x.length * y.length > mostBranches)
      return reject(
        path,
        keyword,
        `at most ${mostBranches} pairs of alternatives`,
        x.length * y.length,
      )
    return x.flatMap((a: Json) => y.map((c: Json) => both(a, c)))
  }

  #mergeProperties(a: Schema, b: Schema, out: Record<string, Json>, path: string): Schema | false {
    const tuples = [a, b].filter((s) => s.prefixItems !== undefined || Array.isArray(s.items))
    const listed = [a, b].filter((s) => s.prefixItems !== undefined || s.items !== undefined)
    if (tuples.length > 0 && listed.length === 2 && !same(tuple(a), tuple(b)))
      return reject(path, 'prefixItems', 'one description of items', 'several')
    if (a.additionalProperties !== undefined && b.additionalProperties !== undefined)
      out.additionalProperties =
        a.additionalProperties === false || b.additionalProperties === false
          ? false
          : both(a.additionalProperties, b.additionalProperties)
    const [x, y] = [propertiesOf(a, path), propertiesOf(b, path)]
    const names = new Set([...Object.keys(x), ...Object.keys(y)])
    if (names.size === 0) return out
    const merged: Record<string, Json> = Object.create(null)
    for (const name of names) {
      const [p, q] = [
        own(x, name) ?? a.additionalProperties,
        own(y, name) ?? b.additionalProperties,
      ]
      merged[name] =
        p === undefined || q === undefined ? ((p ?? q) as Json) : same(p, q) ? p : both(p, q)
    }
    out.properties = merged
    return out
  }

  /** Throws unless no value can match two of the branches, by type, by values, or by a property that tells. */
  expectDisjoint(branches: readonly Json[], path: string): void {
    const flat = branches.map((branch, i) => {
      const where = step(path, i)
      const one = this.flatten(branch, where)
      return one !== false && one.$ref !== undefined
        ? this.#target(one.$ref, where, new Set())
        : one
    })
    if (flat.length > mostBranches)
      reject(path, 'oneOf', `at most ${mostBranches} branches`, flat.length)
    for (let i = 0; i < flat.length; i++)
      for (let j = i + 1; j < flat.length; j++)
        if (!this.#disjoint(flat[i] as Schema | false, flat[j] as Schema | false, path, 0))
          throw new GrammarError(
            `${path}: oneOf: expected branches that exclude each other (by type, by const or enum, or by a required property with different values), got ${i} and ${j}, which may both hold; use anyOf`,
            { keyword: 'oneOf', path },
          )
  }

  #disjoint(a: Schema | false, b: Schema | false, path: string, depth: number): boolean {
    if (a === false || b === false || depth > 4) return a === false || b === false
    const [x, y] = [valuesOf(a, path), valuesOf(b, path)]
    if (x && y) return !x.some((v) => y.some((w) => same(v, w)))
    const [s, t] = [typeSet(a, path), typeSet(b, path)]
    if (intersectTypes(s, t).length === 0) return true
    if (intersectTypes(s, t).some((type) => type !== 'object')) return false
    const [p, q] = [propertiesOf(a, path), propertiesOf(b, path)]
    const needed = (schema: Schema) => (Array.isArray(schema.required) ? schema.required : [])
    return needed(a)
      .filter((name) => needed(b).includes(name) && typeof name === 'string')
      .some((name) => {
        const [u, v] = [own(p, name as string), own(q, name as string)]
        if (u === undefined || v === undefined) return false
        return this.#disjoint(this.flatten(u, path), this.flatten(v, path), path, depth + 1)
      })
  }
}

/** A property that was given, and nothing of what every JavaScript object inherits. */
export const own = (object: Schema, name: string): Json | undefined =>
  Object.hasOwn(object, name) ? object[name] : undefined

const tuple = (schema: Schema): Json => [schema.prefixItems ?? null, schema.items ?? null]

export function propertiesOf(schema: Schema, path: string): Schema {
  const { properties } = schema
  if (properties === undefined) return {}
  if (!isObject(properties)) return reject(path, 'properties', 'an object', properties)
  return properties
}

/** The values that enum and const leave, or undefined when neither is there. */
export function valuesOf(schema: Schema, path: string): readonly Json[] | undefined {
  const list = listOf(schema, 'enum', path)
  if (list && list.length > limits.values)
    return reject(path, 'enum', `at most ${limits.values} values`, list.length)
  if (schema.const === undefined) return list
  if (list && !list.some((v) => same(v, schema.const as Json))) return []
  return [schema.const]
}

function intersectValues(a: Schema, b: Schema, path: string): Json[] {
  const [x, y] = [valuesOf(a, path), valuesOf(b, path)]
  if (!x || !y) return [...(x ?? y ?? [])]
  const texts = new Set(y.map(canonical))
  return x.filter((v) => texts.has(canonical(v)))
}

const covers = (list: readonly Type[], type: Type): boolean =>
  list.includes(type) || (type === 'integer' && list.includes('number'))

function intersectTypes(
  a: readonly Type[] | undefined,
  b: readonly Type[] | undefined,
): readonly Type[] {
  return types.filter(
    (t) =>
      covers(a ?? types, t) &&
      covers(b ?? types, t) &&
      !(t === 'integer' && hasNumber(a) && hasNumber(b)),
  )
}

const hasNumber = (list: readonly Type[] | undefined) => !list || list.includes('number')

/** The types of the values that a schema may allow. */
function typeSet(schema: Schema, path: string): readonly Type[] | undefined {
  const values = valuesOf(schema, path)
  return values ? [...new Set(values.map(typeOfValue))] : typesOf(schema, path)
}
