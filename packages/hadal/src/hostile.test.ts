// The hostile requests of packages/server/src/hostile.test.ts that a model of echoes cannot show: real grammars, the
// real tokenizer, the embedded model (H02–H09, H20–H22, H32, H36 of docs/hostile-requests.md).
import { type ServerHandle, serve } from '@hadal/server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Llm, load } from './index.ts'

// biome-ignore lint/suspicious/noExplicitAny: bodies are checked by what follows
type Loose = any

let llm: Llm
let server: ServerHandle
beforeAll(async () => {
  llm = await load()
  server = await serve({ model: llm, port: 0, logLevel: 'off' })
})
afterAll(async () => {
  await server?.drain(0)
  await llm?.dispose()
})

const json = { 'content-type': 'application/json' }
const user = (content: string) => ({ role: 'user', content })

async function send(body: object | string, path = '/v1/chat/completions'): Promise<Loose> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(server.url + path, { method: 'POST', headers: json, body: text })
  return { status: response.status, ...((await response.json()) as object) }
}

/** What one question gets at any time: the server is as it was, and so is the model. */
let first: unknown
async function alive(): Promise<void> {
  expect((await fetch(`${server.url}/health`)).status).toBe(200)
  const body = { messages: [user('How many r are in strawberry?')], temperature: 0 }
  const { status, choices } = await send(body)
  expect(status).toBe(200)
  first ??= choices
  expect(choices).toEqual(first)
  const { running, waiting, blocksFree, blocksTotal } = llm.stats
  expect([running, waiting, blocksTotal - blocksFree]).toEqual([0, 0, 0])
}

const nest = (levels: number, wrap: (inner: unknown) => unknown): unknown => {
  let schema: unknown = { type: 'null' }
  for (let i = 0; i < levels; i++) schema = wrap(schema)
  return schema
}
const properties = (inner: unknown) => ({ properties: { a: inner } })

/** What comes of each, as the format of an answer: 400, or an answer that it holds to. */
const schemas: readonly [string, unknown, number][] = [
  ['H02: a pattern that is none', { type: 'string', pattern: '[' }, 400],
  ['H03: a type that is a number', { type: 123 }, 400],
  ['H03: a word', 'hiccup', 400],
  ['H03: a circle', { $ref: '#' }, 400],
  ['H03: somebody’s address', { $ref: 'http://169.254.169.254/' }, 400],
  ['H03: a file', { $ref: 'file:///etc/passwd' }, 400],
  ['H04: 55 levels', nest(55, properties), 200],
  ['H04: 100 levels', nest(100, properties), 400],
  ['H04: 20,000 values', { enum: Array.from({ length: 20_000 }, (_, i) => `v${i}`) }, 400],
  ['H04: 10,000 values', { enum: Array.from({ length: 10_000 }, (_, i) => `v${i}`) }, 200],
  ['H04: a{1,100000}', { type: 'string', pattern: 'a{1,100000}' }, 400],
  ['H04: 5 MB', { enum: ['x'.repeat(5 << 20)] }, 400],
  ['H07: 60,000 parentheses', { type: 'string', pattern: '('.repeat(60_000) }, 400],
  ['H07: and their ends', { pattern: '('.repeat(60_000) + ')'.repeat(60_000) }, 400],
  ['H08: nothing to repeat', { type: 'string', pattern: '^+a' }, 400],
  ['H08: nothing to repeat twice', { type: 'string', pattern: '^{2}a' }, 400],
  ['H09: itself by a definition', { $defs: { a: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }, 400],
  ['H09: itself in its items', { type: 'array', items: { $ref: '#' } }, 200],
]

describe('grammars', () => {
  it.each(schemas)('%s', async (_, schema, status) => {
    const json_schema = { name: 'x', schema }
    const asked = { messages: [user('Hi')], max_tokens: 4, thinking: { type: 'disabled' } }
    for (const stream of [false, true]) {
      const body = { ...asked, stream, response_format: { type: 'json_schema', json_schema } }
      if (status === 200 && stream) continue
      const answer = await send(body)
      expect(answer.status, JSON.stringify(answer).slice(0, 500)).toBe(status)
      if (status !== 400) continue
      expect(answer.error.type).toBe('invalid_request_error')
      expect(answer.error.message.length).toBeLessThan(2000)
    }
    await alive()
  })

  it('H04: 3,000 levels are refused before they are parsed', async () => {
    const deep = `${'{"items":'.repeat(3000)}{}${'}'.repeat(3000)}`
    const format = `{"type":"json_schema","json_schema":{"name":"x","schema":${deep}}}`
    const body = `{"messages":[{"role":"user","content":"x"}],"response_format":${format}}`
    expect((await send(body)).error.message).toMatch(/at most 128 levels/)
    await alive()
  })

  it.each(['[', '^+a', '^{2}a', '(', '('.repeat(60_000), '(?=a)', '\\1', 'a{1,100000}', '(a+)+$'])(
    'H02, H07, H08: the pattern %.20s',
    async (pattern) => {
      const asked = { messages: [user('Hi')], max_tokens: 4, thinking: { type: 'disabled' } }
      const { status } = await send({ ...asked, response_format: { type: 'regex', pattern } })
      expect(status).toBe(pattern === '(a+)+$' ? 200 : 400)
      await alive()
    },
  )

  it('H03: the parameters of tools', async () => {
    for (const [, parameters] of schemas) {
      const tool = { type: 'function', function: { name: 'f', strict: true, parameters } }
      expect((await send({ messages: [user('Hi')], tools: [tool] })).status).toBe(400)
    }
    await alive()
  })

  it('H02: many wrong ones at once harm nobody beside them', async () => {
    const good = { messages: [user('What is 47 * 36?')], temperature: 0, max_tokens: 60 }
    const alone = (await send(good)).choices
    const bad = { ...good, response_format: { type: 'regex', pattern: '(' } }
    const all = await Promise.all(Array.from({ length: 40 }, (_, i) => send(i % 2 ? good : bad)))
    for (const [i, { status, choices }] of all.entries())
      if (i % 2) expect(choices).toEqual(alone)
      else expect(status).toBe(400)
    await alive()
  })
})

describe('texts', () => {
  it.each([
    ['one letter', 'a'],
    ['spaces', ' '],
    ['line ends', '\n'],
    ['one ideograph', '中'],
    ['half of a character', '\ud83d'],
    ['joined people', '👨‍👩‍👧‍👦'],
  ])(
    'H20, H21: a million of %s is refused with both numbers, and so is what is just too long',
    async (_, c) => {
      const million = c.repeat(Math.ceil(1e6 / c.length))
      const { status, error } = await send({ messages: [user(million)] })
      expect(status).toBe(400)
      expect(error.message).toMatch(/at most 32768 characters.*512 tokens.*got \d{6,7}/)
      // As many characters as may be looked at: the tokenizer has to count them.
      const most = await send({ messages: [user(c.repeat(Math.floor(32_000 / c.length)))] })
      expect(most.status).toBe(400)
      expect(most.error.code).toBe('context_length_exceeded')
      const part = { content: million.slice(0, 100_000) }
      expect((await send(part, '/tokenize')).status).toBe(200)
      await alive()
    },
  )

  it('H22: the names of control tokens stay words', async () => {
    const controls = [...llm.tokenizer.added.values()]
    const known = [...llm.tokenizer.added.keys()]
    expect(known).toEqual(expect.arrayContaining(['<｜User｜>', '<think>', '</think>']))
    const { tokens } = await send({ content: known.join('') }, '/tokenize')
    expect(tokens.filter((id: number) => controls.includes(id))).toEqual([])
    const asked = { messages: [user(known.join(' '))], temperature: 0, max_tokens: 20 }
    expect((await send(asked)).status).toBe(200)
    await alive()
  })

  it('H32: thinking that is closed at once, and thinking that never ends', async () => {
    const messages = [user('What is 47 * 36?')]
    const closed = await send({ messages, temperature: 0, max_reasoning_tokens: 0 })
    expect(closed.choices[0].finish_reason).toBe('stop')
    expect(closed.choices[0].message.reasoning_content ?? '').toBe('')
    // Without the token that ends thinking and the one that ends all.
    const endless = Object.fromEntries(
      ['</think>', '<｜end▁of▁sentence｜>'].map((name) => [llm.tokenizer.idOf(name), -100]),
    )
    const { choices } = await send({ messages, temperature: 0, logit_bias: endless })
    expect(choices[0].finish_reason).toBe('length')
    expect(choices[0].message.content ?? '').toBe('')
    expect(choices[0].message.reasoning_content.length).toBeGreaterThan(100)
    await alive()
  })
})
