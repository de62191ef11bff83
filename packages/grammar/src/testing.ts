// For this package's tests: a vocabulary of single bytes and some longer tokens, so that a text can be followed
// byte by byte, and random walks that let the matcher choose.
import { type CompiledGrammar, type Grammar, type Matcher, Vocabulary } from './index.ts'

const encoder = new TextEncoder()
const words = [
  ...['": "', '", "', '":', '"}', '"]', '},', '[[', ']}', '{"', ', ', '\\"', '\\u', 'true', 'null'],
  ...['ab', 'abc', 'hello', '  ', '    ', '00', '123', 'é', '数', '😀', '\n  ', '-1', '.5', 'e1'],
]

/** Ids 0..255: the bytes; 256: the end; 257..261: markers; then words. */
export const endId = 256
export const markers = {
  callsBegin: 257,
  callsEnd: 258,
  callBegin: 259,
  callEnd: 260,
  separator: 261,
}
const texts: Uint8Array[] = [
  ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  ...Array.from({ length: 6 }, () => new Uint8Array(0)),
  ...words.map((word) => encoder.encode(word)),
]

export const vocabulary: Vocabulary = new Vocabulary(
  {
    size: texts.length,
    added: new Map([['<end>', endId], ...Object.entries(markers)]),
    bytesOf: (id) => texts[id] ?? new Uint8Array(0),
  },
  { size: texts.length + 3, endIds: [endId] },
)

/** Whether the whole text, byte by byte, is what the grammar allows. */
export function accepts(grammar: Grammar | CompiledGrammar, text: string | Uint8Array): boolean {
  const compiled = 'words' in grammar ? vocabulary.compile(grammar) : grammar
  const matcher = compiled.start()
  for (const byte of typeof text === 'string' ? encoder.encode(text) : text)
    if (!matcher.accept(byte)) return false
  return matcher.canEnd
}

export type Random = () => number

/** Uniform in [0, 1), the same on every machine. */
export function random(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}

export function allowedIds(matcher: Matcher, size: number = vocabulary.size): number[] {
  const mask = new Uint32Array(Math.ceil(size / 32))
  const count = matcher.mask(mask)
  const ids: number[] = []
  for (let id = 0; id < size; id++)
    if ((((mask[id >> 5] ?? 0) >>> (id & 31)) & 1) === 1) ids.push(id)
  if (ids.length !== count) throw new Error(`mask: ${count} counted, ${ids.length} set`)
  return ids
}

/** A random text of the grammar; prefers to end, and ASCII, so that it does not grow without bound. */
export function generate(compiled: CompiledGrammar, next: Random, most = 2000): string | undefined {
  const matcher = compiled.start()
  const bytes: number[] = []
  for (let i = 0; i < most; i++) {
    const ids = allowedIds(matcher)
    if (ids.length === 0) throw new Error(`dead end after ${Buffer.from(bytes)}`)
    if (ids.includes(endId) && (ids.length === 1 || next() < 0.3)) break
    const closing = ids.filter((id) => id < 256 && '"]},'.includes(String.fromCharCode(id)))
    const pool = closing.length > 0 && next() < 0.25 + i / most ? closing : ids
    const id = pool[Math.floor(next() * pool.length)] as number
    if (!matcher.accept(id)) throw new Error(`id ${id} is in the mask and was refused`)
    if (id === endId) break
    bytes.push(...(texts[id] as Uint8Array))
    if (i === most - 1) return undefined
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes))
}
