// Anthropic's wire, whole and in events, on a model that says what it is told.

import { describe, expect, it } from 'vitest'
import { type Loose, testServer, user } from './testdata/client.ts'
import { echoModel, recordingModel } from './testdata/echo.ts'

const path = '/v1/messages'
const server = testServer()
const base = { model: 'hadal', max_tokens: 100 }
const ask = (content: unknown, more = {}) =>
  server.post(path, { ...base, messages: [{ role: 'user', content }], ...more })
const think = { thinking: { type: 'enabled', budget_tokens: 1024 } }
const tools = [{ name: 'add', input_schema: { type: 'object' }, description: 'adds' }]
const oneCall = '[[call]]function[[sep]]add\n```json\n{"city": "Oslo"}\n```[[/call]]'
const calls = (n: number) => `[[calls]]${oneCall.repeat(n)}[[/calls]]`

function recording() {
  const { model, seen } = recordingModel()
  return { seen, server: testServer({ model }) }
}

describe('the whole message', () => {
  it('has blocks and usage', async () => {
    const { status, body, headers } = await ask('hello ✓')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      ...{ id: expect.stringMatching(/^msg_/), type: 'message', role: 'assistant', model: 'hadal' },
      content: [{ type: 'text', text: 'hello ✓', citations: null }],
      ...{ stop_reason: 'end_turn', stop_sequence: null },
    })
    expect(body.usage.output_tokens).toBe(Buffer.byteLength('hello ✓'))
    expect(body.usage.cache_read_input_tokens).toBe(0)
    expect(headers.get('request-id')).toMatch(/^req_/)
  })

  it('keeps the thinking apart, signed so that clients send it back', async () => {
    const { body } = await ask('hm\n[[/think]]\n\nyes', think)
    expect(body.content).toMatchObject([
      { type: 'thinking', thinking: 'hm', signature: expect.stringMatching(/^\S{20,}$/) },
      { type: 'text', text: 'yes' },
    ])
    expect(body.usage.output_tokens_details.thinking_tokens).toBe(3)
    const display = { thinking: { type: 'adaptive', display: 'omitted' } }
    const omitted = await ask('hm\n[[/think]]\n\nyes', display)
    expect(omitted.body.content[0]).toMatchObject({ type: 'thinking', thinking: '' })
  })

  it.each([
    ['enabled', think, true],
    ['adaptive', { thinking: { type: 'adaptive' } }, true],
    ['disabled', { model: 'deepseek-reasoner', thinking: { type: 'disabled' } }, false],
    ['the model’s name', { model: 'deepseek-reasoner' }, true],
  ])('thinks or not: %s', async (_, more, thinks) => {
    const { body } = await ask('hm[[/think]]yes', more)
    expect(body.content[0].type === 'thinking').toBe(thinks)
  })

  it.each([
    ['max_tokens', 'abcdef', { max_tokens: 3 }, 'abc', null],
    ['stop_sequence', 'abcdef', { stop_sequences: ['x', 'de'] }, 'abc', 'de'],
    ['end_turn', 'abc', { stop_sequences: ['x'] }, 'abc', null],
  ])('says why it stopped: %s', async (reason, content, more, text, sequence) => {
    const { body } = await ask(content, more)
    expect(body).toMatchObject({
      ...{ content: [{ text }], stop_reason: reason, stop_sequence: sequence },
    })
  })

  it('says when the context is full', async () => {
    const small = testServer({}, { limits: { contextLength: 128 } })
    const messages = [user('[[x*300]]')]
    const { body } = await small.post(path, { ...base, max_tokens: 1000, messages })
    expect(body.stop_reason).toBe('model_context_window_exceeded')
  })

  it('calls tools', async () => {
    const { body } = await ask(`so:${calls(2)}`, { tools })
    expect(body).toMatchObject({
      content: [
        { type: 'text', text: 'so:' },
        { type: 'tool_use', id: expect.stringMatching(/^toolu_/), input: { city: 'Oslo' } },
        { type: 'tool_use', name: 'add' },
      ],
      stop_reason: 'tool_use',
    })
    const choice = { tool_choice: { type: 'auto', disable_parallel_tool_use: true } }
    const one = await ask(`so:${calls(2)}`, { tools, ...choice })
    expect(one.body.content).toHaveLength(2)
    expect(one.body.stop_reason).toBe('tool_use')
  })

  it('goes on from the beginning of an answer', async () => {
    const { body } = await server.post(path, {
      ...base,
      messages: [user('abcdef'), { role: 'assistant', content: 'abc' }],
    })
    expect(body.content).toMatchObject([{ text: 'def' }])
  })
})

describe('messages', () => {
  it('turn blocks into turns', async () => {
    const { seen, server } = recording()
    const { status } = await server.post(path, {
      ...base,
      system: [{ type: 'text', text: 'be brief', cache_control: { type: 'ephemeral' } }],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'hm', signature: 's' },
            { type: 'redacted_thinking', data: 'zzz' },
            { type: 'text', text: 'so' },
            { type: 'tool_use', id: 't1', name: 'add', input: { x: 1 } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 't1', content: [{ type: 'text', text: '1' }] },
            { type: 'text', text: 'x' },
          ],
        },
      ],
    })
    expect(status).toBe(200)
    expect(seen[0]?.messages).toEqual([
      { role: 'system', content: 'be brief' },
      { role: 'user', content: 'a\nb' },
      {
        ...{ role: 'assistant', content: 'so', reasoning: 'hm' },
        toolCalls: [{ id: 't1', name: 'add', arguments: '{"x":1}' }],
      },
      { role: 'tool', content: '1', toolCallId: 't1' },
      { role: 'user', content: 'x' },
    ])
  })

  it('hands options on', async () => {
    const { seen, server } = recording()
    const schema = { type: 'object' }
    const send = (more: object) => server.post(path, { ...base, messages: [user('x')], ...more })
    await send({
      ...{ tools, tool_choice: { type: 'tool', name: 'add' }, temperature: 0.5, top_p: 0.9 },
      ...{ top_k: 3, stop_sequences: ['z'], ...think },
      output_config: { effort: 'high', format: { type: 'json_schema', schema } },
    })
    expect(seen[0]?.options).toMatchObject({
      ...{ toolChoice: { name: 'add' }, temperature: 0.5, topP: 0.9, topK: 3, maxTokens: 100 },
      ...{ stop: ['z'], thinking: true, maxReasoningTokens: 1024 },
      responseFormat: { type: 'json_schema', schema },
      tools: [
        {
          type: 'function',
          function: { name: 'add', description: 'adds', parameters: { type: 'object' } },
        },
      ],
    })
    await send({ tools, tool_choice: { type: 'any' } })
    expect(seen[1]?.options.toolChoice).toBe('required')
    await send({ tools, tool_choice: { type: 'none' } })
    expect(seen[2]?.options).not.toHaveProperty('tools')
  })

  it('are counted as they will be', async () => {
    const prompt = { messages: [user('héllo')], system: 's', tools, ...think }
    const { body } = await server.post(`${path}/count_tokens`, { model: 'hadal', ...prompt })
    const { body: answer } = await server.post(path, { ...base, ...prompt })
    expect(body).toEqual({ input_tokens: answer.usage.input_tokens })
    const { countTokens: _, ...model } = echoModel()
    const other = testServer({ model: { ...model, stats: {} as Loose } })
    const refused = await other.post(`${path}/count_tokens`, { messages: [user('x')] })
    expect(refused).toMatchObject({ status: 501, body: { error: { type: 'api_error' } } })
  })

  const image = { type: 'image', source: { type: 'url', url: 'http://169.254.169.254/' } }
  const result = { type: 'tool_result', tool_use_id: 't1', content: '1' }
  const use = { type: 'tool_use', id: 't1', name: 'add', input: {} }
  it.each([
    ['no max_tokens', { messages: [user('x')], max_tokens: undefined }, 'max_tokens'],
    ['no messages', { messages: [] }, 'messages'],
    [
      'an image',
      { messages: [user('x'), { role: 'user', content: [image] }] },
      'messages[1].content[0].type',
    ],
    [
      'a result alone',
      { messages: [{ role: 'user', content: [result] }] },
      'messages[0].content[0].tool_use_id',
    ],
    [
      'a result of the assistant',
      { messages: [{ role: 'assistant', content: [result] }] },
      'messages[0].content[0].type',
    ],
    [
      'thinking of the user',
      { messages: [{ role: 'user', content: [{ type: 'thinking', thinking: '' }] }] },
      'messages[0].content[0].type',
    ],
    [
      'a use without result',
      { messages: [user('x'), { role: 'assistant', content: [use] }] },
      'messages[1]',
    ],
    [
      'a search tool',
      { messages: [user('x')], tools: [{ type: 'web_search_20250305', name: 'web_search' }] },
      'tools[0].type',
    ],
    [
      'another choice',
      { messages: [user('x')], tools, tool_choice: { type: 'tool', name: 'b' } },
      'tool_choice.name',
    ],
    ['unknown fields', { messages: [user('x')], n: 2 }, 'n'],
  ])('are refused with %s', async (_, more, where) => {
    const { status, body } = await server.post(path, { ...base, ...more })
    expect(status).toBe(400)
    expect(body).toMatchObject({
      ...{ type: 'error', request_id: expect.stringMatching(/^req_/) },
      error: { type: 'invalid_request_error', message: expect.stringContaining(`${where}: `) },
    })
  })
})

describe('the stream', () => {
  const types = (chunks: readonly Loose[]) =>
    chunks.map((e) => e.delta?.type ?? e.type).filter((t, i, all) => t !== all[i - 1])

  it('opens and closes every block', async () => {
    const { chunks, done } = await server.stream(path, {
      ...{ ...base, messages: [user(`hm\n[[/think]]\n\nyes${calls(1)}`)], tools, ...think },
    })
    expect(types(chunks)).toEqual([
      ...['message_start', 'ping', 'content_block_start', 'thinking_delta', 'signature_delta'],
      ...['content_block_stop', 'content_block_start', 'text_delta', 'content_block_stop'],
      ...['content_block_start', 'input_json_delta', 'content_block_stop'],
      ...['message_delta', 'message_stop'],
    ])
    const of = (type: string) => chunks.filter((e) => e.type === type)
    expect(of('content_block_start').map((e) => e.index)).toEqual([0, 1, 2])
    const json = of('content_block_delta')
      .map((e) => e.delta.partial_json ?? '')
      .join('')
    expect(JSON.parse(json)).toEqual({ city: 'Oslo' })
    const [start, end] = [chunks[0], of('message_delta')[0]]
    expect(end.delta).toEqual({ stop_reason: 'tool_use', stop_sequence: null })
    // The beginning knows the whole prompt, the end also what the prefix cache had of it.
    const { input_tokens: read, cache_read_input_tokens: cached } = end.usage
    expect(start.message.usage.input_tokens).toBe(read + (cached ?? 0))
    expect(start.message.usage.input_tokens).toBeGreaterThan(10)
    expect(done).toBe(false)
  })

  it('leaves the text of the thinking out when asked so', async () => {
    const thinking = { type: 'enabled', budget_tokens: 100, display: 'omitted' }
    const { chunks } = await server.stream(path, {
      ...{ ...base, messages: [user('hm[[/think]]yes')], thinking },
    })
    expect(types(chunks)).not.toContain('thinking_delta')
    expect(types(chunks)).toContain('signature_delta')
  })

  it('tells of a failure in the middle, and refuses at once with a status', async () => {
    const burning = testServer({}, { poison: 'bur' })
    const { chunks } = await burning.stream(path, { ...base, messages: [user('burn')] })
    expect(chunks.at(-1)).toMatchObject({ type: 'error', error: { type: 'api_error' } })
    const long = { ...base, messages: [user('x'.repeat(5000))], stream: true }
    const { status, body } = await server.post(path, long)
    expect([status, body.error.type]).toEqual([400, 'invalid_request_error'])
  })
})

describe('silence', () => {
  const slow = () => testServer({ limits: { commentMs: 5 } }, { delay: 40, poison: 'burn' })

  it('is filled with pings', async () => {
    const { chunks, comments } = await slow().stream(path, { ...base, messages: [user('x')] })
    expect(chunks.filter((e) => e.type === 'ping').length).toBeGreaterThan(2)
    expect(comments).toBe(0)
  })

  it('is filled with blanks before a whole answer, or before what went wrong', async () => {
    const server = slow()
    const send = async (content: string) => {
      const body = JSON.stringify({ ...base, messages: [user(content)] })
      const headers = { 'content-type': 'application/json' }
      return (await server.fetch(path, { method: 'POST', headers, body })).text()
    }
    expect(await send('xy')).toMatch(/^\n+\{"id"/)
    const failed = await send('it will burn')
    expect(failed).toMatch(/^\n+\{/)
    expect(JSON.parse(failed)).toMatchObject({ type: 'error', error: { type: 'api_error' } })
  })
})

describe('errors', () => {
  const keyed = testServer({ apiKeys: ['secret'] })
  it.each([
    ['no key', path, {}, 401, 'authentication_error'],
    ['a wrong key', path, { 'x-api-key': 'other' }, 401, 'authentication_error'],
    ['another model', path, { 'x-api-key': 'secret' }, 404, 'not_found_error'],
    ['another path', `${path}/batches`, { 'x-api-key': 'secret' }, 404, 'not_found_error'],
  ])('have Anthropic’s shape: %s', async (_, where, headers, status, type) => {
    const body = { ...base, model: 'claude', messages: [user('x')] }
    const reply = await keyed.post(where, body, { 'anthropic-version': '2023-06-01', ...headers })
    expect(reply).toMatchObject({ status, body: { type: 'error', error: { type } } })
  })

  it('come with Retry-After when the server is busy', async () => {
    const full = testServer({ maxQueue: 0 }, { limits: { maxSequences: 1 }, delay: 5 })
    const send = () => full.post(path, { ...base, messages: [user('[[x*50]]')] })
    const [, second] = await Promise.all([send(), send()])
    expect(second).toMatchObject({ status: 429, body: { error: { type: 'rate_limit_error' } } })
    expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0)
  })

  it('answer under DeepSeek’s path too', async () => {
    const { body } = await server.post('/anthropic/v1/messages', { ...base, messages: [user('x')] })
    expect(body.content[0].text).toBe('x')
  })
})
