// A strict JSON scanner for files that strangers wrote. Unlike JSON.parse it refuses duplicate keys, lone
// surrogates, deep nesting and numbers that a double cannot hold, keeps integers apart from fractions, and
// puts names into a Map, so that no name can reach an object's prototype.

export type StrictJson = null | boolean | string | StrictNumber | StrictJson[] | StrictObject
export type StrictObject = Map<string, StrictJson>

/** A number with the way it was written: `2` and `2.0` differ where a count is expected. */
export interface StrictNumber {
  readonly value: number
  readonly integer: boolean
}

export interface JsonLimits {
  /** Deepest nesting; default 64. */
  readonly depth?: number
  /** Longest string in UTF-16 units; default unlimited. */
  readonly string?: number
  /** Most members of one object or array; default unlimited. */
  readonly members?: number
}

export class JsonError extends Error {
  override readonly name = 'JsonError'
}

const numberPattern = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them in strings
const plainText = /[^"\\\u0000-\u001f]*/y
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

class Scanner {
  readonly #text: string
  readonly #depth: number
  readonly #longest: number
  readonly #members: number
  #at = 0

  constructor(text: string, limits: JsonLimits) {
    this.#text = text
    this.#depth = limits.depth ?? 64
    this.#longest = limits.string ?? Number.POSITIVE_INFINITY
    this.#members = limits.members ?? Number.POSITIVE_INFINITY
  }

  document(): StrictJson {
    const value = this.#value(0)
    this.#space()
    if (this.#at < this.#text.length) this.#fail('the end of the text')
    return value
  }

  #fail(expected: string): never {
    const got = this.#at < this.#text.length ? JSON.stringify(this.#text[this.#at]) : 'the end'
    throw new JsonError(`expected ${expected}, got ${got} at character ${this.#at}`)
  }

  #space(): void {
    for (;;) {
      const c = this.#text.charCodeAt(this.#at)
      if (c !== 32 && c !== 10 && c !== 13 && c !== 9) return
      this.#at++
    }
  }

  #value(depth: number): StrictJson {
    this.#space()
    const c = this.#text[this.#at]
    if (c === '{' || c === '[') {
      if (depth >= this.#depth)
        throw new JsonError(
          `expected nesting of at most ${this.#depth}, got more at character ${this.#at}`,
        )
      return c === '{' ? this.#object(depth + 1) : this.#array(depth + 1)
    }
    if (c === '"') return this.#string()
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const)
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length
        return value
      }
    return this.#number()
  }

  #number(): StrictNumber {
    numberPattern.lastIndex = this.#at
    const match = numberPattern.exec(this.#text)
    if (!match) this.#fail('a value')
    const value = Number(match[0])
    const integer = match[1] === undefined && match[2] === undefined
    if (!Number.isFinite(value) || (integer && !Number.isSafeInteger(value)))
      throw new JsonError(`expected a number that fits, got ${match[0]} at character ${this.#at}`)
    this.#at += match[0].length
    return { value, integer }
  }

  #string(): string {
    const start = this.#at++
    let out = ''
    for (;;) {
      plainText.lastIndex = this.#at
      const run = plainText.exec(this.#text)?.[0] ?? ''
      out += run
      this.#at += run.length
      const c = this.#text[this.#at]
      if (c === '"') break
      if (c !== '\\') this.#fail('a closing quote')
      this.#atMost(this.#longest, out.length, 'strings of at most', '', start)
      out += this.#escape()
    }
    this.#at++
    this.#atMost(this.#longest, out.length, 'strings of at most', '', start)
    if (!out.isWellFormed())
      throw new JsonError(`expected paired surrogates in the string at character ${start}`)
    return out
  }

  /** A limit is met as it is passed, not when all has been read. */
  #atMost(limit: number, got: number, what: string, unit: string, at: number): void {
    if (got > limit)
      throw new JsonError(`expected ${what} ${limit}${unit}, got more at character ${at}`)
  }

  #escape(): string {
    const c = this.#text[this.#at + 1] ?? ''
    if (c === 'u') {
      const hex = this.#text.slice(this.#at + 2, this.#at + 6)
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) this.#fail('four hex digits after \\u')
      this.#at += 6
      return String.fromCharCode(Number.parseInt(hex, 16))
    }
    const plain = escapes[c]
    if (plain === undefined) this.#fail('a known escape')
    this.#at += 2
    return plain
  }

  #array(depth: number): StrictJson[] {
    const out: StrictJson[] = []
    this.#at++
    this.#space()
    if (this.#text[this.#at] === ']') {
      this.#at++
      return out
    }
    for (;;) {
      out.push(this.#value(depth))
      this.#atMost(this.#members, out.length, 'at most', ' members', this.#at)
      this.#space()
      const c = this.#text[this.#at]
      if (c !== ',' && c !== ']') this.#fail('"," or "]"')
      this.#at++
      if (c === ']') return out
    }
  }

  #object(depth: number): StrictObject {
    const out: StrictObject = new Map()
    this.#at++
    this.#space()
    if (this.#text[this.#at] === '}') {
      this.#at++
      return out
    }
    for (;;) {
      this.#space()
      if (this.#text[this.#at] !== '"') this.#fail('a quoted name')
      const start = this.#at
      const name = this.#string()
      if (out.has(name))
        throw new JsonError(
          `expected unique names, got ${JSON.stringify(name.slice(0, 80))} twice at character ${start}`,
        )
      this.#space()
      if (this.#text[this.#at] !== ':') this.#fail('":"')
      this.#at++
      out.set(name, this.#value(depth))
      this.#atMost(this.#members, out.size, 'at most', ' members', this.#at)
      this.#space()
      const c = this.#text[this.#at]
      if (c !== ',' && c !== '}') this.#fail('"," or "}"')
      this.#at++
      if (c === '}') return out
    }
  }
}

/** Parses `text`, or throws a JsonError that says where and what was expected. */
export function parseStrict(text: string, limits: JsonLimits = {}): StrictJson {
  return new Scanner(text, limits).document()
}

export type JsonValue = null | boolean | string | number | JsonValue[] | JsonObject
export interface JsonObject {
  readonly [name: string]: JsonValue
}

/** Plain objects without a prototype, for readers that want fields by name. */
export function plain(value: StrictJson): JsonValue {
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(plain)
  if (!(value instanceof Map)) return value.value
  const out: Record<string, JsonValue> = Object.create(null)
  for (const [name, inner] of value) out[name] = plain(inner)
  return out
}
