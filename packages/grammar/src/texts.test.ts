// Regular expressions against JavaScript's own, choices, tool calls, and the matcher's own promises.
import { describe, expect, it } from 'vitest'
import {
  choice,
  contentGrammar,
  GrammarError,
  jsonSchema,
  regex,
  text,
  toolCalls,
} from './index.ts'
import { accepts, allowedIds, endId, generate, markers, random, vocabulary } from './testing.ts'

const encoder = new TextEncoder()

describe('regex', () => {
  const patterns = [
    'abc',
    'a|b|',
    'a*',
    '(ab|c)+d?',
    '[a-f]{2,4}',
    '[^a-c\\d]x',
    '\\d+(\\.\\d+)?',
    '.',
    '\\w+@\\w+\\.com',
    '(a+)+b',
    '(a|a)*c',
    '(a*)*',
    '((a{0,3}){0,3}){0,3}',
    '(?:x|y){3}',
    '(?<n>a)b',
    '[\\s\\S]',
    '\\u{1f600}+é',
    '[^]',
    '\\x41\\u0042',
    'a{0}',
    '(a?b?)*c',
    '[\\]\\\\-]+',
    '\\p{Lu}\\p{Ll}*',
    '^a|b$',
    '\\$\\^',
    'a{2,}?',
    '[^\\n]*',
    '(|a)+b',
    '\\ud83d\\ude00',
    '[a-z&&]',
  ].filter((p) => p !== '[^]')
  const probes = [
    '',
    'a',
    'b',
    'c',
    'ab',
    'abc',
    'aaaa',
    'aab',
    'cd',
    'abcd',
    'abab',
    'cc',
    'ac',
    '1',
    '12.5',
    '1.',
    'fx',
    'zx',
    'ff',
    'abcde',
    'me@x.com',
    'xyx',
    'xx',
    '\n',
    'é',
    '😀é',
    '😀',
    'AB',
    'Éa',
    'Aa',
    ']\\-',
    '$^',
    'aaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
    'a\nb',
    '&z',
  ]
  it.each(patterns)('/%s/ allows what JavaScript matches whole', (pattern) => {
    const compiled = vocabulary.compile(regex(pattern))
    const whole = new RegExp(`^(?:${pattern})$`, 'u')
    for (const probe of probes)
      expect([probe, accepts(compiled, probe)]).toEqual([probe, whole.test(probe)])
    const next = random(pattern.length)
    for (let i = 0; i < 20; i++) {
      const made = generate(compiled, next)
      if (made !== undefined) expect([made, whole.test(made)]).toEqual([made, true])
    }
  })

  it.each([
    '(',
    ')',
    'a)',
    '[',
    '[a',
    'a{2,1}',
    'a**',
    '*',
    '+a',
    '?',
    '{2}',
    'a{',
    '(?=a)',
    '(?!a)',
    '(?<=a)b',
    '(?<!a)b',
    '\\1',
    '\\k<a>',
    '\\b',
    '\\B',
    '\\',
    '\\c',
    '\\xg',
    '\\u12',
    '\\u{110000}',
    '\\ud800',
    '[z-a]',
    '[\\d-z]',
    '\\p{Nonsense}',
    '\\p',
    'a{20000}',
    'a^b',
    'a$b',
    '(^a)b',
    '\ud800',
  ])('refuses /%s/', (pattern) => {
    expect(() => regex(pattern)).toThrow(GrammarError)
  })
})

describe('choice', () => {
  it('allows the texts and no other', () => {
    const texts = ['yes', 'no', 'nope', '', 'é', 'ナ', 'yes!', 'a'.repeat(300)]
    const compiled = vocabulary.compile(choice(texts))
    for (const one of texts) expect(accepts(compiled, one)).toBe(true)
    for (const other of ['ye', 'y', 'nop', 'yes!!', 'e', 'a'.repeat(299)])
      expect(accepts(compiled, other)).toBe(false)
  })

  it('takes 10,000 texts, also of ever growing length', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => `value ${i * 7}`)
    expect(accepts(choice(many), 'value 69993')).toBe(true)
    const growing = Array.from({ length: 1000 }, (_, i) => 'a'.repeat(i))
    const compiled = vocabulary.compile(choice(growing))
    expect(accepts(compiled, 'a'.repeat(999))).toBe(true)
    expect(accepts(compiled, 'a'.repeat(1000))).toBe(false)
  })

  it.each([
    [[]],
    [['a', 1]],
    ['a'],
    [undefined],
    [['\ud800']],
    [Array(10_001).fill('a')],
    [['a'.repeat(1 << 21)]],
  ])('refuses a wrong list', (choices) => {
    expect(() => choice(choices as string[])).toThrow(GrammarError)
  })
})

describe('tool calls', () => {
  const tools = [
    {
      type: 'function',
      function: {
        name: 'add',
        parameters: { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] },
      },
    },
    { type: 'function', function: { name: 'now' } },
  ]
  type Part = string | keyof typeof markers
  const tokensOf = (parts: readonly Part[]): number[] =>
    parts.flatMap((part) =>
      part in markers ? [markers[part as keyof typeof markers]] : [...encoder.encode(part)],
    )
  const follows = (
    grammar: ReturnType<typeof toolCalls>,
    parts: readonly Part[],
    afterReasoning = false,
  ): boolean => {
    const matcher = vocabulary.compile(grammar).start({ afterReasoning })
    return tokensOf(parts).every((id) => matcher.accept(id)) && matcher.canEnd
  }
  const call = (name: string, args: string): Part[] => [
    'callBegin',
    name,
    'separator',
    args,
    'callEnd',
  ]
  const old = (name: string, args: string): Part[] => [
    'callBegin',
    'function',
    'separator',
    `${name}\n\`\`\`json\n${args}\n\`\`\``,
    'callEnd',
  ]
  const calls = (...inner: Part[][]): Part[] => ['callsBegin', ...inner.flat(), 'callsEnd']

  it('V3.1: required', () => {
    const grammar = toolCalls('v3.1', tools, { tokens: markers, choice: 'required' })
    expect(follows(grammar, calls(call('add', '{"a":1}')))).toBe(true)
    expect(follows(grammar, calls(call('add', '{"a": 1}'), call('now', '{}')))).toBe(true)
    expect(follows(grammar, ['\n\n', ...calls(call('now', '{"x":[1]}'))], true)).toBe(true)
    expect(follows(grammar, ['\n', ...calls(call('now', '{}'))])).toBe(false)
    expect(follows(grammar, calls(call('add', '{"a":"1"}')))).toBe(false)
    expect(follows(grammar, calls(call('sub', '{}')))).toBe(false)
    expect(follows(grammar, ['text', ...calls(call('now', '{}'))])).toBe(false)
    expect(follows(grammar, ['callsBegin', 'callsEnd'])).toBe(false)
    expect(follows(grammar, [])).toBe(false)
  })

  it('V3 and R1: fenced', () => {
    const grammar = toolCalls('v3', tools, { tokens: markers, choice: 'required' })
    expect(follows(grammar, calls(old('add', '{"a":1}'), ['\n', ...old('now', '{}')]))).toBe(true)
    expect(follows(grammar, calls(call('add', '{"a":1}')))).toBe(false)
  })

  it('a named tool, one call alone', () => {
    const grammar = toolCalls('v3.1', tools, {
      tokens: markers,
      choice: { name: 'now' },
      parallel: false,
    })
    expect(follows(grammar, calls(call('now', '{}')))).toBe(true)
    expect(follows(grammar, calls(call('add', '{"a":1}')))).toBe(false)
    expect(follows(grammar, calls(call('now', '{}'), call('now', '{}')))).toBe(false)
  })

  it('auto: free text, then perhaps calls; or a format instead of the text', () => {
    const free = toolCalls('v3.1', tools, { tokens: markers })
    expect(follows(free, ['any {text} <｜tool'])).toBe(true)
    expect(follows(free, ['Let me see.', ...calls(call('now', '{}'))])).toBe(true)
    expect(follows(free, [...calls(call('now', '{}')), 'more'])).toBe(false)
    const formed = toolCalls('v3.1', tools, { tokens: markers, content: { type: 'json_object' } })
    expect(follows(formed, ['{"a":1}'])).toBe(true)
    expect(follows(formed, calls(call('now', '{}')))).toBe(true)
    expect(follows(formed, ['text'])).toBe(false)
  })

  it('refuses wrong tools, naming them', () => {
    const make = (list: unknown) => () => toolCalls('v3.1', list as unknown[], { tokens: markers })
    expect(make([])).toThrow(/tools/)
    expect(make([{ function: { name: 'a b' } }])).toThrow(/tools\[0\].function.name/)
    expect(make([{ function: { name: 'a', parameters: { not: {} } } }])).toThrow(/tool a: #: not/)
    expect(() => toolCalls('v3.1', tools, { tokens: markers, choice: { name: 'x' } })).toThrow(
      /add, now/,
    )
    expect(() => contentGrammar({ type: 'xml' } as never)).toThrow(GrammarError)
  })
})

describe('matcher', () => {
  it('allows the end exactly where the grammar may end', () => {
    const matcher = vocabulary.compile(regex('ab?')).start()
    expect(allowedIds(matcher)).not.toContain(endId)
    expect(matcher.accept(endId)).toBe(false)
    matcher.accept(0x61)
    expect(matcher.canEnd && !matcher.done).toBe(true)
    expect(allowedIds(matcher)).toEqual([0x62, endId])
    matcher.accept(0x62)
    expect(matcher.done).toBe(true)
    expect(allowedIds(matcher)).toEqual([endId])
    expect(matcher.accept(0x62)).toBe(false)
    expect(matcher.accept(endId)).toBe(true)
    expect(allowedIds(matcher)).toEqual([endId])
    expect(matcher.accept(0x61)).toBe(false)
  })

  it('never allows special tokens, or ids beyond the tokenizer, as text', () => {
    const matcher = vocabulary.compile(text()).start()
    const ids = allowedIds(matcher)
    for (const id of Object.values(markers)) expect(ids).not.toContain(id)
    expect(Math.max(...ids)).toBeLessThan(vocabulary.size - 3)
    expect(matcher.accept(markers.callsBegin)).toBe(false)
    expect(matcher.accept(vocabulary.size - 1)).toBe(false)
    expect(matcher.accept(2 ** 31 - 1)).toBe(false)
  })

  it('masks what accept() takes, id for id, along random texts', () => {
    const compiled = vocabulary.compile(
      jsonSchema({
        type: 'object',
        properties: {
          a: { type: 'string', maxLength: 9 },
          b: { type: 'array', items: { type: 'number', minimum: -3, maximum: 20 } },
          c: {},
        },
        required: ['a', 'c'],
      }),
    )
    const next = random(3)
    for (let walk = 0; walk < 20; walk++) {
      const matcher = compiled.start()
      for (let i = 0; i < 60 && !matcher.done; i++) {
        const ids = allowedIds(matcher)
        for (let id = 0; id < vocabulary.size; id++) {
          const taken = matcher.accept(id)
          expect([id, taken]).toEqual([id, ids.includes(id)])
          if (taken) matcher.rollback(1)
        }
        matcher.accept(ids[Math.floor(next() * ids.length)] as number)
      }
    }
  })

  it('rolls back and resets', () => {
    const matcher = vocabulary.compile(regex('(ab)*c')).start()
    const before = allowedIds(matcher)
    for (const c of 'ababc') matcher.accept(c.charCodeAt(0))
    expect(matcher.done).toBe(true)
    matcher.rollback(5)
    expect(allowedIds(matcher)).toEqual(before)
    for (let i = 0; i < 300; i++) for (const c of 'ab') matcher.accept(c.charCodeAt(0))
    expect(() => matcher.rollback(257)).toThrow(/at most 256/)
    matcher.rollback(256)
    expect(matcher.accept(0x61)).toBe(true)
    matcher.reset()
    expect(allowedIds(matcher)).toEqual(before)
  })

  it('refuses what was released, and outlives its makers', () => {
    const compiled = vocabulary.compile(regex('ab'))
    const matcher = compiled.start()
    compiled.dispose()
    expect(() => compiled.start()).toThrow(expect.objectContaining({ code: 'ERR_HADAL_DISPOSED' }))
    expect(matcher.accept(0x61)).toBe(true)
    matcher.dispose()
    expect(() => matcher.accept(0x62)).toThrow(
      expect.objectContaining({ code: 'ERR_HADAL_DISPOSED' }),
    )
    expect(() => compiled.start()).toThrow()
    expect(() => vocabulary.compile(regex('a')).start().mask(new Uint32Array(1))).toThrow(/words/)
  })
})
