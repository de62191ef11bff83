// Sets of Unicode code points as ascending ranges, surrogates left out, and their UTF-8 as nodes.
import type { Builder, Node } from './ir.ts'

export type Range = readonly [number, number]
/** Ascending, neither overlapping nor touching. */
export type CodeSet = readonly Range[]

const last = 0x10ffff

export function codeSet(ranges: Iterable<Range>): CodeSet {
  const sorted = [...ranges].filter(([a, b]) => a <= b).sort((x, y) => x[0] - y[0])
  const out: [number, number][] = []
  for (const [a, b] of sorted) {
    const end = out.at(-1)
    if (end && a <= end[1] + 1) end[1] = Math.max(end[1], b)
    else out.push([a, b])
  }
  return out
}

const complement = (set: CodeSet): CodeSet => {
  const out: Range[] = []
  let next = 0
  for (const [a, b] of set) {
    if (a > next) out.push([next, a - 1])
    next = b + 1
  }
  if (next <= last) out.push([next, last])
  return out
}

export const allCodes: CodeSet = [
  [0, 0xd7ff],
  [0xe000, last],
]

export const union = (...sets: readonly CodeSet[]): CodeSet => codeSet(sets.flat())
export const invert = (set: CodeSet): CodeSet => intersect(complement(set), allCodes)

export function intersect(x: CodeSet, y: CodeSet): CodeSet {
  const out: Range[] = []
  for (let i = 0, j = 0; i < x.length && j < y.length; ) {
    const [a, b] = [x[i] as Range, y[j] as Range]
    const [low, high] = [Math.max(a[0], b[0]), Math.min(a[1], b[1])]
    if (low <= high) out.push([low, high])
    if (a[1] < b[1]) i++
    else j++
  }
  return out
}

export const single = (code: number): CodeSet => [[code, code]]
export const textSet = (text: string): CodeSet =>
  codeSet([...text].map((c) => [c.codePointAt(0) as number, c.codePointAt(0) as number]))
export const has = (set: CodeSet, code: number): boolean =>
  set.some(([a, b]) => a <= code && code <= b)

/** Where the number of UTF-8 bytes changes. */
const sizes: readonly Range[] = [
  [0, 0x7f],
  [0x80, 0x7ff],
  [0x800, 0xffff],
  [0x10000, last],
]

function encode(code: number): number[] {
  if (code < 0x80) return [code]
  const tail = (shift: number) => 0x80 | ((code >> shift) & 0x3f)
  if (code < 0x800) return [0xc0 | (code >> 6), tail(0)]
  if (code < 0x10000) return [0xe0 | (code >> 12), tail(6), tail(0)]
  return [0xf0 | (code >> 18), tail(12), tail(6), tail(0)]
}

/** The bytes from `low` to `high`, both of the same length, as a node. */
function between(b: Builder, low: readonly number[], high: readonly number[]): Node {
  const [l, h] = [low[0] as number, high[0] as number]
  const [lowRest, highRest] = [low.slice(1), high.slice(1)]
  if (lowRest.length === 0) return b.bytes([[l, h]])
  const byte = (from: number, to: number) => b.bytes([[from, to]])
  if (l === h) return b.sequence(byte(l, l), between(b, lowRest, highRest))
  const [first, final] = [lowRest.map(() => 0x80), lowRest.map(() => 0xbf)]
  const lowFull = lowRest.every((x) => x === 0x80)
  const highFull = highRest.every((x) => x === 0xbf)
  const parts: Node[] = []
  if (!lowFull) parts.push(b.sequence(byte(l, l), between(b, lowRest, final)))
  const [from, to] = [lowFull ? l : l + 1, highFull ? h : h - 1]
  if (from <= to) parts.push(b.sequence(byte(from, to), between(b, first, final)))
  if (!highFull) parts.push(b.sequence(byte(h, h), between(b, first, highRest)))
  return b.choice(...parts)
}

/** One code point of the set, in UTF-8. */
export function utf8(b: Builder, set: CodeSet): Node {
  const parts: Node[] = []
  for (const size of sizes)
    for (const [low, high] of intersect(set, [size]))
      parts.push(between(b, encode(low), encode(high)))
  return b.choice(...parts)
}
