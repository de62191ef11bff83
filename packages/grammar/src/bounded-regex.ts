// Regular expressions that hold together, and with bounds on the length: their deterministic automata side by
// side and a counter, written as rules of one character each. For what a single expression cannot say.
import { type CodeSet, intersect, union } from './code-set.ts'
import { GrammarError } from './error.ts'
import type { Builder, Node, Rule } from './ir.ts'
import type { Encode } from './regex.ts'
import type { Regex } from './regex-parse.ts'

const mostStates = 5000

interface Nfa {
  readonly skips: number[][]
  readonly moves: { readonly set: CodeSet; readonly to: number }[][]
}

function tooLarge(): never {
  throw new GrammarError(
    `pattern: expected at most ${mostStates} states together with the bounds of its length, needs more; make it shorter or drop minLength and maxLength`,
    { keyword: 'pattern' },
  )
}

/**
 * Thompson's construction, repeats written out; returns the accepting state. More rounds than `longest` would be
 * longer than any match that counts, as far as a round is not empty.
 */
function build(nfa: Nfa, regex: Regex, from: number, longest: number): number {
  const state = () => {
    nfa.moves.push([])
    if (nfa.moves.length > mostStates) tooLarge()
    return nfa.skips.push([]) - 1
  }
  const skip = (a: number, b: number) => (nfa.skips[a] as number[]).push(b)
  switch (regex.type) {
    case 'set': {
      const to = state()
      ;(nfa.moves[from] as Nfa['moves'][number]).push({ set: regex.set, to })
      return to
    }
    case 'sequence':
      return regex.parts.reduce((at, part) => build(nfa, part, at, longest), from)
    case 'choice': {
      const end = state()
      for (const part of regex.parts) {
        const begin = state()
        skip(from, begin)
        skip(build(nfa, part, begin, longest), end)
      }
      return end
    }
    case 'repeat': {
      let at = from
      for (let i = 0; i < regex.min; i++) at = build(nfa, regex.item, at, longest)
      if (regex.max === Number.POSITIVE_INFINITY) {
        const [loop, end] = [state(), state()]
        skip(at, loop)
        skip(build(nfa, regex.item, loop, longest), loop)
        skip(loop, end)
        return end
      }
      const end = state()
      skip(at, end)
      for (let i = regex.min; i < Math.min(regex.max, Math.max(regex.min, longest)); i++) {
        at = build(nfa, regex.item, at, longest)
        skip(at, end)
      }
      return end
    }
    default:
      return from
  }
}

interface Dfa {
  /** Per state: where each set of characters leads. */
  readonly moves: { readonly set: CodeSet; readonly to: number }[][]
  readonly accepting: boolean[]
}

function determinise(nfa: Nfa, accept: number): Dfa {
  const close = (states: Iterable<number>): number[] => {
    const seen = new Set(states)
    for (const s of seen) for (const t of nfa.skips[s] as number[]) seen.add(t)
    return [...seen].sort((a, b) => a - b)
  }
  const ids = new Map<string, number>()
  const sets: number[][] = []
  const idOf = (states: number[]): number => {
    const key = states.join()
    const known = ids.get(key)
    if (known !== undefined) return known
    if (sets.length >= mostStates) tooLarge()
    ids.set(key, sets.length)
    return sets.push(states) - 1
  }
  idOf(close([0]))
  const dfa: Dfa = { moves: [], accepting: [] }
  for (let i = 0; i < sets.length; i++) {
    const states = sets[i] as number[]
    dfa.accepting.push(states.includes(accept))
    const moves = states.flatMap((s) => nfa.moves[s] as Nfa['moves'][number])
    const targets = new Map<number, CodeSet[]>()
    for (const [from, to] of pieces(moves.map((m) => m.set))) {
      const next = moves.filter((m) => m.set.some(([a, b]) => a <= from && to <= b))
      if (next.length === 0) continue
      const target = idOf(close(next.map((m) => m.to)))
      targets.set(target, [...(targets.get(target) ?? []), [[from, to]]])
    }
    dfa.moves.push([...targets].map(([to, list]) => ({ set: union(...list), to })))
  }
  return dfa
}

/** What both accept. */
function product(x: Dfa, y: Dfa): Dfa {
  const ids = new Map<string, number>()
  const pairs: [number, number][] = []
  const idOf = (i: number, j: number): number => {
    const key = `${i},${j}`
    const known = ids.get(key)
    if (known !== undefined) return known
    if (pairs.length >= mostStates) tooLarge()
    ids.set(key, pairs.length)
    return pairs.push([i, j]) - 1
  }
  idOf(0, 0)
  const dfa: Dfa = { moves: [], accepting: [] }
  for (let at = 0; at < pairs.length; at++) {
    const [i, j] = pairs[at] as [number, number]
    dfa.accepting.push(x.accepting[i] === true && y.accepting[j] === true)
    const moves: Dfa['moves'][number] = []
    for (const a of x.moves[i] ?? [])
      for (const c of y.moves[j] ?? []) {
        const set = intersect(a.set, c.set)
        if (set.length > 0) moves.push({ set, to: idOf(a.to, c.to) })
      }
    dfa.moves.push(moves)
  }
  return dfa
}

/** Ranges inside which all of the sets are constant. */
function pieces(sets: readonly CodeSet[]): [number, number][] {
  const cuts = [...new Set(sets.flat().flatMap(([a, b]) => [a, b + 1]))].sort((a, b) => a - b)
  return cuts.slice(1).map((cut, i) => [cuts[i] as number, cut - 1])
}

/** What all of `regexes` match with `min` to `max` characters. */
export function boundedRegex(
  b: Builder,
  regexes: readonly Regex[],
  min: number,
  max: number,
  encode: Encode,
): Node {
  const dfa = regexes
    .map((regex) => {
      const nfa: Nfa = { skips: [[]], moves: [[]] }
      return determinise(nfa, build(nfa, regex, 0, max))
    })
    .reduce(product)
  const characters = dfa.moves.map((moves) => moves.map(({ set }) => encode(set)))
  const finite = Number.isFinite(max)
  const most = finite ? max : min
  const rules = new Map<string, Rule>()
  const work: { state: number; length: number; rule: Rule }[] = []
  const ruleOf = (state: number, length: number): Rule => {
    const key = `${state},${length}`
    const known = rules.get(key)
    if (known !== undefined) return known
    if (rules.size >= mostStates) tooLarge()
    const rule = b.rule()
    rules.set(key, rule)
    work.push({ state, length, rule })
    return rule
  }
  const body = (state: number, length: number): Node => {
    if (finite && length >= max) return b.never
    const parts = (dfa.moves[state] ?? []).flatMap(({ to }, i) => {
      const next = finite ? length + 1 : Math.min(length + 1, most)
      const ends = dfa.accepting[to] === true && length + 1 >= min
      const goesOn = !(finite && next >= max) && (dfa.moves[to] ?? []).length > 0
      const character = characters[state]?.[i] as Node
      return [
        ...(ends ? [character] : []),
        ...(goesOn ? [b.sequence(character, b.reference(ruleOf(to, next)))] : []),
      ]
    })
    return b.choice(...parts)
  }
  const root = body(0, 0)
  for (let next = work.pop(); next; next = work.pop())
    b.define(next.rule, body(next.state, next.length))
  return min === 0 && dfa.accepting[0] ? b.optional(root) : root
}
