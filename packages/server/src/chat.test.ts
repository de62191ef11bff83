// DeepSeek's chat wire, whole and in pieces, on a model that says what it is told.
import { describe, expect, it } from 'vitest'
import { joined, type Loose, testServer, user } from './testdata/client.ts'

const path = '/v1/chat/completions'
const server = testServer()
const ask = (content: string, more = {}) =>
  server.post(path, { messages: [user(content)], ...more })
const thinking = { thinking: { type: 'enabled' } }

describe('the whole answer', () => {
  it('has message, usage and what Hadal adds', async () => {
    const { status, body, headers } = await ask('hello ✓ 😀')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f]{32}$/),
      object: 'chat.completion',
      model: 'hadal',
      system_fingerprint: expect.stringMatching(/^fp_[0-9a-f]{10}$/),
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'hello ✓ 😀' },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
    })
    expect(body.choices[0].message).not.toHaveProperty('reasoning_content')
    const { usage } = body
    expect(usage.completion_tokens).toBe(Buffer.byteLength('hello ✓ 😀'))
    expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens)
    expect(usage.prompt_cache_hit_tokens + usage.prompt_cache_miss_tokens).toBe(usage.prompt_tokens)
    expect(body.hadal).toMatchObject({
      ttft_ms: expect.any(Number),
      reasoning_ms: 0,
      stopped: null,
    })
    expect(headers.get('x-request-id')).toMatch(/^req_/)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  })

  it('keeps the thinking apart', async () => {
    const { body } = await ask('hm\n[[/think]]\n\nyes', thinking)
    expect(body.choices[0].message).toEqual({
      role: 'assistant',
      content: 'yes',
      reasoning_content: 'hm',
    })
    expect(body.usage.completion_tokens_details.reasoning_tokens).toBe(3)
    expect(body.hadal.reasoning_ms).toBeGreaterThan(0)
  })

  it.each([
    ['deepseek-reasoner thinks', { model: 'deepseek-reasoner' }, 'hm'],
    ['deepseek-chat does not', { model: 'deepseek-chat' }, undefined],
    ['reasoning_effort', { reasoning_effort: 'high' }, 'hm'],
    ['effort none', { model: 'deepseek-reasoner', reasoning_effort: 'none' }, undefined],
    [
      'the word thinking wins',
      { reasoning_effort: 'high', thinking: { type: 'disabled' } },
      undefined,
    ],
    ['the template switch', { chat_template_kwargs: { thinking: true } }, 'hm'],
  ])('switches thinking: %s', async (_, more, reasoning) => {
    const script = reasoning ? 'hm[[/think]]yes' : 'yes'
    const { body } = await ask(script, more)
    expect(body.choices[0].message.reasoning_content).toBe(reasoning)
    expect(body.choices[0].message.content).toBe('yes')
  })

  it('closes the thinking when its budget is used up', async () => {
    for (const more of [
      { max_reasoning_tokens: 4 },
      { ...thinking, thinking: { type: 'enabled', budget_tokens: 4 } },
    ]) {
      const { body } = await ask('abcdefghijklm', { ...thinking, ...more })
      expect(body.choices[0].message.reasoning_content).toBe('abcd')
      expect(body.usage.completion_tokens_details.reasoning_tokens).toBe(4)
    }
  })

  it('ends at max_tokens and at stop texts', async () => {
    const cut = await ask('abcdefgh', { max_tokens: 3 })
    expect(cut.body.choices[0]).toMatchObject({
      message: { content: 'abc' },
      finish_reason: 'length',
    })
    const newer = await ask('abcdefgh', { max_completion_tokens: 2, max_tokens: 5 })
    expect(newer.body.choices[0].message.content).toBe('ab')
    const stopped = await ask('one STOP two', { stop: ['xx', 'STOP'] })
    expect(stopped.body.choices[0]).toMatchObject({
      message: { content: 'one ' },
      finish_reason: 'stop',
    })
    // H34: over a boundary of characters.
    expect((await ask('a停止b', { stop: '停止' })).body.choices[0].message.content).toBe('a')
  })

  it('gives several choices', async () => {
    const { body } = await ask('same', { n: 3, seed: -5 })
    expect(body.choices.map((c: Loose) => c.message.content)).toEqual(['same', 'same', 'same'])
    expect(body.choices.map((c: Loose) => c.index)).toEqual([0, 1, 2])
    expect(body.usage.completion_tokens).toBe(12)
    const { body: one } = await ask('same')
    expect(body.usage.prompt_tokens).toBe(one.usage.prompt_tokens)
  })

  it('gives log-probabilities of answer and thinking', async () => {
    const { body } = await ask('hm\n[[/think]]\n\n✓', {
      ...thinking,
      logprobs: true,
      top_logprobs: 2,
    })
    const { content, reasoning_content } = body.choices[0].logprobs
    expect(reasoning_content.map((t: Loose) => t.token).join('')).toBe('hm')
    expect(Buffer.from(content.flatMap((t: Loose) => t.bytes)).toString()).toBe('✓')
    expect(content[0].top_logprobs).toHaveLength(2)
    expect(content[0].logprob).toBeLessThanOrEqual(0)
  })

  it('goes on from a beginning, in the answer and in the thinking', async () => {
    const begun = (message: object) =>
      server.post(path, {
        messages: [user('abcdef'), { role: 'assistant', prefix: true, ...message }],
      })
    expect((await begun({ content: 'abc' })).body.choices[0].message.content).toBe('def')
    const inside = await begun({ content: '', reasoning_content: 'ab' })
    expect(inside.body.choices[0].message).toMatchObject({ content: '', reasoning_content: 'cdef' })
  })

  it('takes the wire as clients send it', async () => {
    const { status } = await server.post(path, {
      model: 'hadal',
      messages: [
        { role: 'developer', content: [{ type: 'text', text: 'be brief' }] },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
          name: 'me',
        },
        {
          role: 'assistant',
          content: 'old',
          reasoning_content: 'old thought',
          refusal: null,
          annotations: [],
          audio: null,
          function_call: null,
          tool_calls: null,
        },
        user('x'),
      ],
      ...{
        user: 'u',
        metadata: { a: 'b' },
        store: false,
        service_tier: 'auto',
        prompt_cache_key: 'k',
      },
      ...{ temperature: 0.7, top_p: 0.9, presence_penalty: 0.1, frequency_penalty: -0.1, seed: 1 },
      ...{
        top_k: 5,
        min_p: 0.1,
        repetition_penalty: 1.1,
        logit_bias: { '5': -100 },
        stop: null,
        n: null,
      },
      ...{
        response_format: { type: 'text' },
        parallel_tool_calls: true,
        tools: [],
        max_tokens: null,
      },
    })
    expect(status).toBe(200)
  })

  it('answers under every path', async () => {
    for (const other of [path, '/chat/completions'])
      expect((await server.post(other, { messages: [user('x')] })).status).toBe(200)
  })
})

describe('the stream', () => {
  it('begins with the role, ends once, and says [DONE]', async () => {
    const { chunks, done, headers } = await server.stream(path, {
      messages: [user('hm\n[[/think]]\n\nyes ✓')],
      ...thinking,
    })
    expect(headers.get('content-type')).toContain('text/event-stream')
    expect(chunks[0].choices[0].delta).toEqual({
      role: 'assistant',
      content: null,
      reasoning_content: '',
    })
    expect(joined(chunks)).toMatchObject({
      content: 'yes ✓',
      reasoning: 'hm',
      finish: ['stop'],
      roles: 1,
    })
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1)
    expect(chunks.every((chunk) => !('usage' in chunk))).toBe(true)
    expect(chunks.at(-1).hadal.ttft_ms).toBeGreaterThanOrEqual(0)
    expect(chunks.slice(0, -1).every((chunk) => !('hadal' in chunk))).toBe(true)
    expect(done).toBe(true)
  })

  it('never mixes the two texts in a chunk, and never repeats one', async () => {
    const { chunks } = await server.stream(path, { messages: [user('a[[/think]]b')], ...thinking })
    for (const { choices } of chunks) {
      const { content, reasoning_content } = choices[0].delta
      expect(Boolean(content) && Boolean(reasoning_content)).toBe(false)
    }
  })

  it('sends usage last when asked, and null before', async () => {
    const { chunks } = await server.stream(path, {
      messages: [user('hi')],
      stream_options: { include_usage: true },
    })
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 2 }, hadal: {} })
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true)
  })

  it('keeps several choices apart', async () => {
    const { chunks } = await server.stream(path, { messages: [user('abc')], n: 3 })
    for (const index of [0, 1, 2])
      expect(joined(chunks, index)).toMatchObject({ content: 'abc', finish: ['stop'], roles: 1 })
    expect(chunks.filter((chunk) => 'hadal' in chunk)).toHaveLength(1)
  })

  it('carries log-probabilities beside the text', async () => {
    const { chunks } = await server.stream(path, { messages: [user('é!')], logprobs: true })
    const all = chunks.flatMap((chunk) => chunk.choices[0].logprobs?.content ?? [])
    expect(Buffer.from(all.flatMap((t: Loose) => t.bytes)).toString()).toBe('é!')
  })

  it('says the same as the whole answer', async () => {
    const messages = [user('think [[/think]] then 😀 say')]
    const { chunks } = await server.stream(path, { messages, ...thinking })
    const { body } = await server.post(path, { messages, ...thinking })
    const { content, reasoning_content } = body.choices[0].message
    expect(joined(chunks)).toMatchObject({ content, reasoning: reasoning_content })
  })
})

const tool = (name: string) => ({
  type: 'function',
  function: {
    name,
    description: null,
    parameters: { type: 'object', properties: {} },
    strict: null,
  },
})
const tools = [tool('weather'), tool('time')]
const v31 =
  'ok[[calls]][[call]]weather[[sep]]{"city": "東京"}[[/call]][[call]]time[[sep]]{}[[/call]][[/calls]]'
const v3 =
  '[[calls]][[call]]function[[sep]]weather\n```json\n{"city": "Paris"}\n```[[/call]][[/calls]]'

describe('tools', () => {
  it('are called in the format of V3.1, several at once', async () => {
    const { body } = await ask(v31, { tools })
    const { message, finish_reason } = body.choices[0]
    expect(finish_reason).toBe('tool_calls')
    expect(message).toMatchObject({
      content: 'ok',
      tool_calls: [
        { type: 'function', function: { name: 'weather', arguments: '{"city": "東京"}' } },
        { type: 'function', function: { name: 'time', arguments: '{}' } },
      ],
    })
    const ids = message.tool_calls.map((call: Loose) => call.id)
    expect(new Set(ids).size).toBe(2)
    for (const id of ids) expect(id).toMatch(/^call_[0-9a-f]{24}$/)
  })

  it('are called in the format of V3 and R1', async () => {
    const { body } = await ask(v3, { tools })
    expect(body.choices[0]).toMatchObject({
      message: {
        content: '',
        tool_calls: [{ function: { name: 'weather', arguments: '{"city": "Paris"}' } }],
      },
      finish_reason: 'tool_calls',
    })
  })

  it.each([
    ['V3.1', v31],
    ['V3', v3],
  ])('stream their arguments in pieces (%s)', async (_, script) => {
    const { chunks } = await server.stream(path, { messages: [user(script)], tools })
    const out: Loose = joined(chunks)
    const { body } = await ask(script, { tools })
    const whole = body.choices[0].message.tool_calls
    expect(out.calls.map((call: Loose) => call.function)).toEqual(
      whole.map((call: Loose) => call.function),
    )
    expect(out.finish).toEqual(['tool_calls'])
    const first = chunks.filter((chunk) => chunk.choices[0].delta.tool_calls?.[0].index === 0)
    expect(first.length).toBeGreaterThan(3)
    expect(first[0].choices[0].delta.tool_calls[0]).toMatchObject({
      id: expect.stringMatching(/^call_/),
      type: 'function',
      function: { name: 'weather' },
    })
    for (const chunk of first.slice(1))
      expect(chunk.choices[0].delta.tool_calls[0]).not.toHaveProperty('id')
  })

  it('are called once when the client cannot take more', async () => {
    const { body } = await ask(v31, { tools, parallel_tool_calls: false })
    expect(body.choices[0].message.tool_calls).toHaveLength(1)
    expect(body.choices[0].finish_reason).toBe('tool_calls')
    const { chunks } = await server.stream(path, {
      ...{ messages: [user(v31)], tools, parallel_tool_calls: false },
    })
    expect(joined(chunks)).toMatchObject({ calls: [{}], finish: ['tool_calls'] })
    await server.model.engine.idle
  })

  it('say length when they are cut off', async () => {
    const { body } = await ask(v31, { tools, max_tokens: 20 })
    expect(body.choices[0].finish_reason).toBe('length')
    expect(body.choices[0].message.tool_calls[0].function.name).toBe('weather')
  })

  it('answer in a loop', async () => {
    const call = {
      id: 'call_1',
      type: 'function',
      function: { name: 'time', arguments: '{}' },
      index: 0,
    }
    const { status } = await server.post(path, {
      messages: [
        user('x'),
        { role: 'assistant', content: null, tool_calls: [call], reasoning_content: 'why' },
        { role: 'tool', tool_call_id: 'call_1', content: '12:00' },
      ],
      tools,
    })
    expect(status).toBe(200)
  })

  it('are not offered with tool_choice none', async () => {
    const { body } = await ask('x', { tools, tool_choice: 'none' })
    const { body: plain } = await ask('x')
    expect(body.usage.prompt_tokens).toBe(plain.usage.prompt_tokens)
  })
})
