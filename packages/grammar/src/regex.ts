// Regular expressions as nodes: what anchors mean, how long a match is, and the characters' encoding.
import { allCodes, type CodeSet, utf8 } from './code-set.ts'
import { GrammarError } from './error.ts'
import type { Builder, Node } from './ir.ts'
import type { Regex } from './regex-parse.ts'

/** How one character of a set is written: plain UTF-8, or as inside a JSON string. */
export type Encode = (set: CodeSet) => Node

const anything: Regex = {
  type: 'repeat',
  item: { type: 'set', set: allCodes },
  min: 0,
  max: Number.POSITIVE_INFINITY,
}

const partsOf = (regex: Regex): readonly Regex[] =>
  regex.type === 'sequence' ? regex.parts : [regex]

/**
 * The expression without anchors. `search`: a side without an anchor may have anything before or after it, as
 * JSON Schema means patterns; otherwise the whole text must match.
 */
export function anchored(regex: Regex, search: boolean): Regex {
  const alternatives = regex.type === 'choice' ? regex.parts : [regex]
  const parts = alternatives.map((alternative) => anchorOne(alternative, search))
  return parts.length === 1 ? (parts[0] as Regex) : { type: 'choice', parts }
}

function anchorOne(regex: Regex, search: boolean): Regex {
  let parts = [...partsOf(regex)]
  // A group around alternatives with anchors of their own, as in (^a|b$).
  if (parts.length === 1 && parts[0]?.type === 'choice') return anchored(parts[0], search)
  const [begins, ends] = [parts[0]?.type === 'start', parts.at(-1)?.type === 'end']
  if (begins) parts = parts.slice(1)
  if (ends) parts = parts.slice(0, -1)
  for (const part of parts) refuseAnchors(part)
  if (search && !begins) parts.unshift(anything)
  if (search && !ends) parts.push(anything)
  return { type: 'sequence', parts }
}

function refuseAnchors(regex: Regex): void {
  if (regex.type === 'start' || regex.type === 'end')
    throw new GrammarError(
      `pattern: expected ^ and $ only where a whole alternative begins and ends, got ${regex.type === 'start' ? '^' : '$'} inside`,
      { keyword: 'pattern' },
    )
  if (regex.type === 'repeat') refuseAnchors(regex.item)
  if (regex.type === 'sequence' || regex.type === 'choice') regex.parts.forEach(refuseAnchors)
}

/** A regular expression without anchors as a node. */
export function regexNode(b: Builder, regex: Regex, encode: Encode): Node {
  switch (regex.type) {
    case 'set':
      return encode(regex.set)
    case 'sequence':
      return b.sequence(...regex.parts.map((part) => regexNode(b, part, encode)))
    case 'choice':
      return b.choice(...regex.parts.map((part) => regexNode(b, part, encode)))
    case 'repeat':
      return b.repeat(regexNode(b, regex.item, encode), regex.min, regex.max)
    default:
      return b.empty
  }
}

/** Fewest and most characters of a match. */
export function lengthOf(regex: Regex): readonly [number, number] {
  switch (regex.type) {
    case 'set':
      return [1, 1]
    case 'sequence':
      return regex.parts
        .map(lengthOf)
        .reduce(([a, b], [c, d]) => [a + c, b + d] as const, [0, 0] as const)
    case 'choice':
      return regex.parts
        .map(lengthOf)
        .reduce(([a, b], [c, d]) => [Math.min(a, c), Math.max(b, d)] as const)
    case 'repeat': {
      const [low, high] = lengthOf(regex.item)
      return [low * regex.min, high === 0 ? 0 : high * regex.max]
    }
    default:
      return [0, 0]
  }
}

export const plain =
  (b: Builder): Encode =>
  (set) =>
    utf8(b, set)
