// Anthropic's own client.
import Anthropic, { BadRequestError, NotFoundError, RateLimitError } from '@anthropic-ai/sdk'
import { describe, expect, it } from 'vitest'
import {
  cachedTokens,
  callScript,
  isIdle,
  scripted,
  scriptedServer,
  thinkScript,
  until,
} from './bench.ts'

const at = scriptedServer()
const client = (more = {}) =>
  new Anthropic({ baseURL: at().url, apiKey: 'none', fetch: at().judge.fetch, ...more })
const base = { model: 'hadal', max_tokens: 200 }
const user = (content: string) => ({ role: 'user' as const, content })
const think = { thinking: { type: 'enabled' as const, budget_tokens: 1024 } }
const tools = [
  {
    ...{ name: 'weather', description: 'of a city' },
    input_schema: { type: 'object' as const, properties: { city: { type: 'string' } } },
  },
]
const weatherCall = callScript(['weather', { city: 'Oslo' }])
const thought = { type: 'thinking', thinking: 'first this, \nthen that' }

describe('anthropic: messages', () => {
  it('answers whole, with thinking and usage', async () => {
    const message = await client().messages.create({
      ...{ ...base, ...think, messages: [user(thinkScript)], system: 'be brief' },
    })
    expect(message.content).toMatchObject([thought, { type: 'text', text: 'forty-two' }])
    expect(message.stop_reason).toBe('end_turn')
    expect(message.usage.cache_read_input_tokens).toBe(cachedTokens)
    expect(message.usage.input_tokens).toBeGreaterThan(cachedTokens)
    expect(message.usage.output_tokens_details?.thinking_tokens).toBeGreaterThan(10)
    expect(message._request_id).toMatch(/^req_/)
  })

  it('streams: every event, and collected', async () => {
    const request = { ...base, ...think, messages: [user(thinkScript)] }
    const texts = { text: '', thinking: '', signature: '' }
    for await (const event of await client().messages.create({ ...request, stream: true })) {
      if (event.type !== 'content_block_delta') continue
      if (event.delta.type === 'text_delta') texts.text += event.delta.text
      if (event.delta.type === 'thinking_delta') texts.thinking += event.delta.thinking
      if (event.delta.type === 'signature_delta') texts.signature += event.delta.signature
    }
    expect(texts).toMatchObject({ text: 'forty-two', thinking: thought.thinking })
    expect(texts.signature).not.toBe('')
    const stream = client().messages.stream(request)
    const heard = { text: '', thinking: '' }
    stream.on('text', (delta) => {
      heard.text += delta
    })
    stream.on('thinking', (delta) => {
      heard.thinking += delta
    })
    const final = await stream.finalMessage()
    expect(heard).toEqual({ text: 'forty-two', thinking: thought.thinking })
    expect(final.content).toMatchObject([thought, { type: 'text', text: 'forty-two' }])
    expect(final.usage.cache_read_input_tokens).toBe(cachedTokens)
    expect(final.usage.output_tokens).toBeGreaterThan(20)
  })

  it.each([
    ['max_tokens', 'abcdef', { max_tokens: 3 }, null],
    ['stop_sequence', 'abcdef', { stop_sequences: ['de'] }, 'de'],
  ])('says why it stopped: %s', async (reason, content, more, sequence) => {
    const request = { ...base, messages: [user(content)], ...more }
    const whole = await client().messages.create(request)
    const streamed = await client().messages.stream(request).finalMessage()
    for (const message of [whole, streamed])
      expect(message).toMatchObject({
        ...{ content: [{ text: 'abc' }], stop_reason: reason, stop_sequence: sequence },
      })
  })

  it.each([false, true])('goes round with tools (streamed: %s)', async (streamed) => {
    const content = `let me see\n[[/think]]\n\nI look.${weatherCall}`
    const request = { ...base, ...think, tools, messages: [user(content)] }
    const first = streamed
      ? await client().messages.stream(request).finalMessage()
      : await client().messages.create(request)
    expect(first.stop_reason).toBe('tool_use')
    expect(first.content).toMatchObject([
      { type: 'thinking', thinking: 'let me see' },
      { type: 'text', text: 'I look.' },
      { type: 'tool_use', name: 'weather', input: { city: 'Oslo' } },
    ])
    const [use] = first.content.filter((block) => block.type === 'tool_use')
    const result = { type: 'tool_result' as const, tool_use_id: use?.id ?? '', content: 'rain' }
    const messages = [
      ...request.messages,
      { role: 'assistant' as const, content: first.content as Anthropic.ContentBlockParam[] },
      { role: 'user' as const, content: [result] },
    ]
    const second = await client().messages.create({ ...request, messages })
    expect(second.content.at(-1)).toMatchObject({ type: 'text', text: 'the tools say rain' })
    expect(at().seen.at(-1)?.messages[1]).toMatchObject({ reasoning: 'let me see' })
  })

  it('hands choices and schemas on', async () => {
    const schema = { type: 'object', properties: { number: { type: 'number' } } }
    await client().messages.create({
      ...{ ...base, tools, messages: [user('{"number":7}')] },
      tool_choice: { type: 'tool', name: 'weather', disable_parallel_tool_use: true },
      output_config: { format: { type: 'json_schema', schema } },
    })
    expect(at().seen.at(-1)?.options).toMatchObject({
      ...{ toolChoice: { name: 'weather' }, responseFormat: { type: 'json_schema', schema } },
    })
  })

  it('counts tokens', async () => {
    const request = { model: 'hadal', messages: [user('how many?')], tools }
    const { input_tokens } = await client().messages.countTokens(request)
    const { usage } = await client().messages.create({ ...request, max_tokens: 50 })
    expect(input_tokens).toBe(usage.input_tokens + cachedTokens)
  })
})

describe('anthropic: when it goes wrong', () => {
  it('stops the work when a stream is left', async () => {
    const long = { ...base, max_tokens: 3000, messages: [user('[[x*3000]]')] }
    const stream = client().messages.stream(long)
    stream.on('text', () => stream.abort())
    await expect(stream.finalMessage()).rejects.toBeInstanceOf(Anthropic.APIUserAbortError)
    await until(() => isIdle(at()))
    for await (const event of await client().messages.create({ ...long, stream: true }))
      if (event.type === 'content_block_delta') break
    await until(() => isIdle(at()))
  })

  it('has errors of its classes', async () => {
    const image = { type: 'image' as const, source: { type: 'url' as const, url: 'http://x/' } }
    const content = [image]
    const refused = await client()
      .messages.create({ ...base, messages: [{ role: 'user', content }] })
      .catch((error) => error)
    expect(refused).toBeInstanceOf(BadRequestError)
    expect(refused).toMatchObject({ status: 400, type: 'invalid_request_error' })
    expect(refused.message).toContain('messages[0].content[0].type')
    const other = client().messages.create({ ...base, model: 'claude', messages: [user('x')] })
    await expect(other).rejects.toBeInstanceOf(NotFoundError)
  })

  it('sends its key, and tries again when the queue is full', async () => {
    const server = await scripted(
      { maxQueue: 0, apiKeys: ['secret'] },
      { delay: 5, limits: { maxSequences: 1 } },
    )
    const busy = new Anthropic({ baseURL: server.url, apiKey: 'secret' })
    const ask = (content: string, options = {}) =>
      busy.messages.create({ ...base, messages: [user(content)] }, options)
    const long = ask('[[x*60]]')
    await until(() => server.model.stats.running > 0)
    await expect(ask('no', { maxRetries: 0 })).rejects.toBeInstanceOf(RateLimitError)
    expect((await ask('later')).content).toMatchObject([{ text: 'later' }])
    await long
    await expect(
      new Anthropic({ baseURL: server.url, apiKey: 'x' }).messages.create({
        ...{ ...base, messages: [user('x')] },
      }),
    ).rejects.toBeInstanceOf(Anthropic.AuthenticationError)
    await server.close()
  })

  it('throws an error in the middle of a stream', async () => {
    const server = await scripted({}, { poison: 'burn' })
    const burning = new Anthropic({ baseURL: server.url, apiKey: 'x', fetch: server.judge.fetch })
    const stream = burning.messages.stream({ ...base, messages: [user('it will bu[[rn]]')] })
    await expect(stream.finalMessage()).rejects.toMatchObject({ type: 'api_error' })
    await server.judge.settle()
    await server.close()
  })
})
