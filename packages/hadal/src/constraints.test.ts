// Which wishes become which constraints, over a tokenizer of bytes with the markers of tool calls. The embedded
// model has no such markers; structured.test.ts runs the formats with it.
import type { Constraint } from '@hadal/engine'
import { GrammarError } from '@hadal/grammar'
import { type Tokenizer, toolMarkers } from '@hadal/text'
import { describe, expect, it } from 'vitest'
import { Constraints } from './constraints.ts'
import type { ChatOptions } from './types.ts'

const endId = 256
const added = new Map([
  ['<end>', endId],
  ...Object.values(toolMarkers).map((name, i) => [name, 257 + i] as const),
])
const idOf = (token: string) => added.get(token)
const tokenizer = {
  size: 262,
  added,
  idOf,
  bytesOf: (id: number) => Uint8Array.of(id),
} as unknown as Tokenizer
const tool = (name: string, strict?: boolean) => ({
  type: 'function',
  function: {
    name,
    strict,
    parameters: { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] },
  },
})
const { callsBegin, callsEnd, callBegin, callEnd, separator } = toolMarkers
const call = (name: string, args: string) => [
  callsBegin,
  callBegin,
  name,
  separator,
  args,
  callEnd,
  callsEnd,
]
const schema = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] }

function follows(constraint: Constraint | undefined, parts: readonly string[]): boolean {
  const state = constraint?.start({ afterReasoning: false })
  const ids = parts.flatMap((part) => idOf(part) ?? [...Buffer.from(part)])
  return state !== undefined && [...ids, endId].every((id) => state.accept(id))
}

const v31 = new Constraints(tokenizer, 262, [endId], 'v3.1')
const of = (wish: unknown) => v31.of(wish as ChatOptions)

describe('constraints', () => {
  it('there is none where the answer is free', () => {
    for (const wish of [
      {},
      { responseFormat: { type: 'text' } },
      { tools: [tool('f')] },
      { tools: [tool('f')], toolChoice: 'auto' },
      { toolChoice: 'none' },
    ])
      expect(of(wish)).toBeUndefined()
  })

  it('required, named, none', () => {
    const tools = [tool('f'), tool('g')]
    const required = of({ tools, toolChoice: 'required' })
    expect(follows(required, call('f', '{"a":1}'))).toBe(true)
    expect(follows(required, call('f', '{"a":"x"}'))).toBe(false)
    expect(follows(required, ['text'])).toBe(false)
    const named = of({ tools, toolChoice: { name: 'g' } })
    expect(follows(named, call('g', '{"a":1}'))).toBe(true)
    expect(follows(named, call('f', '{"a":1}'))).toBe(false)
    const none = of({ tools, toolChoice: 'none' })
    expect(follows(none, ['any text'])).toBe(true)
    expect(follows(none, call('f', '{"a":1}'))).toBe(false)
  })

  it('auto with a strict tool, and with a format', () => {
    const strict = of({ tools: [tool('f', true)] })
    expect(follows(strict, ['Let me see. ', ...call('f', '{"a":1}')])).toBe(true)
    expect(follows(strict, call('f', '{}'))).toBe(false)
    expect(follows(strict, ['only text'])).toBe(true)
    const formed = of({ tools: [tool('f')], responseFormat: { type: 'json_schema', schema } })
    expect(follows(formed, ['{"a":1}'])).toBe(true)
    expect(follows(formed, call('f', '{"a":1}'))).toBe(true)
    expect(follows(formed, ['text'])).toBe(false)
  })

  it('writes V3 calls with their fence', () => {
    const v3 = new Constraints(tokenizer, 262, [endId], 'v3')
    const constraint = v3.of({ tools: [tool('f')], toolChoice: 'required' })
    const fenced = [
      callsBegin,
      callBegin,
      'function',
      separator,
      'f\n```json\n{"a":1}\n```',
      callEnd,
      callsEnd,
    ]
    expect(follows(constraint, fenced)).toBe(true)
    expect(follows(constraint, call('f', '{"a":1}'))).toBe(false)
  })

  it('follows a wish to its end, and starts it anew, after many others have pushed it out', () => {
    const wish = (name: string) => of({ responseFormat: { type: 'choice', choices: [name] } })
    const first = wish('first')
    const running = first?.start({ afterReasoning: false })
    for (let i = 0; i < 100; i++) expect(follows(wish(`other ${i}`), [`other ${i}`])).toBe(true)
    expect([...Buffer.from('first'), endId].every((id) => running?.accept(id))).toBe(true)
    expect(follows(first, ['first'])).toBe(true)
    expect(follows(first, ['other 1'])).toBe(false)
  })

  it('compiles each wish once, of 40 different ones too, and says what is wrong when it starts', () => {
    for (let round = 0; round < 2; round++)
      for (let i = 0; i < 40; i++) {
        const constraint = of({ responseFormat: { type: 'choice', choices: [`c${i}`] } })
        expect(follows(constraint, [`c${i}`])).toBe(true)
      }
    const circle: Record<string, unknown> = {}
    circle.items = circle
    for (const wrong of [{ not: {} }, circle, { const: 1n }]) {
      const constraint = of({ responseFormat: { type: 'json_schema', schema: wrong } })
      expect(() => constraint?.start({ afterReasoning: false })).toThrow(GrammarError)
    }
  })
})
