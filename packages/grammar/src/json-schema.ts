// JSON Schema to a grammar. Every text that the grammar allows is valid against the schema; the other way round
// the grammar may be narrower, as docs/structured-output.md says: properties come in the schema's order, and
// what the schema leaves open (further properties beside named ones, types of a schema without `type`) is closed.
import { boundedRegex } from './bounded-regex.ts'
import { GrammarError, limits, reject } from './error.ts'
import { formats } from './formats.ts'
import { Builder, type Grammar, type Node, type Rule } from './ir.ts'
import { JsonText } from './json-text.ts'
import { integer, number } from './numbers.ts'
import { anchored, lengthOf, regexNode } from './regex.ts'
import { parseRegex, type Regex } from './regex-parse.ts'
import { Merger, own, propertiesOf, valuesOf } from './schema-merge.ts'
import {
  copySchema,
  countOf,
  isObject,
  type Json,
  keywordsOf,
  listOf,
  numberOf,
  resolve,
  type Schema,
  step,
  type Type,
  typeOfValue,
  types,
  typesOf,
} from './schema-read.ts'
import { anyOfTexts } from './texts.ts'

const infinity = Number.POSITIVE_INFINITY

interface Place {
  readonly path: string
  readonly depth: number
  /** The rule that this place may begin, as long as no byte was consumed. */
  readonly rule: Rule | undefined
}

const inside = (place: Place, key: string | number, more?: string | number): Place => {
  const path = more === undefined ? step(place.path, key) : step(step(place.path, key), more)
  return { path, depth: place.depth + 1, rule: undefined }
}

class SchemaCompiler {
  readonly #b: Builder
  readonly #text: JsonText
  readonly #root: Json
  readonly #merger: Merger
  readonly #rules = new Map<string, Rule>()
  /** Which rules a rule may begin with, and where it says so. */
  readonly #begins = new Map<Rule, { readonly rule: Rule; readonly path: string }[]>()
  readonly #work: { readonly reference: string; readonly rule: Rule }[] = []

  constructor(b: Builder, root: Json) {
    this.#b = b
    this.#text = new JsonText(b)
    this.#root = root
    this.#merger = new Merger(root)
  }

  compile(): Node {
    const root = this.#ruleOf('#', '#')
    // By a list and not by recursion: a chain of references may be as long as the schema.
    for (let next = this.#work.pop(); next; next = this.#work.pop()) {
      const { reference, rule } = next
      const schema = resolve(this.#root, reference, reference)
      this.#b.define(rule, this.#schema(schema, { path: reference, depth: 0, rule }))
    }
    this.#refuseCircles()
    return this.#b.reference(root)
  }

  #ruleOf(reference: string, path: string): Rule {
    resolve(this.#root, reference, path)
    let rule = this.#rules.get(reference)
    if (rule === undefined) {
      rule = this.#b.rule()
      this.#rules.set(reference, rule)
      this.#work.push({ reference, rule })
    }
    return rule
  }

  /** A rule that begins with itself has no content of its own. */
  #refuseCircles(): void {
    const done = new Set<Rule>()
    for (const start of this.#begins.keys()) {
      const open = [{ rule: start, next: 0, path: '#' }]
      const onPath = new Set([start])
      while (open.length > 0) {
        const top = open.at(-1)!
        const edge = done.has(top.rule) ? undefined : this.#begins.get(top.rule)?.[top.next++]
        if (!edge) {
          done.add(top.rule)
          onPath.delete(top.rule)
          open.pop()
        } else if (onPath.has(edge.rule)) {
          reject(edge.path, '$ref', 'a reference that leads to content', 'a circle')
        } else {
          onPath.add(edge.rule)
          open.push({ rule: edge.rule, next: 0, path: edge.path })
        }
      }
    }
  }

  #schema(value: Json, place: Place): Node {
    const { path, depth } = place
    if (depth > limits.depth)
      return reject(path, 'schema', `at most ${limits.depth} schemas inside each other`, 'more')
    const schema = this.#merger.flatten(value, path)
    if (schema === false) return this.#b.never
    if (schema.$ref !== undefined) return this.#reference(schema.$ref as string, place)
    if (schema.anyOf !== undefined || schema.oneOf !== undefined) return this.#either(schema, place)
    const values = valuesOf(schema, path)
    return values ? this.#values(schema, values, path) : this.#typed(schema, place)
  }

  #reference(reference: string, place: Place): Node {
    const rule = this.#ruleOf(reference, place.path)
    if (place.rule !== undefined) {
      const edges = this.#begins.get(place.rule) ?? []
      edges.push({ rule, path: place.path })
      this.#begins.set(place.rule, edges)
    }
    return this.#b.reference(rule)
  }

  #either(schema: Schema, place: Place): Node {
    const { anyOf, oneOf, ...base } = schema
    if (anyOf !== undefined && oneOf !== undefined)
      return reject(place.path, 'oneOf', 'anyOf or oneOf', 'both')
    const keyword = anyOf === undefined ? 'oneOf' : 'anyOf'
    const branches = listOf(schema, keyword, place.path) as readonly Json[]
    const alone = Object.keys(base).length === 0
    const whole = branches.map((branch) => (alone ? branch : { allOf: [base, branch] }))
    const path = step(place.path, keyword)
    if (keyword === 'oneOf') this.#merger.expectDisjoint(whole, path)
    return this.#b.choice(
      ...whole.map((branch, i) =>
        this.#schema(branch, { path: step(path, i), depth: place.depth + 1, rule: place.rule }),
      ),
    )
  }

  #values(schema: Schema, values: readonly Json[], path: string): Node {
    const assertions = Object.values(keywordsOf).flat()
    const other = assertions.find((keyword) => schema[keyword] !== undefined)
    if (other) reject(path, other, 'no such keyword beside enum or const', schema[other])
    const allowed = typesOf(schema, path)
    const fits = (value: Json) => {
      const type = typeOfValue(value)
      return (
        !allowed || allowed.includes(type) || (type === 'integer' && allowed.includes('number'))
      )
    }
    return anyOfTexts(
      this.#b,
      values.filter(fits).map((value) => JSON.stringify(value)),
    )
  }

  #typed(schema: Schema, place: Place): Node {
    const named = typesOf(schema, place.path)
    const spoken = Object.keys(keywordsOf).filter((type) =>
      keywordsOf[type]?.some((keyword) => schema[keyword] !== undefined),
    ) as Type[]
    if (!named && spoken.length === 0) return this.#text.value
    const list = named ?? spoken
    return this.#b.choice(
      ...types.filter((t) => list.includes(t)).map((type) => this.#type(type, schema, place)),
    )
  }

  #type(type: Type, schema: Schema, place: Place): Node {
    const { path } = place
    switch (type) {
      case 'object':
        return this.#object(schema, place)
      case 'array':
        return this.#array(schema, place)
      case 'string':
        return this.#string(schema, path)
      case 'boolean':
        return this.#b.choice(this.#b.literal('true'), this.#b.literal('false'))
      case 'null':
        return this.#b.literal('null')
      default: {
        const [minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf] = (
          keywordsOf.number as readonly string[]
        ).map((keyword) => numberOf(schema, keyword, path))
        const bounds = { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf }
        const make = type === 'integer' ? integer : number
        return this.#b.shared(make(this.#b, bounds, path))
      }
    }
  }

  #string(schema: Schema, path: string): Node {
    const min = countOf(schema, 'minLength', path) ?? 0
    const max = countOf(schema, 'maxLength', path) ?? infinity
    if (min > max) return this.#b.never
    const { pattern, format } = schema
    if (pattern === undefined && format === undefined) return this.#text.string(min, max)
    const known = format === undefined ? undefined : formats.get(format as string)
    if (format !== undefined && known === undefined)
      return reject(path, 'format', `one of ${[...formats.keys()].join(', ')}`, format)
    try {
      const regexes = [
        ...(known === undefined ? [] : [anchored(parseRegex(known), false)]),
        ...(pattern === undefined ? [] : [anchored(parseRegex(pattern), true)]),
      ]
      const regex = regexes[0] as Regex
      const [low, high] = lengthOf(regex)
      const settled = regexes.length === 1 && min <= low && high <= max
      const { encode } = this.#text
      const body = settled
        ? regexNode(this.#b, regex, encode)
        : boundedRegex(this.#b, regexes, min, max, encode)
      return body === this.#b.never ? body : this.#text.quoted(body)
    } catch (error) {
      if (!(error instanceof GrammarError) || error.path !== undefined) throw error
      const keyword = error.keyword ?? 'pattern'
      throw new GrammarError(`${path}: ${error.message}`, { keyword, path, cause: error })
    }
  }

  #array(schema: Schema, place: Place): Node {
    const { path } = place
    const min = countOf(schema, 'minItems', path) ?? 0
    const max = countOf(schema, 'maxItems', path) ?? infinity
    const old = Array.isArray(schema.items)
    const tuple = old ? schema.items : schema.prefixItems
    const first = tuple === undefined ? [] : (listOf({ tuple }, 'tuple', path) as readonly Json[])
    // Beside a tuple, items that nothing describes are left out.
    const rest = old ? schema.additionalItems : schema.items
    const open = rest ?? first.length === 0
    const where = inside(place, old ? 'additionalItems' : 'items')
    const item = open === false ? this.#b.never : this.#schema(open, where)
    const heads = first.map((s, i) =>
      this.#schema(s, inside(place, old ? 'items' : 'prefixItems', i)),
    )
    const items = this.#items(heads, item, min, max)
    return items === this.#b.never ? items : this.#text.brackets(items)
  }

  /** The given items in order, then any number of `item`; min to max in all. */
  #items(heads: readonly Node[], item: Node, min: number, max: number): Node {
    const b = this.#b
    if (min > max) return b.never
    if (heads.length === 0) return this.#text.list(item, min, max)
    const { comma } = this.#text
    const used = heads.slice(0, Math.min(heads.length, max))
    let tail =
      max <= used.length
        ? b.empty
        : b.repeat(b.sequence(comma, item), Math.max(min - used.length, 0), max - used.length)
    for (let i = used.length - 1; i >= 0; i--) {
      const full = b.sequence(...(i > 0 ? [comma] : []), used[i] as Node, tail)
      tail = i >= min ? b.optional(full) : full
    }
    return tail
  }

  #object(schema: Schema, place: Place): Node {
    const { path } = place
    const b = this.#b
    const properties = propertiesOf(schema, path)
    const required = this.#required(schema, path)
    const names = [...new Set([...Object.keys(properties), ...required])]
    if (names.length > limits.properties)
      return reject(path, 'properties', `at most ${limits.properties}`, names.length)
    // Beside named properties, those that nothing describes are left out.
    const open = schema.additionalProperties ?? names.length === 0
    const other =
      open === false ? b.never : this.#schema(open, inside(place, 'additionalProperties'))
    const members = names.map((name) => {
      const described = own(properties, name) ?? schema.additionalProperties ?? true
      const value = this.#schema(described, inside(place, 'properties', name))
      const key = b.literal(JSON.stringify(name))
      return { node: b.sequence(key, this.#text.colon, value), required: required.has(name) }
    })
    const inner = this.#members(members, this.#others(names, other, path))
    return inner === b.never ? inner : this.#text.braces(inner)
  }

  #required(schema: Schema, path: string): ReadonlySet<string> {
    const { required = [] } = schema
    if (!Array.isArray(required) || required.some((name) => typeof name !== 'string'))
      return reject(path, 'required', 'a list of names', required)
    return new Set(required as string[])
  }

  /** One further member, or never. */
  #others(names: readonly string[], value: Node, path: string): Node {
    if (value === this.#b.never) return value
    const longest = Math.max(0, ...names.map((name) => name.length))
    if (longest > 1000)
      return reject(path, 'properties', 'names of at most 1000 characters beside others', longest)
    return this.#b.sequence(this.#text.keyExcept(names), this.#text.colon, value)
  }

  /** Members in order, optional ones left out or not, and others after them, with commas between. */
  #members(list: readonly { node: Node; required: boolean }[], other: Node): Node {
    const b = this.#b
    const { comma } = this.#text
    const others = other === b.never ? b.empty : b.repeat(b.sequence(comma, other), 0, infinity)
    // What may follow after member i when something stands before it, and when nothing does.
    let after = others
    let first = other === b.never ? b.empty : this.#text.list(other, 0, infinity)
    for (const { node, required } of [...list].reverse()) {
      const begun = b.sequence(node, after)
      first = required ? begun : b.choice(begun, first)
      const next = b.sequence(comma, node, after)
      after = required ? next : b.choice(next, after)
    }
    return first
  }
}

/** A value that a JSON Schema describes, as a node. */
export function schemaNode(b: Builder, schema: unknown): Node {
  const copy = copySchema(schema)
  if (!isObject(copy) && typeof copy !== 'boolean')
    return reject('#', 'schema', 'an object or a boolean', copy)
  return new SchemaCompiler(b, copy).compile()
}

/** Throws a GrammarError that names keyword and place when the schema asks for what is not supported. */
export function jsonSchema(schema: unknown): Grammar {
  const b = new Builder()
  return b.finish(schemaNode(b, schema))
}
