// The pieces of JSON text that every JSON grammar shares: white space, strings, separators, and any value.
//
// White space is bounded, so that a weak model cannot stay in it: nothing, one space, or one newline with up to
// 40 spaces; after a colon nothing or one space; before commas and colons nothing.
import { type CodeSet, codeSet, has, intersect, invert, utf8 } from './code-set.ts'
import type { Builder, Node, Rule } from './ir.ts'
import { anyNumber } from './numbers.ts'
import type { Encode } from './regex.ts'

const mostIndent = 40
const encoder = new TextEncoder()

/** Characters that a JSON string holds as they are. */
const bare: CodeSet = invert(
  codeSet([
    [0, 0x1f],
    [0x22, 0x22],
    [0x5c, 0x5c],
  ]),
)
const short = new Map([
  [0x08, 'b'],
  [0x09, 't'],
  [0x0a, 'n'],
  [0x0c, 'f'],
  [0x0d, 'r'],
  [0x22, '"'],
  [0x5c, '\\'],
])

export class JsonText {
  readonly b: Builder
  #character: Node | undefined
  #key: Node | undefined
  #value: Rule | undefined

  constructor(b: Builder) {
    this.b = b
  }

  /** Between brackets, and after a comma. */
  get space(): Node {
    const { b } = this
    const indent = b.repeat(b.literal(' '), 0, mostIndent)
    return b.choice(b.empty, b.literal(' '), b.sequence(b.literal('\n'), indent))
  }

  get comma(): Node {
    return this.b.sequence(this.b.literal(','), this.space)
  }

  get colon(): Node {
    return this.b.sequence(this.b.literal(':'), this.b.optional(this.b.literal(' ')))
  }

  /** One character of a string, escapes included; a pair of surrogates counts as one, half of one is refused. */
  get character(): Node {
    const { b } = this
    this.#character ??= b.choice(
      utf8(b, bare),
      b.sequence(
        b.literal('\\'),
        b.choice(...[...'"\\/bfnrt'].map((c) => b.literal(c)), this.#unicodeEscape()),
      ),
    )
    return this.#character
  }

  #unicodeEscape(): Node {
    const { b } = this
    const set = (text: string) => b.bytes([...encoder.encode(text)].map((x) => [x, x] as const))
    const hex = set('0123456789abcdefABCDEF')
    const notD = set('0123456789abcefABCEF')
    const [d, low, high] = [set('dD'), set('89abAB'), set('cdefCDEF')]
    return b.sequence(
      b.literal('u'),
      b.choice(
        b.sequence(notD, hex, hex, hex),
        b.sequence(d, set('01234567'), hex, hex),
        b.sequence(d, low, hex, hex, b.literal('\\u'), d, high, hex, hex),
      ),
    )
  }

  /** A string of `min` to `max` characters. */
  string(min = 0, max: number = Number.POSITIVE_INFINITY): Node {
    const { b } = this
    return this.quoted(b.repeat(this.character, min, max))
  }

  quoted(body: Node): Node {
    const quote = this.b.literal('"')
    return this.b.shared(this.b.sequence(quote, body, quote))
  }

  /** One character of a set as JSON.stringify writes it; hexadecimal escapes in either case. */
  get encode(): Encode {
    const { b } = this
    return (set) => {
      const parts = [utf8(b, intersect(set, bare))]
      for (let code = 0; code < 0x20; code++)
        if (has(set, code) && !short.has(code)) parts.push(b.literal(hexEscape(code)))
      for (const [code, letter] of short) if (has(set, code)) parts.push(b.literal(`\\${letter}`))
      return b.choice(...parts)
    }
  }

  /** A key, without escapes, so that it can be told from others by its bytes. */
  get anyKey(): Node {
    const { b } = this
    const quote = b.literal('"')
    this.#key ??= b.shared(
      b.sequence(quote, b.repeat(utf8(b, bare), 0, Number.POSITIVE_INFINITY), quote),
    )
    return this.#key
  }

  /** A key that is none of `names`. */
  keyExcept(names: readonly string[]): Node {
    const { b } = this
    if (names.length === 0) return this.anyKey
    const quote = b.literal('"')
    const free = b.repeat(utf8(b, bare), 0, Number.POSITIVE_INFINITY)
    const rest = (from: readonly string[][]): Node => {
      // from: what is left of each name that the key has followed so far, by character.
      const firsts = new Map<string, string[][]>()
      let isName = false
      for (const name of from) {
        const [first] = name
        if (first === undefined) isName = true
        else firsts.set(first, [...(firsts.get(first) ?? []), name.slice(1)])
      }
      const codes = [...firsts.keys()].map((c) => c.codePointAt(0) as number)
      const other = intersect(bare, invert(codeSet(codes.map((c) => [c, c]))))
      return b.choice(
        b.sequence(utf8(b, other), free),
        ...(isName ? [] : [b.empty]),
        ...[...firsts]
          .filter(([c]) => has(bare, c.codePointAt(0) as number))
          .map(([c, names]) => b.sequence(b.literal(c), rest(names))),
      )
    }
    return b.shared(b.sequence(quote, rest(names.map((name) => [...name])), quote))
  }

  /** `{` members `}` around members with their commas. */
  braces(members: Node): Node {
    return this.#around('{', members, '}')
  }

  brackets(items: Node): Node {
    return this.#around('[', items, ']')
  }

  #around(open: string, inner: Node, close: string): Node {
    const { b } = this
    const full = b.nonEmpty(inner)
    const filled = b.sequence(b.literal(open), this.space, full, this.space, b.literal(close))
    if (!b.isNullable(inner)) return filled
    return b.choice(filled, b.sequence(b.literal(open), this.space, b.literal(close)))
  }

  /** `min` to `max` of `item` with commas between; nothing when min is 0. */
  list(item: Node, min: number, max: number): Node {
    const { b } = this
    if (max === 0) return b.empty
    const more = b.repeat(b.sequence(this.comma, item), Math.max(min - 1, 0), max - 1)
    const some = b.sequence(item, more)
    return min === 0 ? b.optional(some) : some
  }

  /** Any JSON value. */
  get value(): Node {
    const { b } = this
    if (this.#value === undefined) {
      this.#value = b.rule()
      const simple = ['true', 'false', 'null'].map((word) => b.literal(word))
      b.define(
        this.#value,
        b.choice(this.object, this.array, this.string(), b.shared(anyNumber(b)), ...simple),
      )
    }
    return b.reference(this.#value)
  }

  get object(): Node {
    const member = this.b.sequence(this.anyKey, this.colon, this.value)
    return this.braces(this.list(member, 0, Number.POSITIVE_INFINITY))
  }

  get array(): Node {
    return this.brackets(this.list(this.value, 0, Number.POSITIVE_INFINITY))
  }
}

function hexEscape(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`
}
