// Grammars that are no JSON: one of several texts, a regular expression, free text.
import { GrammarError, limits, show } from './error.ts'
import { Builder, type Grammar, type Node } from './ir.ts'
import { JsonText } from './json-text.ts'
import { anchored, plain, regexNode } from './regex.ts'
import { parseRegex } from './regex-parse.ts'

const deepest = 200

/** One of the texts; beginnings that they share are shared, so that few readings are open at once. */
export function anyOfTexts(b: Builder, texts: readonly string[]): Node {
  const encoder = new TextEncoder()
  const sorted = [...new Set(texts)].map((text) => encoder.encode(text)).sort(compare)
  return trie(b, sorted, 0, 0)
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b)
}

/** `texts`: sorted, equal up to byte `from`. */
function trie(b: Builder, texts: readonly Uint8Array[], from: number, depth: number): Node {
  if (texts.length === 1 || depth > deepest)
    return b.choice(...texts.map((text) => b.literal(text.subarray(from))))
  const [first, last] = [texts[0] as Uint8Array, texts.at(-1) as Uint8Array]
  if (!first) return b.never
  let end = from
  while (end < first.length && first[end] === last[end]) end++
  const parts: Node[] = first.length === end ? [b.empty] : []
  for (let i = parts.length; i < texts.length; ) {
    const byte = (texts[i] as Uint8Array)[end]
    let next = i + 1
    while (next < texts.length && (texts[next] as Uint8Array)[end] === byte) next++
    parts.push(trie(b, texts.slice(i, next), end, depth + 1))
    i = next
  }
  return b.sequence(b.literal(first.subarray(from, end)), b.choice(...parts))
}

export function choiceNode(b: Builder, choices: unknown): Node {
  if (!Array.isArray(choices) || choices.length === 0 || choices.length > limits.values)
    throw new GrammarError(
      `choices: expected a list of 1 to ${limits.values} texts, got ${show(choices)}`,
      { keyword: 'choices' },
    )
  let bytes = 0
  choices.forEach((text: unknown, i) => {
    if (typeof text !== 'string' || !text.isWellFormed())
      throw new GrammarError(`choices[${i}]: expected well-formed text, got ${show(text)}`, {
        keyword: 'choices',
      })
    bytes += Buffer.byteLength(text)
  })
  if (bytes > limits.bytes)
    throw new GrammarError(`choices: expected at most ${limits.bytes} bytes, got ${bytes}`, {
      keyword: 'choices',
    })
  return anyOfTexts(b, choices as string[])
}

export function patternNode(b: Builder, pattern: unknown): Node {
  return regexNode(b, anchored(parseRegex(pattern), false), plain(b))
}

/** Any bytes; tokens that stand for themselves only (special ones) are not among them. */
export function freeText(b: Builder): Node {
  return b.repeat(b.bytes([[0, 255]]), 0, Number.POSITIVE_INFINITY)
}

/** JSON mode: any JSON object. */
export function jsonObject(): Grammar {
  const b = new Builder()
  return b.finish(new JsonText(b).object)
}

/** A text that the whole pattern matches; ^ and $ at the ends change nothing. */
export function regex(pattern: string): Grammar {
  const b = new Builder()
  return b.finish(patternNode(b, pattern))
}

export function choice(choices: readonly string[]): Grammar {
  const b = new Builder()
  return b.finish(choiceNode(b, choices))
}

/** Anything but special tokens. */
export function text(): Grammar {
  const b = new Builder()
  return b.finish(freeText(b))
}
