// The splitter, fed at every possible cut.
import { watchCpu } from '@hadal/testing'
import { describe, expect, it } from 'vitest'
import {
  type Part,
  TextStream,
  type TextStreamOptions,
  type Tokenizer,
  toolMarkers,
} from './index.ts'

/** One id per byte: every cut inside a character and inside a tag occurs. */
const bytes: Tokenizer = {
  size: 256,
  bosId: undefined,
  eosId: undefined,
  added: new Map(),
  encode: (text) => Int32Array.from(new TextEncoder().encode(text)),
  decode: (ids) => new TextDecoder().decode(Uint8Array.from(ids)),
  bytesOf: (id) => Uint8Array.of(id),
  idOf: () => undefined,
  isSpecial: () => false,
}
/** Ids are indices of chunks. */
const chunked = (chunks: readonly Uint8Array[]): Tokenizer => ({
  ...bytes,
  bytesOf: (id) => chunks[id] ?? new Uint8Array(),
})

function join(parts: readonly Part[]): Part[] {
  const out: Part[] = []
  for (const part of parts) {
    const last = out.at(-1)
    if ((part.type === 'text' || part.type === 'reasoning') && last?.type === part.type)
      out[out.length - 1] = { type: part.type, text: last.text + part.text }
    else if (part.type === 'tool-call-delta' && last?.type === part.type)
      out[out.length - 1] = { ...part, text: last.text + part.text }
    else out.push(part)
  }
  return out
}

function feed(tokenizer: Tokenizer, ids: Iterable<number>, options: TextStreamOptions): Part[] {
  const stream = new TextStream(tokenizer, options)
  const parts: Part[] = []
  for (const id of ids) parts.push(...stream.push(id))
  return join([...parts, ...stream.end()])
}

const reasoning = (text: string): Part => ({ type: 'reasoning', text })
const text = (content: string): Part => ({ type: 'text', text: content })
const { callsBegin, callBegin, separator, callEnd, callsEnd } = toolMarkers
const v3Call = `${callsBegin}${callBegin}function${separator}weather\n\`\`\`json\n{"city": "東京"}\n\`\`\`${callEnd}${callsEnd}`
const v31Calls = `${callsBegin}${callBegin}a${separator}{"x":1}${callEnd}${callBegin}b${separator}{}${callEnd}${callsEnd}`

const cases: [string, string, TextStreamOptions, Part[]][] = [
  [
    'reasoning opened by the prompt',
    'so 😀\n</think>\n\n42',
    { opensReasoning: true },
    [reasoning('so 😀'), text('42')],
  ],
  ['reasoning with its own tag', '<think>\nhm\n</think>\nyes', {}, [reasoning('hm'), text('yes')]],
  ['no tags', 'plain 中文', {}, [text('plain 中文')]],
  ['no closing tag', 'still thinking\n', { opensReasoning: true }, [reasoning('still thinking')]],
  ['empty reasoning', '</think>ok', { opensReasoning: true }, [text('ok')]],
  [
    'lines inside the reasoning',
    'a\n\nb\n</think>c',
    { opensReasoning: true },
    [reasoning('a\n\nb'), text('c')],
  ],
  ['something like a tag', 'a </thin b', { opensReasoning: true }, [reasoning('a </thin b')]],
  ['a stop string', 'one STOP two', { stop: ['STOP'] }, [text('one ')]],
  [
    'a stop string in the reasoning',
    'a END b</think>c END d',
    { opensReasoning: true, stop: ['END'] },
    [reasoning('a END b'), text('c ')],
  ],
  ['the earlier of two stop strings', 'x ab cd', { stop: ['cd', 'ab'] }, [text('x ')]],
  [
    'a stop string inside another, which ends first',
    'xabcdy',
    { stop: ['abcd', 'bc'] },
    [text('xa')],
  ],
  ['two stop strings that end together', 'xabcdy', { stop: ['cd', 'abcd'] }, [text('x')]],
  [
    'tags that an answer mentions',
    'see <think> and </think>\nso',
    {},
    [text('see <think> and </think>\nso')],
  ],
  ['a stop string of wide characters', 'ok 停止 no', { stop: ['停止'] }, [text('ok ')]],
  ['almost a stop string at the end', 'x ST', { stop: ['STOP'] }, [text('x ST')]],
  [
    'a tool call of V3',
    `use it\n${v3Call}`,
    {},
    [
      text('use it\n'),
      {
        type: 'tool-call',
        text: v3Call.slice(callsBegin.length, -callsEnd.length),
        toolCall: { id: 'call_0', name: 'weather', arguments: '{"city": "東京"}' },
      },
    ],
  ],
  [
    'two tool calls of V3.1 out of the reasoning',
    `hm${v31Calls}`,
    { opensReasoning: true },
    [
      reasoning('hm'),
      {
        type: 'tool-call',
        text: `${callBegin}a${separator}{"x":1}${callEnd}`,
        toolCall: { id: 'call_0', name: 'a', arguments: '{"x":1}' },
      },
      {
        type: 'tool-call',
        text: `${callBegin}b${separator}{}${callEnd}`,
        toolCall: { id: 'call_1', name: 'b', arguments: '{}' },
      },
    ],
  ],
  [
    'a malformed call',
    `${callsBegin}${callBegin}nothing${callEnd}${callsEnd}`,
    {},
    [text(`${callBegin}nothing${callEnd}`)],
  ],
  [
    'a call cut off',
    `${callsBegin}${callBegin}f${separator}{"a"`,
    {},
    [text(`${callBegin}f${separator}{"a"`)],
  ],
  ['tool markers when tools are off', v31Calls, { tools: false }, [text(v31Calls)]],
  [
    'the arguments of V3 in pieces',
    v3Call,
    { toolDeltas: true },
    [
      { type: 'tool-call-delta', index: 0, name: 'weather', text: '{"city": "東京"}' },
      {
        type: 'tool-call',
        text: v3Call.slice(callsBegin.length, -callsEnd.length),
        toolCall: { id: 'call_0', name: 'weather', arguments: '{"city": "東京"}' },
      },
    ],
  ],
  [
    'the arguments of two calls of V3.1 in pieces, the second cut off',
    `${v31Calls.slice(0, -callsEnd.length - callEnd.length)}`,
    { toolDeltas: true },
    [
      { type: 'tool-call-delta', index: 0, name: 'a', text: '{"x":1}' },
      {
        type: 'tool-call',
        text: `${callBegin}a${separator}{"x":1}${callEnd}`,
        toolCall: { id: 'call_0', name: 'a', arguments: '{"x":1}' },
      },
      { type: 'tool-call-delta', index: 1, name: 'b', text: '{}' },
    ],
  ],
  [
    'a call of V3 in pieces that forgets its fence',
    `${callsBegin}${callBegin}function${separator}f\n\`\`\`json\n{}\n${callEnd}${callsEnd}`,
    { toolDeltas: true },
    [
      { type: 'tool-call-delta', index: 0, name: 'f', text: '{}' },
      {
        type: 'tool-call',
        text: `${callBegin}function${separator}f\n\`\`\`json\n{}\n${callEnd}`,
        toolCall: { id: 'call_0', name: 'f', arguments: '{}' },
      },
    ],
  ],
  [
    'a malformed call when pieces are wanted',
    `${callsBegin}${callBegin}nothing${callEnd}${callsEnd}`,
    { toolDeltas: true },
    [text(`${callBegin}nothing${callEnd}`)],
  ],
  ['tags when tags are off', '<think>\na</think>', { tags: false }, [text('<think>\na</think>')]],
  ['going on in the answer', '\n\nand more', { continues: true }, [text('\n\nand more')]],
  [
    'going on in the reasoning',
    '\nand more\n</think>\n\nyes',
    { continues: true, opensReasoning: true },
    [reasoning('\nand more'), text('yes')],
  ],
]

describe.each(cases)('%s', (_, input, options, expected) => {
  const all = new TextEncoder().encode(input)

  it('byte by byte', () => {
    expect(feed(bytes, all, options)).toEqual(expected)
  })

  it('in two pieces, cut anywhere', () => {
    for (let cut = 0; cut <= all.length; cut++) {
      const tokenizer = chunked([all.slice(0, cut), all.slice(cut)])
      expect(feed(tokenizer, [0, 1], options), `cut at ${cut}`).toEqual(expected)
    }
  })
})

describe('streaming', () => {
  it('holds back no more than could become a tag', () => {
    const stream = new TextStream(bytes, { opensReasoning: true })
    const parts = [...new TextEncoder().encode('abc <')].flatMap((b) => stream.push(b))
    expect(parts.map((p) => p.text).join('')).toBe('abc ')
    expect(stream.push('x'.charCodeAt(0))).toEqual([reasoning('<x')])
  })

  // A model can be made to write any of these; the loop that reads them serves everybody.
  const call = callsBegin + callBegin
  it.each([
    ['brackets', '', '['],
    ['beginnings of tags', '', '<'],
    ['beginnings of markers', '', callsBegin.slice(0, -1)],
    ['line ends of thinking', '', '\n'],
    ['line ends, then more', '', `${'\n'.repeat(5000)}a`],
    ['calls without end', callsBegin, '<'],
    ['a call without separator', call, 'x'],
    ['braces in a call', `${call}f${separator}`, '{'],
    ['backticks in a call', `${call}f${separator}`, '`'],
    ['spaces in a call', `${call}f${separator}{`, ' '],
    ['spaces for a name', `${call}function${separator}`, ' '],
    ['a name of line ends', `${call}function${separator}`, '\n'],
    ['fences in a call', `${call}function${separator}f\n\`\`\`json\n`, '``` '],
  ])('takes 100,000 bytes of %s in its stride', (_, head, piece) => {
    const input = new TextEncoder().encode(head + piece.repeat(Math.ceil(100_000 / piece.length)))
    const cpu = watchCpu()
    for (const toolDeltas of [false, true])
      feed(bytes, [...input, ...new TextEncoder().encode(callEnd)], {
        ...{ toolDeltas, opensReasoning: head === '', stop: ['stop'] },
      })
    // What grows with the square takes minutes.
    expect(cpu()).toBeLessThan(10_000)
  })

  it('stops at the stop string and stays silent', () => {
    const stream = new TextStream(bytes, { stop: ['!'] })
    const parts = [...new TextEncoder().encode('hi!more')].flatMap((b) => stream.push(b))
    expect(join(parts)).toEqual([text('hi')])
    expect(stream.stopped).toBe(true)
    expect(stream.stopText).toBe('!')
    expect(stream.end()).toEqual([])
  })

  it('gives bytes that are no UTF-8 as replacement characters', () => {
    expect(feed(bytes, [0xff, 0x41], {})).toEqual([text('\ufffdA')])
  })
})
