// Regular expressions, the part of ECMA-262 that describes a regular language: literals, ., classes, escapes,
// \d \w \s, \p{…}, groups, |, * + ? {n,m} (lazy forms mean the same here), ^ and $ at the ends. Look-around,
// back-references, \b and flags are refused by name and position.
import { allCodes, type CodeSet, codeSet, invert, single, textSet, union } from './code-set.ts'
import { GrammarError, limits } from './error.ts'

export type Regex =
  | { readonly type: 'set'; readonly set: CodeSet }
  | { readonly type: 'sequence' | 'choice'; readonly parts: readonly Regex[] }
  | { readonly type: 'repeat'; readonly item: Regex; readonly min: number; readonly max: number }
  | { readonly type: 'start' | 'end' }

const digit: CodeSet = [[0x30, 0x39]]
const word = codeSet([...digit, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]])
const space = union(textSet('\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff'), [
  [0x2000, 0x200a],
])
const notLineEnd = invert(textSet('\n\r\u2028\u2029'))
const classes: Readonly<Record<string, CodeSet>> = {
  d: digit,
  D: invert(digit),
  w: word,
  W: invert(word),
  s: space,
  S: invert(space),
}
const controls: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, '0': 0 }
const properties = new Map<string, CodeSet>()

/** The code points of `\p{name}`, asked of JavaScript's own tables; undefined for an unknown name. */
function property(name: string): CodeSet | undefined {
  const known = properties.get(name)
  if (known || !/^[A-Za-z_]{1,40}(=[A-Za-z_]{1,40})?$/.test(name)) return known
  let pattern: RegExp
  try {
    pattern = new RegExp(`^\\p{${name}}$`, 'u')
  } catch {
    return undefined
  }
  const ranges: [number, number][] = []
  for (const [from, to] of allCodes)
    for (let code = from; code <= to; code++) {
      if (!pattern.test(String.fromCodePoint(code))) continue
      const end = ranges.at(-1)
      if (end && end[1] === code - 1) end[1] = code
      else ranges.push([code, code])
    }
  properties.set(name, ranges)
  return ranges
}

class Parser {
  readonly #pattern: string
  readonly #codes: readonly string[]
  #at = 0
  #depth = 0

  constructor(pattern: string) {
    this.#pattern = pattern
    this.#codes = [...pattern]
  }

  parse(): Regex {
    const regex = this.#choice()
    if (this.#at < this.#codes.length) this.#fail('the end', this.#peek())
    return regex
  }

  #peek(offset = 0): string | undefined {
    return this.#codes[this.#at + offset]
  }

  #eat(text: string): boolean {
    for (let i = 0; i < text.length; i++) if (this.#peek(i) !== text[i]) return false
    this.#at += text.length
    return true
  }

  #fail(expected: string, got: string | undefined): never {
    const shown = this.#pattern.length > 60 ? `${this.#pattern.slice(0, 57)}…` : this.#pattern
    const what = got === undefined ? 'the end' : `"${got}"`
    throw new GrammarError(
      `pattern ${JSON.stringify(shown)}: character ${this.#at}: expected ${expected}, got ${what}`,
      { keyword: 'pattern' },
    )
  }

  #choice(): Regex {
    if (++this.#depth > limits.depth)
      this.#fail(`at most ${limits.depth} groups inside each other`, 'more')
    const parts = [this.#sequence()]
    while (this.#eat('|')) parts.push(this.#sequence())
    this.#depth--
    return parts.length === 1 ? (parts[0] as Regex) : { type: 'choice', parts }
  }

  #sequence(): Regex {
    const parts: Regex[] = []
    for (let c = this.#peek(); c !== undefined && c !== '|' && c !== ')'; c = this.#peek())
      parts.push(this.#quantified(this.#atom()))
    return parts.length === 1 ? (parts[0] as Regex) : { type: 'sequence', parts }
  }

  #quantified(item: Regex): Regex {
    const c = this.#peek()
    let bounds: readonly [number, number] | undefined
    if (c === '*') bounds = [0, Number.POSITIVE_INFINITY]
    if (c === '+') bounds = [1, Number.POSITIVE_INFINITY]
    if (c === '?') bounds = [0, 1]
    if (bounds) this.#at++
    else bounds = this.#braces()
    if (!bounds) return item
    if (item.type === 'start' || item.type === 'end') this.#fail('something to repeat', 'an anchor')
    this.#eat('?')
    if (/^[*+?{]$/.test(this.#peek() ?? '')) this.#fail('one quantifier', this.#peek())
    return { type: 'repeat', item, min: bounds[0], max: bounds[1] }
  }

  #braces(): readonly [number, number] | undefined {
    if (this.#peek() !== '{') return undefined
    const end = this.#codes.indexOf('}', this.#at)
    const text = end < 0 ? '' : this.#codes.slice(this.#at + 1, end).join('')
    const match = /^(\d{1,9})(,(\d{0,9}))?$/.exec(text)
    if (!match) this.#fail('bounds like {2}, {2,} or {2,5} (a literal brace is \\{)', '{')
    const min = Number(match[1])
    const max = !match[2] ? min : match[3] === '' ? Number.POSITIVE_INFINITY : Number(match[3])
    const most = Number.isFinite(max) ? max : min
    if (most > limits.repeat) this.#fail(`at most ${limits.repeat} repeats`, String(most))
    if (max < min) this.#fail('ascending bounds', `{${text}}`)
    this.#at = end + 1
    return [min, max]
  }

  #atom(): Regex {
    const c = this.#peek() as string
    if (c === '(') return this.#group()
    if (c === '[') return { type: 'set', set: this.#class() }
    if (/^[*+?{}\]]$/.test(c)) this.#fail('something to match', c)
    this.#at++
    if (c === '^') return { type: 'start' }
    if (c === '$') return { type: 'end' }
    if (c === '.') return { type: 'set', set: notLineEnd }
    return { type: 'set', set: c === '\\' ? this.#escape(false) : this.#code(c) }
  }

  #group(): Regex {
    this.#at++
    if (this.#eat('?') && !this.#eat(':')) {
      const name = /^<([A-Za-z_$][\w$]*)>/.exec(
        this.#codes.slice(this.#at, this.#at + 100).join(''),
      )
      if (!name) this.#fail('a group (…), (?:…) or (?<name>…), no look-around', `(?${this.#peek()}`)
      this.#at += name[0].length
    }
    const inner = this.#choice()
    if (!this.#eat(')')) this.#fail('")"', this.#peek())
    return inner
  }

  #code(c: string): CodeSet {
    const code = c.codePointAt(0) as number
    if (code >= 0xd800 && code <= 0xdfff) this.#fail('well-formed Unicode', 'a lone surrogate')
    return single(code)
  }

  /** After the backslash. */
  #escape(inClass: boolean): CodeSet {
    const c = this.#peek()
    if (c === undefined) this.#fail('a character after \\', c)
    this.#at++
    if (classes[c]) return classes[c]
    if (c === 'p' || c === 'P') return this.#property(c === 'P')
    if (c === 'x' || c === 'u') return single(this.#hex(c))
    if (c === 'b' && inClass) return single(8)
    if (controls[c] !== undefined && !(c === '0' && /\d/.test(this.#peek() ?? '')))
      return single(controls[c])
    if (/^[A-Za-z0-9]$/.test(c)) {
      this.#at--
      this.#fail('an escape that stands for characters (no \\b, no back-reference)', `\\${c}`)
    }
    return this.#code(c)
  }

  #property(negated: boolean): CodeSet {
    const match = /^\{([^}]*)\}/.exec(this.#codes.slice(this.#at, this.#at + 100).join(''))
    const set = match && property(match[1] as string)
    if (!match || !set) this.#fail('a Unicode property like \\p{L}', match?.[0] ?? this.#peek())
    this.#at += match[0].length
    return negated ? invert(set) : set
  }

  #hex(kind: string): number {
    const rest = this.#codes.slice(this.#at, this.#at + 16).join('')
    const digits = (
      kind === 'x' ? /^([\dA-Fa-f]{2})/ : /^(?:([\dA-Fa-f]{4})|\{([\dA-Fa-f]{1,6})\})/
    ).exec(rest)
    let code = digits ? Number.parseInt((digits[1] ?? digits[2]) as string, 16) : -1
    if (digits) this.#at += digits[0].length
    const low = /^\\u(d[c-f][\da-f]{2})/i.exec(rest.slice(4))
    if (code >= 0xd800 && code < 0xdc00 && low) {
      code = 0x10000 + ((code - 0xd800) << 10) + Number.parseInt(low[1] as string, 16) - 0xdc00
      this.#at += 6
    }
    if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
      this.#fail('the hexadecimal code of a character', `\\${kind}${rest.slice(0, 4)}`)
    return code
  }

  #class(): CodeSet {
    this.#at++
    const negated = this.#eat('^')
    const sets: CodeSet[] = []
    while (!this.#eat(']')) {
      const low = this.#member()
      if (this.#peek() !== '-' || this.#peek(1) === ']' || this.#peek(1) === undefined) {
        sets.push(low)
        continue
      }
      this.#at++
      const high = this.#member()
      const [from, to] = [oneCode(low), oneCode(high)]
      if (from === undefined || to === undefined || from > to)
        this.#fail('a range of ascending characters', 'another one')
      sets.push([[from, to]])
    }
    const set = union(...sets)
    return negated ? invert(set) : union(invert(invert(set)))
  }

  #member(): CodeSet {
    const c = this.#peek()
    if (c === undefined) this.#fail('"]"', c)
    this.#at++
    return c === '\\' ? this.#escape(true) : this.#code(c)
  }
}

function oneCode(set: CodeSet): number | undefined {
  const range = set.length === 1 ? set[0] : undefined
  return range && range[0] === range[1] ? range[0] : undefined
}

/** Parses, or throws a GrammarError with the position. */
export function parseRegex(pattern: unknown): Regex {
  if (typeof pattern !== 'string')
    throw new GrammarError(`pattern: expected a string, got ${typeof pattern}`, {
      keyword: 'pattern',
    })
  if (pattern.length > limits.pattern)
    throw new GrammarError(
      `pattern: expected at most ${limits.pattern} characters, got ${pattern.length}`,
      { keyword: 'pattern' },
    )
  return new Parser(pattern).parse()
}
