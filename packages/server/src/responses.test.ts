// The Responses wire, whole and in events, on a model that says what it is told.

import { describe, expect, it } from 'vitest'
import { type Loose, testServer, user } from './testdata/client.ts'
import { recordingModel } from './testdata/echo.ts'
import { ResponseStore } from './wire/responses-store.ts'

const path = '/v1/responses'
const server = testServer()
const ask = (input: unknown, more = {}) => server.post(path, { input, ...more })
const think = { reasoning: { effort: 'high' } }
const tools = [
  {
    type: 'function',
    name: 'add',
    parameters: { type: 'object' },
    strict: true,
    description: null,
  },
]
const oneCall = (city = 'Oslo') =>
  `[[calls]][[call]]function[[sep]]add\n\`\`\`json\n{"city": "${city}"}\n\`\`\`[[/call]]`
const calls = (n: number) => `${oneCall().repeat(n)}[[/calls]]`

function recording() {
  const { model, seen } = recordingModel()
  return { seen, server: testServer({ model }) }
}

describe('the whole response', () => {
  it('has items, usage, and says again what was asked', async () => {
    const { status, body } = await ask('hello ✓', { metadata: { a: 'b' }, temperature: 0.5 })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      id: expect.stringMatching(/^resp_[0-9a-f]{32}$/),
      ...{ object: 'response', status: 'completed', error: null, incomplete_details: null },
      output: [
        {
          ...{ type: 'message', role: 'assistant', status: 'completed' },
          content: [{ type: 'output_text', text: 'hello ✓', annotations: [], logprobs: [] }],
        },
      ],
      ...{ metadata: { a: 'b' }, temperature: 0.5, store: true, truncation: 'disabled' },
      ...{ tools: [], tool_choice: 'auto', text: { format: { type: 'text' } } },
    })
    const { usage } = body
    expect(usage.output_tokens).toBe(Buffer.byteLength('hello ✓'))
    expect(usage.total_tokens).toBe(usage.input_tokens + usage.output_tokens)
    expect(body.completed_at).toBeGreaterThanOrEqual(body.created_at)
  })

  it('keeps the thinking as an item with its whole text', async () => {
    const { body } = await ask('hm\n[[/think]]\n\nyes', think)
    expect(body.output).toMatchObject([
      { type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text: 'hm' }] },
      { type: 'message', content: [{ text: 'yes' }] },
    ])
    expect(body.usage.output_tokens_details.reasoning_tokens).toBe(3)
    expect(body.reasoning).toEqual({ effort: 'high', summary: null })
  })

  it.each([
    ['effort', think, true],
    ['effort none', { model: 'deepseek-reasoner', reasoning: { effort: 'none' } }, false],
    ['the model’s name', { model: 'deepseek-reasoner' }, true],
    ['nothing', {}, false],
  ])('thinks or not by %s', async (_, more, thinks) => {
    const { body } = await ask('hm[[/think]]yes', more)
    expect(body.output.some((item: Loose) => item.type === 'reasoning')).toBe(thinks)
  })

  it('is incomplete when the tokens are used up', async () => {
    const { body } = await ask('abcdef', { max_output_tokens: 3 })
    expect(body).toMatchObject({
      ...{ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } },
      output: [{ status: 'incomplete', content: [{ text: 'abc' }] }],
      completed_at: null,
    })
  })

  it('gives log-probabilities when they are included', async () => {
    const include = ['message.output_text.logprobs']
    const { body } = await ask('hi', { include, top_logprobs: 2 })
    const [part] = body.output[0].content
    expect(part.logprobs.map((l: Loose) => l.token)).toEqual(['h', 'i'])
    expect(part.logprobs[0].top_logprobs).toHaveLength(2)
    expect((await ask('hi', { top_logprobs: 2 })).body.error.param).toBe('top_logprobs')
  })

  it('has calls as items, and only one when asked so', async () => {
    const { body } = await ask(`so:${calls(2)}`, { tools })
    expect(body.output).toMatchObject([
      { type: 'message', content: [{ text: 'so:' }] },
      { type: 'function_call', name: 'add', arguments: '{"city": "Oslo"}', status: 'completed' },
      { type: 'function_call', name: 'add' },
    ])
    expect(body.output[1].call_id).not.toBe(body.output[2].call_id)
    const one = await ask(`so:${calls(2)}`, { tools, parallel_tool_calls: false })
    expect(one.body.output).toHaveLength(2)
  })
})

describe('input', () => {
  it('gathers the assistant’s items into turns', async () => {
    const { seen, server } = recording()
    const { status } = await server.post(path, {
      instructions: 'be brief',
      input: [
        { role: 'developer', content: 'and kind' },
        { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'q' }] },
        {
          ...{ type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: null },
          content: [{ type: 'reasoning_text', text: 'hm' }],
        },
        { type: 'function_call', id: 'fc_1', call_id: 'c1', name: 'add', arguments: '{}' },
        { type: 'function_call', call_id: 'c2', name: 'add', arguments: '{}' },
        { type: 'function_call_output', call_id: 'c1', output: '1' },
        {
          ...{ type: 'function_call_output', call_id: 'c2' },
          output: [{ type: 'input_text', text: '2' }],
        },
        {
          ...{ id: 'msg_1', type: 'message', role: 'assistant', status: 'completed' },
          content: [{ type: 'output_text', text: 'three', annotations: [], logprobs: [] }],
        },
        { role: 'user', content: 'x' },
      ],
    })
    expect(status).toBe(200)
    const call = (id: string) => ({ id, name: 'add', arguments: '{}' })
    expect(seen[0]?.messages).toEqual([
      { role: 'system', content: 'be brief' },
      { role: 'system', content: 'and kind' },
      { role: 'user', content: 'q' },
      { role: 'assistant', content: '', reasoning: 'hm', toolCalls: [call('c1'), call('c2')] },
      { role: 'tool', content: '1', toolCallId: 'c1' },
      { role: 'tool', content: '2', toolCallId: 'c2' },
      { role: 'assistant', content: 'three' },
      { role: 'user', content: 'x' },
    ])
  })

  it('hands options on', async () => {
    const { seen, server } = recording()
    const schema = { type: 'object' }
    await server.post(path, {
      ...{ input: 'x', tools, tool_choice: { type: 'function', name: 'add' }, seed: 7, top_k: 4 },
      ...{ max_output_tokens: 9, top_p: 0.5, stop: 'z', presence_penalty: 1 },
      text: { format: { type: 'json_schema', name: 'n', schema, strict: true } },
    })
    expect(seen[0]?.options).toMatchObject({
      ...{ toolChoice: { name: 'add' }, topK: 4, topP: 0.5, maxTokens: 9, presencePenalty: 1 },
      ...{ stop: ['z'], seed: 7n },
      responseFormat: { type: 'json_schema', schema, name: 'n', strict: true },
      tools: [{ type: 'function', function: { name: 'add', parameters: { type: 'object' } } }],
    })
    await server.post(path, { input: 'x', text: { format: { type: 'json_object' } } })
    expect(seen[1]?.options.responseFormat).toEqual({ type: 'json_object' })
  })

  const image = { type: 'input_image', image_url: 'http://169.254.169.254/' }
  const output = { type: 'function_call_output', call_id: 'c1', output: '1' }
  const call = { type: 'function_call', call_id: 'c1', name: 'add', arguments: '{}' }
  it.each([
    ['nothing', undefined, {}, 'input'],
    ['no items', [], {}, 'input'],
    ['a number', 5, {}, 'input'],
    ['an image', [{ role: 'user', content: [image] }], {}, 'input[0].content[0].type'],
    ['an unknown item', [{ type: 'item_reference', id: 'x' }], {}, 'input[0].type'],
    ['an item without its field', [{ type: 'function_call', call_id: 'c' }], {}, 'input[0].name'],
    ['an output alone', [output], {}, 'input'],
    ['a call without output', [user('x'), call, user('y')], {}, 'input'],
    ['the assistant last', [{ role: 'assistant', content: 'x' }], {}, 'input'],
    ['the system alone', [{ role: 'system', content: 'x' }], {}, 'input'],
    ['a search tool', 'x', { tools: [{ type: 'web_search' }] }, 'tools[0].type'],
    ['a choice without tools', 'x', { tool_choice: 'required' }, 'tool_choice'],
    [
      'another choice',
      'x',
      { tools, tool_choice: { type: 'function', name: 'b' } },
      'tool_choice.name',
    ],
    ['cutting', 'x', { truncation: 'auto' }, 'truncation'],
    ['background', 'x', { background: true }, 'background'],
    ['a conversation', 'x', { conversation: 'c' }, 'conversation'],
    ['n', 'x', { n: 2 }, 'n'],
    ['unknown fields', 'x', { messages: [] }, 'messages'],
    ['no tokens', 'x', { max_output_tokens: 0 }, 'max_output_tokens'],
  ])('refuses %s', async (_, input, more, param) => {
    const { status, body } = await ask(input, more)
    expect({ status, param: body.error.param }).toEqual({ status: 400, param })
  })
})

describe('the stream', () => {
  const types = (chunks: readonly Loose[]) =>
    chunks.map((e) => e.type.replace('response.', '')).filter((t, i, all) => t !== all[i - 1])

  it('tells of every change, numbered', async () => {
    const { chunks, done } = await server.stream(path, {
      ...{ input: `hm\n[[/think]]\n\nyes${calls(1)}`, tools, ...think },
    })
    expect(types(chunks)).toEqual([
      ...['created', 'in_progress', 'output_item.added', 'content_part.added'],
      ...['reasoning_text.delta', 'reasoning_text.done', 'content_part.done', 'output_item.done'],
      ...['output_item.added', 'content_part.added', 'output_text.delta', 'output_text.done'],
      ...['content_part.done', 'output_item.done', 'output_item.added'],
      ...['function_call_arguments.delta', 'function_call_arguments.done', 'output_item.done'],
      'completed',
    ])
    expect(chunks.map((e) => e.sequence_number)).toEqual(chunks.map((_, i) => i))
    const of = (type: string) => chunks.filter((e) => e.type === type)
    const joined = (type: string) =>
      of(type)
        .map((e) => e.delta)
        .join('')
    expect(joined('response.reasoning_text.delta')).toBe('hm')
    expect(joined('response.output_text.delta')).toBe('yes')
    expect(joined('response.function_call_arguments.delta')).toBe('{"city": "Oslo"}')
    const items = of('response.output_item.done').map((e) => e.item)
    const { response } = chunks.at(-1)
    expect(response.output).toEqual(items)
    expect(response.usage.output_tokens).toBeGreaterThan(5)
    expect(chunks[0].response).toMatchObject({ status: 'in_progress', output: [], usage: null })
    expect(done).toBe(true)
  })

  it('ends incomplete', async () => {
    const { chunks } = await server.stream(path, { input: 'abcdef', max_output_tokens: 2 })
    expect(chunks.at(-1)).toMatchObject({
      type: 'response.incomplete',
      response: { incomplete_details: { reason: 'max_output_tokens' } },
    })
  })

  it('tells of a failure in the middle, and refuses at once with a status', async () => {
    const burning = testServer({}, { poison: 'bur' })
    const { chunks, done } = await burning.stream(path, { input: 'burn' })
    expect(chunks.at(-1)).toMatchObject({
      type: 'response.failed',
      response: { status: 'failed', error: { code: 'model_error' } },
    })
    expect(done).toBe(true)
    const long = { input: 'x'.repeat(5000), stream: true }
    expect((await server.post(path, long)).body.error.code).toBe('context_length_exceeded')
  })
})

describe('responses in memory', () => {
  it('are there until they are deleted', async () => {
    const { body } = await ask('hi')
    const got = await server.get(`${path}/${body.id}`)
    expect(got.body).toEqual(body)
    const remove = (id: string) => server.fetch(`${path}/${id}`, { method: 'DELETE' })
    expect(await (await remove(body.id)).json()).toEqual({
      ...{ id: body.id, object: 'response.deleted', deleted: true },
    })
    expect((await remove(body.id)).status).toBe(404)
    expect((await server.get(`${path}/${body.id}`)).status).toBe(404)
    const wrong = await server.post(`${path}/${body.id}`, {})
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, HEAD, DELETE'])
  })

  it('go on with what was said, without the instructions', async () => {
    const { seen, server } = recording()
    const first = await server.post(path, { input: 'hm[[/think]]one', instructions: 'a', ...think })
    const { body } = await server.post(path, {
      ...{ input: 'two', instructions: 'b', previous_response_id: first.body.id },
    })
    expect(body.previous_response_id).toBe(first.body.id)
    expect(seen[1]?.messages).toEqual([
      { role: 'system', content: 'b' },
      { role: 'user', content: 'hm[[/think]]one' },
      { role: 'assistant', content: 'one', reasoning: 'hm' },
      { role: 'user', content: 'two' },
    ])
  })

  it('take the outputs of their calls', async () => {
    const { seen, server } = recording()
    const { chunks } = await server.stream(path, { input: calls(1), tools })
    const { id, output } = chunks.at(-1).response
    const answer = { type: 'function_call_output', call_id: output[0].call_id, output: '3' }
    const next = { previous_response_id: id, tools }
    expect((await server.post(path, { ...next, input: [answer] })).status).toBe(200)
    expect(seen[1]?.messages.at(-2)?.toolCalls).toEqual([
      { id: output[0].call_id, name: 'add', arguments: '{"city": "Oslo"}' },
    ])
    expect((await server.post(path, { ...next, input: 'x' })).body.error.param).toBe('input')
  })

  it('are not kept when not wanted', async () => {
    const { body } = await ask('hi', { store: false })
    expect(body.store).toBe(false)
    const { body: next } = await ask('x', { previous_response_id: body.id })
    expect(next.error).toMatchObject({
      ...{ param: 'previous_response_id', code: 'previous_response_not_found' },
    })
    const none = testServer({ limits: { storedResponses: 0 } })
    expect((await none.post(path, { input: 'hi' })).body.store).toBe(false)
  })

  it('are bounded by number and bytes, the least used going first', () => {
    const stored = (id: string, text = 'x') =>
      ({ response: { id }, conversation: [user(text)] }) as Loose
    const store = new ResponseStore({ storedResponses: 3, storedBytes: 2100 })
    for (const id of ['a', 'b', 'c']) store.put(stored(id))
    store.get('a')
    store.put(stored('d'))
    expect(['a', 'b', 'c', 'd'].map((id) => store.get(id) !== undefined)).toEqual([
      ...[true, false, true, true],
    ])
    store.put(stored('e', 'y'.repeat(800)))
    expect([store.size, store.get('e') !== undefined]).toEqual([3, true])
    expect(store.bytes).toBeLessThanOrEqual(2100)
    store.put(stored('f', 'y'.repeat(5000)))
    expect(store.get('f')).toBeUndefined()
    for (const id of ['a', 'c', 'd', 'e']) store.delete(id)
    expect([store.size, store.bytes]).toEqual([0, 0])
  })
})
