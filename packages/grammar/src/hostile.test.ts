// Schemas, patterns and serialised grammars from people who mean no good: each is refused by name, or compiled
// and followed, in bounded time, and nothing crashes.
import { loadBinding } from '@hadal/native'
import { watchCpu } from '@hadal/testing'
import { describe, expect, it } from 'vitest'
import { choice, GrammarError, jsonSchema, regex } from './index.ts'
import { allowedIds, random, vocabulary } from './testing.ts'

const nest = (levels: number, wrap: (inner: unknown) => unknown): unknown => {
  let schema: unknown = { type: 'null' }
  for (let i = 0; i < levels; i++) schema = wrap(schema)
  return schema
}
const cyclic: Record<string, unknown> = { type: 'array' }
cyclic.items = cyclic
const wide = (n: number) =>
  Object.fromEntries(Array.from({ length: n }, (_, i) => [`p${i}`, { type: 'null' }]))
const chain = (n: number) => ({
  $ref: '#/$defs/d0',
  $defs: Object.fromEntries(
    Array.from({ length: n }, (_, i) => [
      `d${i}`,
      i + 1 < n ? { $ref: `#/$defs/d${i + 1}` } : { type: 'null' },
    ]),
  ),
})
const bomb = {
  $ref: '#/$defs/b0',
  $defs: Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [
      `b${i}`,
      i < 39
        ? { allOf: [{ $ref: `#/$defs/b${i + 1}` }, { $ref: `#/$defs/b${i + 1}` }] }
        : { type: 'object' },
    ]),
  ),
}
const branching = {
  $ref: '#/$defs/x',
  $defs: { x: { type: 'object', anyOf: [{ $ref: '#/$defs/x' }, { $ref: '#/$defs/x' }] } },
}

const refused: readonly [string, () => unknown][] = [
  ['3,000 levels of arrays', () => jsonSchema(nest(3000, (items) => ({ type: 'array', items })))],
  ['100,000 levels', () => jsonSchema(nest(100_000, (items) => ({ items })))],
  ['150 levels of properties', () => jsonSchema(nest(150, (a) => ({ properties: { a } })))],
  ['150 levels of anyOf', () => jsonSchema(nest(150, (a) => ({ anyOf: [a] })))],
  [
    '150 levels of allOf',
    () => jsonSchema(nest(150, (a) => ({ allOf: [{ type: 'array' }, { items: a }] }))),
  ],
  ['an object that holds itself', () => jsonSchema(cyclic)],
  [
    '2 MB of enum',
    () => jsonSchema({ enum: Array.from({ length: 2000 }, (_, i) => `${i}`.padEnd(1000, 'x')) }),
  ],
  [
    '20,000 values of enum',
    () => jsonSchema({ enum: Array.from({ length: 20_000 }, (_, i) => i) }),
  ],
  ['a bigint', () => jsonSchema({ const: 1n })],
  ['undefined', () => jsonSchema(undefined)],
  ['a function', () => jsonSchema(() => 1)],
  ['null', () => jsonSchema(null)],
  ['a list', () => jsonSchema([])],
  ['a string', () => jsonSchema('string')],
  ['5,000 properties', () => jsonSchema({ properties: wide(5000) })],
  ['a circle of one', () => jsonSchema({ $ref: '#' })],
  [
    'a circle of two',
    () =>
      jsonSchema({
        $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } },
        $ref: '#/$defs/a',
      }),
  ],
  ['a circle through anyOf', () => jsonSchema({ anyOf: [{ type: 'null' }, { $ref: '#' }] })],
  [
    'a circle through anyOf and a definition',
    () =>
      jsonSchema({
        $defs: {
          a: { anyOf: [{ properties: { x: { $ref: '#/$defs/b' } } }, { $ref: '#/$defs/b' }] },
          b: { anyOf: [{ $ref: '#/$defs/a' }, { type: 'null' }] },
        },
        $ref: '#/$defs/a',
      }),
  ],
  ['a circle through allOf', () => jsonSchema({ allOf: [{ $ref: '#' }] })],
  ['allOf that doubles 40 times', () => jsonSchema(bomb)],
  ['anyOf that doubles without end', () => jsonSchema(branching)],
  ['a reference into a prototype', () => jsonSchema({ $ref: '#/constructor' })],
  ['a reference with broken escapes', () => jsonSchema({ $ref: '#/%E0%A4%A' })],
  ['a number as reference', () => jsonSchema({ $ref: 1 })],
  ['maxLength of 10^9', () => jsonSchema({ type: 'string', maxLength: 1e9 })],
  ['minItems of 1e308', () => jsonSchema({ type: 'array', minItems: 1e308 })],
  ['minimum of Infinity', () => jsonSchema({ type: 'number', minimum: Number.POSITIVE_INFINITY })],
  ['minimum of 1e300', () => jsonSchema({ type: 'integer', minimum: 1e300 })],
  ['multipleOf of 0', () => jsonSchema({ type: 'integer', multipleOf: 0 })],
  ['multipleOf of 1e-300', () => jsonSchema({ type: 'number', multipleOf: 1e-300 })],
  ['multipleOf 9999991', () => jsonSchema({ type: 'integer', multipleOf: 9999991 })],
  ['type of 1,000,000 names', () => jsonSchema({ type: Array(1_000_000).fill('null') })],
  [
    'a key of 100,000 characters beside others',
    () => jsonSchema({ properties: { ['k'.repeat(100_000)]: {} }, additionalProperties: true }),
  ],
  ['20,000 parentheses', () => regex('('.repeat(20_000) + ')'.repeat(20_000))],
  ['20,000 open parentheses', () => regex('('.repeat(20_000))],
  ['1 MB of pattern', () => regex('a'.repeat(1 << 20))],
  ['101 groups', () => regex(`${'('.repeat(101)}a${')'.repeat(101)}`)],
  ['repeat of 10^9', () => regex('a{1000000000}')],
  [
    'pattern and length of 10,000',
    () => jsonSchema({ type: 'string', pattern: '(a|b)*c(a|b){900}', maxLength: 10_000 }),
  ],
  [
    'a pattern whose automaton explodes',
    () => jsonSchema({ type: 'string', pattern: '(a|b)*a(a|b){40}', minLength: 50 }),
  ],
  ['a pattern of the wrong type', () => jsonSchema({ type: 'string', pattern: {} })],
  ['required of the wrong type', () => jsonSchema({ required: 'a' })],
  ['properties of the wrong type', () => jsonSchema({ properties: [1] })],
  ['lone surrogates', () => choice(['\udc00'])],
]

describe('refused', () => {
  it.each(refused)('%s', (_, make) => {
    const cpu = watchCpu()
    expect(() => vocabulary.compile(make() as ReturnType<typeof regex>)).toThrow(GrammarError)
    // Milliseconds, most of them.
    expect(cpu()).toBeLessThan(20_000)
  })
})

const followed: readonly [string, () => ReturnType<typeof regex>][] = [
  ['a chain of 5,000 references', () => jsonSchema(chain(5000))],
  ['1,000 properties', () => jsonSchema({ properties: wide(1000) })],
  ['10,000 values', () => jsonSchema({ enum: Array.from({ length: 10_000 }, (_, i) => `v${i}`) })],
  ['(a+)+b', () => regex('(a+)+b')],
  ['(a*)*', () => regex('(a*)*')],
  ['((a{0,100}){0,100}){0,100}', () => regex('((a{0,100}){0,100}){0,100}')],
  ['(a|aa)+', () => regex('(a|aa)+')],
  ['(.*){1,32000} as .{0,…}', () => regex('(.*){1,10000}')],
  ['x*x*x*x*x*x*x*x*y', () => regex(`${'x*'.repeat(200)}y`)],
  ['100 optionals', () => regex(`${'a?'.repeat(100)}${'a'.repeat(100)}`)],
  ['bounded repeats that overlap', () => regex('(a{1,50}b?){1,50}(a{1,50}b?){1,50}')],
  ['[^]{10000}', () => regex('[^x]{10000}')],
  ['99 groups', () => regex(`${'('.repeat(99)}a${')'.repeat(99)}`)],
  ['deep recursion', () => jsonSchema({ type: 'array', items: { $ref: '#' } })],
]

describe('followed within bounds', () => {
  it.each(followed)('%s', (_, make) => {
    const cpu = watchCpu()
    let error: unknown
    try {
      const matcher = vocabulary.compile(make()).start()
      const next = random(1)
      for (let i = 0; i < 300; i++) {
        const ids = allowedIds(matcher)
        expect(ids.length).toBeGreaterThan(0)
        if (matcher.done) break
        matcher.accept(ids[Math.floor(next() * ids.length)] as number)
      }
    } catch (caught) {
      error = caught
    }
    // Too many readings at once are an error with a name, never a crash.
    if (error !== undefined)
      expect(String((error as Error).message)).toMatch(/grammar: expected at most/)
    expect(cpu()).toBeLessThan(20_000)
  })

  it('keeps its memory bounded over 30,000 tokens of ever new nesting', () => {
    const matcher = vocabulary.compile(jsonSchema({ type: 'array', items: { $ref: '#' } })).start()
    const before = process.memoryUsage().rss
    const mask = new Uint32Array(vocabulary.words)
    for (let i = 0; i < 30_000; i++) {
      matcher.mask(mask)
      expect(matcher.accept(0x5b)).toBe(true)
    }
    for (let i = 0; i < 30_000; i++) expect(matcher.accept(0x5d)).toBe(true)
    expect(matcher.done).toBe(true)
    expect(process.memoryUsage().rss - before).toBeLessThan(300e6)
  })
})

describe('serialised grammars', () => {
  const binding = loadBinding()
  const handle = binding.vocabularyCreate(
    Uint8Array.of(97, 98),
    Int32Array.of(0, 1, 2),
    3,
    Int32Array.of(2),
  )
  const valid = jsonSchema({
    type: 'object',
    properties: { a: { type: 'string' } },
    required: ['a'],
  }).words

  it('refuses 3,000 mutations or compiles them, and never crashes', () => {
    const next = random(11)
    for (let i = 0; i < 3000; i++) {
      const words = Int32Array.from(valid)
      for (let j = 0; j < 1 + next() * 3; j++)
        words[Math.floor(next() * words.length)] = Math.floor(
          (next() - 0.5) * (next() < 0.5 ? 20 : 2 ** 32),
        )
      const cut = next() < 0.2 ? words.subarray(0, Math.floor(next() * words.length)) : words
      try {
        const matcher = binding.matcherCreate(binding.grammarCompile(handle, cut), 0)
        binding.matcherMask(matcher, new Uint32Array(1))
      } catch (error) {
        expect((error as { code: string }).code).toMatch(/^ERR_HADAL_(INVALID|UNSUPPORTED)$/)
      }
    }
  })

  it.each([
    ['no words', []],
    ['another magic', [1, 1, 0, 1]],
    ['more nodes than words', [0x31475248, 1e9, 0, 1]],
  ])('refuses %s', (_, words) => {
    expect(() => binding.grammarCompile(handle, Int32Array.from(words))).toThrow(
      expect.objectContaining({ code: 'ERR_HADAL_INVALID' }),
    )
  })

  it('refuses wrong vocabularies', () => {
    const create = (bytes: number[], offsets: number[], size: number, ends: number[]) => () =>
      binding.vocabularyCreate(
        Uint8Array.from(bytes),
        Int32Array.from(offsets),
        size,
        Int32Array.from(ends),
      )
    expect(create([97], [], 1, [])).toThrow(/offsets/)
    expect(create([97], [0, 2], 1, [])).toThrow(/offsets/)
    expect(create([97], [1, 1], 1, [])).toThrow(/offsets/)
    expect(create([97, 98], [0, 5, 2], 2, [])).toThrow(/token/)
    expect(create([97], [0, 1], 0, [])).toThrow(/size/)
    expect(create([97, 97], [0, 1, 2], 1, [])).toThrow(/ids/)
    expect(create([97], [0, 1], 1, [1])).toThrow(/end id/)
    expect(create([97], [0, 1], 2 ** 31, [])).toThrow(/ids/)
  })
})
