// The grammar that everything here compiles to: nodes over bytes and token ids. Equal nodes are one node, so
// a grammar is a directed graph without cycles; recursion goes through rules. native/grammar/ir.h reads it.
import { GrammarError, limits } from './error.ts'

/** Index of a node in its builder. */
export type Node = number
export type Rule = number

type Item =
  | { readonly kind: 'literal'; readonly bytes: readonly number[] }
  | { readonly kind: 'bytes'; readonly words: readonly number[] }
  | { readonly kind: 'token'; readonly id: number }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly item: Node; readonly min: number; readonly max: number }
  | { readonly kind: 'rule'; readonly rule: Rule }

/** A grammar, ready for a vocabulary. */
export interface Grammar {
  /** The words of native/grammar/ir.h; entry 0 begins at once, entry 1 after up to two newlines. */
  readonly words: Int32Array
}

const kinds = {
  literal: 0,
  bytes: 1,
  token: 2,
  sequence: 3,
  choice: 4,
  repeat: 5,
  rule: 6,
} as const
const magic = 0x31475248
const noLimit = -1

const encoder = new TextEncoder()

export class Builder {
  /** Matches the empty text. */
  readonly empty: Node
  /** Matches nothing at all. */
  readonly never: Node
  readonly #items: Item[] = []
  readonly #nullable: boolean[] = []
  readonly #byKey = new Map<string, Node>()
  readonly #nonEmpty = new Map<Node, Node>()
  readonly #rules: (Node | undefined)[] = []
  readonly #ruleOf = new Map<Node, Rule>()
  readonly #began = performance.now()
  readonly #cpu = process.cpuUsage()

  constructor() {
    this.empty = this.#add({ kind: 'sequence', parts: [] }, true)
    this.never = this.#add({ kind: 'choice', parts: [] }, false)
  }

  literal(text: string | Uint8Array): Node {
    const bytes = typeof text === 'string' ? encoder.encode(text) : text
    if (bytes.length === 0) return this.empty
    return this.#add({ kind: 'literal', bytes: [...bytes] }, false)
  }

  /** One byte of the ranges, ends included. */
  bytes(ranges: Iterable<readonly [number, number]>): Node {
    const words = new Array<number>(8).fill(0)
    for (const [low, high] of ranges)
      for (let b = low; b <= high; b++) words[b >> 5] = (words[b >> 5] as number) | (1 << (b & 31))
    if (words.every((w) => w === 0)) return this.never
    return this.#add({ kind: 'bytes', words }, false)
  }

  token(id: number): Node {
    return this.#add({ kind: 'token', id }, false)
  }

  sequence(...nodes: readonly Node[]): Node {
    const parts: Node[] = []
    for (const node of nodes) {
      const item = this.#item(node)
      if (node === this.never) return this.never
      for (const part of item.kind === 'sequence' ? item.parts : [node]) {
        const [last, next] = [this.#item(parts.at(-1) ?? this.empty), this.#item(part)]
        if (last.kind === 'literal' && next.kind === 'literal')
          parts[parts.length - 1] = this.literal(Uint8Array.from([...last.bytes, ...next.bytes]))
        else parts.push(part)
      }
    }
    if (parts.length === 1) return parts[0] as Node
    if (parts.length === 0) return this.empty
    return this.#add(
      { kind: 'sequence', parts },
      parts.every((p) => this.#nullable[p]),
    )
  }

  choice(...nodes: readonly Node[]): Node {
    const parts = new Set<Node>()
    const words = new Array<number>(8).fill(0)
    for (const node of nodes) {
      const item = this.#item(node)
      const byte = item.kind === 'literal' && item.bytes.length === 1 ? item.bytes[0] : undefined
      // Single bytes of several alternatives are one set.
      if (byte !== undefined) words[byte >> 5] = (words[byte >> 5] as number) | (1 << (byte & 31))
      else if (item.kind === 'bytes')
        item.words.forEach((w, i) => {
          words[i] = (words[i] as number) | w
        })
      else if (node !== this.never) parts.add(node)
    }
    if (words.some((w) => w !== 0)) parts.add(this.#add({ kind: 'bytes', words }, false))
    const list = [...parts]
    if (list.length === 0) return this.never
    if (list.length === 1) return list[0] as Node
    return this.#add(
      { kind: 'choice', parts: list },
      list.some((p) => this.#nullable[p]),
    )
  }

  optional(node: Node): Node {
    return this.#nullable[node] ? node : this.choice(node, this.empty)
  }

  /** `max` may be Infinity. A repeated node that may be empty is repeated without being so. */
  repeat(node: Node, min: number, max: number): Node {
    if (max === 0) return this.empty
    if (this.#nullable[node]) {
      const full = this.nonEmpty(node)
      return full === this.never ? this.empty : this.repeat(full, 0, max)
    }
    if (node === this.never) return min === 0 ? this.empty : this.never
    if (min === 1 && max === 1) return node
    const item = this.#item(node)
    // (x{1,n}){m,k} is x{m,n·k}: without this, nested repeats have ever more readings.
    if (item.kind === 'repeat' && item.min === 1)
      return this.repeat(item.item, min, Math.min(item.max * max, bounded(item.max, max)))
    return this.#add({ kind: 'repeat', item: node, min, max }, min === 0)
  }

  /** What `node` matches, less the empty text. */
  nonEmpty(node: Node): Node {
    if (!this.#nullable[node]) return node
    const known = this.#nonEmpty.get(node)
    if (known !== undefined) return known
    const item = this.#item(node)
    let made = this.never
    if (item.kind === 'repeat') made = this.repeat(item.item, 1, item.max)
    else if (item.kind === 'choice') made = this.choice(...item.parts.map((p) => this.nonEmpty(p)))
    else if (item.kind === 'sequence')
      // The first part that is not empty, and all after it.
      made = this.choice(
        ...item.parts.map((p, i) => this.sequence(this.nonEmpty(p), ...item.parts.slice(i + 1))),
      )
    this.#nonEmpty.set(node, made)
    return made
  }

  /** Whether `node` matches the empty text. */
  isNullable(node: Node): boolean {
    return this.#nullable[node] as boolean
  }

  /** A rule to be defined later; a reference to it counts as non-empty. */
  rule(): Rule {
    return this.#rules.push(undefined) - 1
  }

  define(rule: Rule, node: Node): void {
    if (this.#nullable[node]) throw new Error('grammar: a rule that matches the empty text')
    this.#rules[rule] = node
  }

  reference(rule: Rule): Node {
    return this.#add({ kind: 'rule', rule }, false)
  }

  /** The node as a rule of its own: masks inside it are shared by all places where it stands. */
  shared(node: Node): Node {
    if (this.#nullable[node] || node === this.never) return node
    let rule = this.#ruleOf.get(node)
    if (rule === undefined) {
      rule = this.rule()
      this.define(rule, node)
      this.#ruleOf.set(node, rule)
    }
    return this.reference(rule)
  }

  finish(root: Node): Grammar {
    const afterNewlines = this.sequence(this.repeat(this.literal('\n'), 0, 2), root)
    const words = [magic, this.#items.length, this.#rules.length, 2]
    for (const item of this.#items) writeItem(words, item)
    for (const node of this.#rules) words.push(node ?? this.never)
    words.push(root, afterNewlines)
    return { words: Int32Array.from(words) }
  }

  /** Milliseconds: of the clock, or of this process if the machine had other things to do. */
  #spent(): number {
    const { user, system } = process.cpuUsage(this.#cpu)
    return Math.min(performance.now() - this.#began, (user + system) / 1000)
  }

  #item(node: Node): Item {
    return this.#items[node] as Item
  }

  #add(item: Item, nullable: boolean): Node {
    const key = keyOf(item)
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const node = this.#items.push(item) - 1
    this.#nullable.push(nullable)
    this.#byKey.set(key, node)
    if (node >= limits.nodes)
      throw new GrammarError(`grammar: expected at most ${limits.nodes} nodes, needs more`)
    if (node % 256 === 0 && this.#spent() > limits.milliseconds)
      throw new GrammarError(
        `grammar: expected to compile within ${limits.milliseconds} ms, needs longer`,
      )
    return node
  }
}

const bounded = (a: number, b: number) =>
  a === Number.POSITIVE_INFINITY || b === Number.POSITIVE_INFINITY
    ? Number.POSITIVE_INFINITY
    : 2 ** 30

function keyOf(item: Item): string {
  switch (item.kind) {
    case 'literal':
      return `l${String.fromCharCode(...item.bytes.slice(0, 4096))}${item.bytes.slice(4096)}`
    case 'bytes':
      return `b${item.words}`
    case 'token':
      return `t${item.id}`
    case 'repeat':
      return `r${item.item},${item.min},${item.max}`
    case 'rule':
      return `u${item.rule}`
    default:
      return `${item.kind}${item.parts}`
  }
}

function writeItem(words: number[], item: Item): void {
  words.push(kinds[item.kind])
  switch (item.kind) {
    case 'literal':
      words.push(item.bytes.length)
      for (let i = 0; i < item.bytes.length; i += 4) {
        let word = 0
        for (let j = 0; j < 4; j++) word |= (item.bytes[i + j] ?? 0) << (8 * j)
        words.push(word)
      }
      break
    case 'bytes':
      for (const word of item.words) words.push(word)
      break
    case 'token':
      words.push(item.id)
      break
    case 'repeat':
      words.push(item.item, item.min, item.max === Number.POSITIVE_INFINITY ? noLimit : item.max)
      break
    case 'rule':
      words.push(item.rule)
      break
    default:
      words.push(item.parts.length)
      for (const part of item.parts) words.push(part)
  }
}
