// Numbers as decimal text. Integers have at most 15 digits, and so has a bounded number: every such text is a
// different double, so a comparison of digits is a comparison of values, and JSON.parse keeps them exactly.
import { reject } from './error.ts'
import type { Builder, Node } from './ir.ts'

const digits = 15
const largest = 10n ** BigInt(digits) - 1n
const mostMultiples = 2000

const digit = (b: Builder, from = 0, to = 9): Node => b.bytes([[0x30 + from, 0x30 + to]])
const some = (b: Builder, min: number, max: number): Node => b.repeat(digit(b), min, max)

/** Any number: 15 digits before and after the point, an exponent of two digits. */
export function anyNumber(b: Builder): Node {
  const sign = b.optional(b.literal('-'))
  const whole = b.choice(b.literal('0'), b.sequence(digit(b, 1), some(b, 0, digits - 1)))
  const exponent = b.sequence(
    b.bytes([...'eE'].map((c) => [c.charCodeAt(0), c.charCodeAt(0)] as const)),
    b.optional(b.bytes([...'+-'].map((c) => [c.charCodeAt(0), c.charCodeAt(0)] as const))),
    some(b, 1, 2),
  )
  return b.sequence(sign, whole, b.optional(fraction(b, some(b, 1, digits))), b.optional(exponent))
}

const fraction = (b: Builder, node: Node): Node => b.sequence(b.literal('.'), node)

/** Digit strings of the length of `low` with low ≤ x ≤ high; both have the same length. */
function sameLength(b: Builder, low: string, high: string): Node {
  if (low === '') return b.empty
  const [l, h] = [Number(low[0]), Number(high[0])]
  const rest = low.length - 1
  const [lowRest, highRest] = [low.slice(1), high.slice(1)]
  if (l === h) return b.sequence(digit(b, l, l), sameLength(b, lowRest, highRest))
  const [zeros, nines] = ['0'.repeat(rest), '9'.repeat(rest)]
  const from = lowRest === zeros ? l : l + 1
  const to = highRest === nines ? h : h - 1
  return b.choice(
    from > l ? b.sequence(digit(b, l, l), sameLength(b, lowRest, nines)) : b.never,
    from <= to ? b.sequence(digit(b, from, to), some(b, rest, rest)) : b.never,
    to < h ? b.sequence(digit(b, h, h), sameLength(b, zeros, highRest)) : b.never,
  )
}

/** Integers from low to high, both 0 or more, without leading zeros. */
function natural(b: Builder, low: bigint, high: bigint): Node {
  const parts: Node[] = []
  for (let from = low; from <= high; ) {
    const length = from.toString().length
    const end = 10n ** BigInt(length) - 1n
    const to = end < high ? end : high
    parts.push(sameLength(b, from.toString(), to.toString()))
    from = to + 1n
  }
  return b.choice(...parts)
}

function integers(b: Builder, low: bigint, high: bigint): Node {
  const zero = 0n
  const parts: Node[] = []
  if (low < zero) {
    const top = high < zero ? -high : 1n
    parts.push(b.sequence(b.literal('-'), natural(b, top, -low)))
  }
  if (high >= zero) parts.push(natural(b, low > zero ? low : zero, high))
  return b.choice(...parts)
}

export interface Bounds {
  readonly minimum?: number | undefined
  readonly maximum?: number | undefined
  readonly exclusiveMinimum?: number | undefined
  readonly exclusiveMaximum?: number | undefined
  readonly multipleOf?: number | undefined
}

/** The tightest of an inclusive and an exclusive bound. */
interface Edge {
  readonly value: number
  readonly exclusive: boolean
}

function edge(
  inclusive: number | undefined,
  exclusive: number | undefined,
  tighter: (a: number, b: number) => boolean,
): Edge | undefined {
  if (exclusive !== undefined && (inclusive === undefined || !tighter(inclusive, exclusive)))
    return { value: exclusive, exclusive: true }
  return inclusive === undefined ? undefined : { value: inclusive, exclusive: false }
}

const lowerEdge = (x: Bounds) => edge(x.minimum, x.exclusiveMinimum, (a, b) => a > b)
const upperEdge = (x: Bounds) => edge(x.maximum, x.exclusiveMaximum, (a, b) => a < b)

const clamp = (x: bigint): bigint => (x > largest ? largest : x < -largest ? -largest : x)

/** An integer within bounds; `path` is for errors. */
export function integer(b: Builder, bounds: Bounds, path: string): Node {
  const [lower, upper] = [lowerEdge(bounds), upperEdge(bounds)]
  const up = (e: Edge) =>
    BigInt(Math.ceil(e.value)) + (e.exclusive && Number.isInteger(e.value) ? 1n : 0n)
  const down = (e: Edge) =>
    BigInt(Math.floor(e.value)) - (e.exclusive && Number.isInteger(e.value) ? 1n : 0n)
  const [wantedLow, wantedHigh] = [lower && up(lower), upper && down(upper)]
  if ((wantedLow ?? 0n) > largest || (wantedHigh ?? 0n) < -largest)
    reject(
      path,
      lower ? 'minimum' : 'maximum',
      `integers of at most ${digits} digits`,
      (lower ?? upper)?.value,
    )
  const [low, high] = [clamp(wantedLow ?? -largest), clamp(wantedHigh ?? largest)]
  if (low > high) return b.never
  const { multipleOf } = bounds
  return multipleOf === undefined || multipleOf === 1
    ? integers(b, low, high)
    : multiples(b, low, high, multipleOf, path)
}

function multiples(b: Builder, low: bigint, high: bigint, multipleOf: number, path: string): Node {
  if (!Number.isInteger(multipleOf) || multipleOf <= 0 || multipleOf > Number(largest))
    reject(path, 'multipleOf', 'a positive integer (fractions are not exact in binary)', multipleOf)
  const m = BigInt(multipleOf)
  const [first, last] = [ceilDiv(low, m), floorDiv(high, m)]
  if (first > last) return b.never
  if (last - first < BigInt(mostMultiples)) {
    const texts: Node[] = []
    for (let i = first; i <= last; i++) texts.push(b.literal((i * m).toString()))
    return b.choice(...texts)
  }
  if (/^10+$/.test(String(multipleOf))) {
    const zeros = b.literal(String(multipleOf).slice(1))
    const scaled = [
      last > 0n ? b.sequence(integers(b, first > 1n ? first : 1n, last), zeros) : b.never,
      first < 0n ? b.sequence(integers(b, first, last < -1n ? last : -1n), zeros) : b.never,
      first <= 0n && last >= 0n ? b.literal('0') : b.never,
    ]
    return b.choice(...scaled)
  }
  if (low > -largest || high < largest || multipleOf > 100)
    reject(
      path,
      'multipleOf',
      `a power of ten, at most ${mostMultiples} multiples within the bounds, or up to 100 without bounds`,
      multipleOf,
    )
  return remainders(b, multipleOf)
}

/** All integers of 15 digits that `m` divides: rules for each remainder and number of digits left. */
function remainders(b: Builder, m: number): Node {
  let next: (Node | undefined)[] = []
  for (let left = 0; left < digits; left++) {
    const now: (Node | undefined)[] = []
    for (let r = 0; r < m; r++) {
      const parts: Node[] = []
      for (let d = 0; d < 10; d++) {
        const to = (r * 10 + d) % m
        if (to === 0) parts.push(digit(b, d, d))
        const more = next[to]
        if (more !== undefined && !(left === digits - 1 && d === 0))
          parts.push(b.sequence(digit(b, d, d), more))
      }
      const rule = b.rule()
      b.define(rule, b.choice(...parts))
      now.push(b.reference(rule))
      if (left === digits - 1) break // only the beginning, where nothing was read
    }
    next = now
  }
  // The first digit of the beginning is not 0, unless it is the only one.
  return b.sequence(b.optional(b.literal('-')), next[0] as Node)
}

/** A bound beyond 15 digits, which keeps nothing out, as the one that 15 digits can say. */
function loose(e: Edge | undefined, sign: 1 | -1): Edge | undefined {
  const most = sign * Number(largest)
  return e && e.value * sign > Number(largest) ? { value: most, exclusive: false } : e
}

const floorDiv = (a: bigint, b: bigint): bigint => a / b - (a % b < 0n ? 1n : 0n)
const ceilDiv = (a: bigint, b: bigint): bigint => -floorDiv(-a, b)

/** A number within bounds, without exponent. */
export function number(b: Builder, bounds: Bounds, path: string): Node {
  if (bounds.multipleOf !== undefined) return integer(b, bounds, path)
  const [lower, upper] = [loose(lowerEdge(bounds), -1), loose(upperEdge(bounds), 1)]
  if (!lower && !upper) return anyNumber(b)
  for (const e of [lower, upper])
    if (e && Math.abs(e.value) > Number(largest))
      reject(path, e === lower ? 'minimum' : 'maximum', `a bound below 10^${digits}`, e.value)
  const tight = [lower, upper].filter((e) => e && Math.abs(e.value) !== Number(largest)) as Edge[]
  const places = digits - Math.max(1, ...tight.map((e) => decimal(Math.abs(e.value)).whole.length))
  const zero: Edge = { value: 0, exclusive: false }
  const above = { ...zero, exclusive: true }
  const parts: Node[] = []
  if (!upper || upper.value > 0 || (upper.value === 0 && !upper.exclusive))
    parts.push(nonNegative(b, lower && lower.value >= 0 ? lower : zero, upper, places))
  if (!lower || lower.value < 0) {
    const flip = (e: Edge | undefined): Edge | undefined => e && { ...e, value: -e.value }
    const from = upper && upper.value < 0 ? (flip(upper) as Edge) : above
    parts.push(b.sequence(b.literal('-'), nonNegative(b, from, flip(lower), places)))
  }
  return b.choice(...parts)
}

interface Decimal {
  readonly whole: string
  /** Digits after the point, no zeros at the end. */
  readonly places: string
}

/** The shortest decimal text of a double, 0 or more, without exponent. */
function decimal(value: number): Decimal {
  const [mantissa = '', exponent = '0'] = value.toString().split('e')
  const [whole = '', places = ''] = mantissa.split('.')
  const shift = Number(exponent)
  const all = whole + places
  const point = whole.length + shift
  const padded = point <= 0 ? '0'.repeat(1 - point) + all : all.padEnd(point, '0')
  const at = point <= 0 ? 1 : point
  return {
    whole: padded.slice(0, at).replace(/^0+(?=\d)/, ''),
    places: padded.slice(at).replace(/0+$/, ''),
  }
}

function nonNegative(b: Builder, low: Edge, high: Edge | undefined, places: number): Node {
  const [from, to] = [decimal(low.value), high && decimal(high.value)]
  const [first, last] = [BigInt(from.whole), to ? BigInt(to.whole) : largest]
  const after = (bound: Limits): Node => {
    const node = fractionDigits(b, bound, places)
    const full = b.nonEmpty(node)
    const dotted = full === b.never ? b.never : fraction(b, full)
    return b.isNullable(node) ? b.optional(dotted) : dotted
  }
  const lowLimit = { digits: from.places, exclusive: low.exclusive }
  const highLimit = to && high && { digits: to.places, exclusive: high.exclusive }
  if (first === last && highLimit)
    return b.sequence(b.literal(from.whole), after({ low: lowLimit, high: highLimit }))
  if (first > last) return b.never
  const parts = [b.sequence(b.literal(from.whole), after({ low: lowLimit }))]
  const [next, before] = [first + 1n, highLimit ? last - 1n : last]
  if (next <= before) parts.push(b.sequence(natural(b, next, before), after({})))
  if (highLimit) parts.push(b.sequence(b.literal(last.toString()), after({ high: highLimit })))
  return b.choice(...parts)
}

interface Limit {
  readonly digits: string
  readonly exclusive: boolean
}
interface Limits {
  readonly low?: Limit
  readonly high?: Limit
}

/**
 * Strings of up to `places` digits after a point whose value lies between the limits. A limit that a digit has
 * cleared is dropped; digits that are not written count as zeros.
 */
function fractionDigits(b: Builder, limits: Limits, places: number, at = 0): Node {
  const { low, high } = limits
  if (!low && !high) return some(b, 0, places)
  const rest = (limit: Limit) => /[1-9]/.test(limit.digits.slice(at))
  const stops = (!low || (!rest(low) && !low.exclusive)) && (!high || rest(high) || !high.exclusive)
  const parts: Node[] = stops ? [b.empty] : []
  if (places === 0) return b.choice(...parts)
  const [from, to] = [Number(low?.digits[at] ?? 0), high ? Number(high.digits[at] ?? 0) : 9]
  for (let d = from; d <= to; d++) {
    const next: Limits = {
      ...(low && d === from && { low }),
      ...(high && d === to && { high }),
    }
    parts.push(b.sequence(digit(b, d, d), fractionDigits(b, next, places - 1, at + 1)))
  }
  return b.choice(...parts)
}
