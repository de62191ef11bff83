// OpenAI's own client for Node on every endpoint that it knows of ours.
import OpenAI, { APIError, AuthenticationError, BadRequestError, NotFoundError } from 'openai'
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
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
  new OpenAI({ baseURL: `${at().url}/v1`, apiKey: 'none', fetch: at().judge.fetch, ...more })
const user = (content: string) => ({ role: 'user' as const, content })
const model = 'hadal'
const think = { thinking: { type: 'enabled' } } as object
const weather = {
  type: 'function' as const,
  function: {
    name: 'weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } } },
  },
}
const weatherCall = callScript(['weather', { city: 'Oslo' }])
const Answer = z.object({ number: z.number(), unit: z.string() })
const answer = { number: 7, unit: 'km' }

interface WithReasoning {
  reasoning_content?: string | null
}

describe('openai: chat', () => {
  it('answers whole, with thinking apart and usage', async () => {
    const messages = [user(thinkScript)]
    const { choices, usage } = await client().chat.completions.create({ model, messages, ...think })
    expect(choices[0]?.message.content).toBe('forty-two')
    expect((choices[0]?.message as WithReasoning | undefined)?.reasoning_content).toBe(
      'first this, \nthen that',
    )
    expect(usage?.prompt_tokens_details?.cached_tokens).toBe(cachedTokens)
    expect(usage?.completion_tokens_details?.reasoning_tokens).toBeGreaterThan(10)
    expect(usage?.total_tokens).toBe((usage?.prompt_tokens ?? 0) + (usage?.completion_tokens ?? 0))
  })

  it('streams the same, usage last', async () => {
    const stream = await client().chat.completions.create({
      ...{ model, messages: [user(thinkScript)], stream: true, ...think },
      stream_options: { include_usage: true },
    })
    const texts = { content: '', reasoning: '' }
    let usage: OpenAI.CompletionUsage | null | undefined
    for await (const chunk of stream) {
      const delta = chunk.choices[0]?.delta
      texts.content += delta?.content ?? ''
      texts.reasoning += (delta as WithReasoning | undefined)?.reasoning_content ?? ''
      usage = chunk.usage
    }
    expect(texts).toEqual({ content: 'forty-two', reasoning: 'first this, \nthen that' })
    expect(usage?.prompt_tokens_details?.cached_tokens).toBe(cachedTokens)
  })

  it('gives several choices, log-probabilities and stops', async () => {
    const { choices } = await client().chat.completions.create({
      ...{ model, messages: [user('abc def')], n: 2, seed: 3, stop: [' de'] },
      ...{ logprobs: true, top_logprobs: 2 },
    })
    expect(choices.map((c) => c.message.content)).toEqual(['abc', 'abc'])
    expect(choices[0]?.logprobs?.content?.map((l) => l.token).join('')).toContain('abc')
    expect(choices[0]?.logprobs?.content?.[0]?.top_logprobs).toHaveLength(2)
  })

  it('collects with .stream()', async () => {
    const runner = client().chat.completions.stream({ model, messages: [user('some words')] })
    const seen: string[] = []
    runner.on('content', (delta) => seen.push(delta))
    expect(await runner.finalContent()).toBe('some words')
    expect(seen.join('')).toBe('some words')
    expect((await runner.finalChatCompletion()).choices[0]?.finish_reason).toBe('stop')
    // Each chunk overwrites fields that it does not know (7.57): the thinking is to be read from the stream.
    const thought = client().chat.completions.stream({
      model,
      messages: [user(thinkScript)],
      ...think,
    })
    const { message } = (await thought.finalChatCompletion()).choices[0] ?? {}
    expect((message as WithReasoning | undefined)?.reasoning_content).toBeNull()
    expect(message?.content).toBe('forty-two')
  })

  it('calls tools, whole and streamed', async () => {
    const content = callScript(['weather', { city: 'Oslo' }], ['weather', { city: 'Bergen' }])
    const request = { model, messages: [user(content)], tools: [weather] }
    const { choices } = await client().chat.completions.create(request)
    const expected = [
      { type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } },
      { type: 'function', function: { name: 'weather', arguments: '{"city":"Bergen"}' } },
    ]
    expect(choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: expected },
    })
    const streamed = await client().chat.completions.stream(request).finalChatCompletion()
    expect(streamed.choices[0]?.message.tool_calls).toMatchObject(expected)
    const once = await client().chat.completions.create({ ...request, parallel_tool_calls: false })
    expect(once.choices[0]?.message.tool_calls).toHaveLength(1)
  })

  it.each([false, true])('runs a loop of tools (thinking: %s)', async (thinks) => {
    const asked: unknown[] = []
    const run = (args: unknown) => {
      asked.push(args)
      return 'rain'
    }
    const tool = { ...weather, function: { ...weather.function, function: run, parse: JSON.parse } }
    const content = thinks ? `let me see\n[[/think]]\n\n${weatherCall}` : weatherCall
    const runner = client().chat.completions.runTools({
      ...{ model, messages: [user(content)], ...(thinks && think) },
      tools: [tool as never],
    })
    expect(await runner.finalContent()).toBe('the tools say rain')
    expect(asked).toEqual([{ city: 'Oslo' }])
    const last = at().seen.at(-1)?.messages ?? []
    expect(last.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool'])
    // The helper drops the thinking from its own loop (7.57); DeepSeek's API refuses that, ours must not.
    expect(last[1]?.reasoning).toBeUndefined()
  })

  it('parses by a schema, and hands the schema on', async () => {
    const { choices } = await client().chat.completions.parse({
      ...{ model, messages: [user(JSON.stringify(answer))] },
      response_format: zodResponseFormat(Answer, 'answer'),
    })
    expect(choices[0]?.message.parsed).toEqual(answer)
    expect(at().seen.at(-1)?.options.responseFormat).toMatchObject({
      ...{ type: 'json_schema', name: 'answer', strict: true },
      schema: { type: 'object', properties: { number: { type: 'number' } } },
    })
  })
})

describe('openai: completions and models', () => {
  it('continues text', async () => {
    const request = { model, prompt: 'abc', max_tokens: 4 }
    const whole = await client().completions.create(request)
    expect(whole.choices[0]?.text).toMatch(/^[a-z]{4}$/)
    let text = ''
    for await (const chunk of await client().completions.create({ ...request, stream: true }))
      text += chunk.choices[0]?.text ?? ''
    expect(text).toBe(whole.choices[0]?.text)
  })

  it('lists models', async () => {
    const ids: string[] = []
    for await (const { id } of client().models.list()) ids.push(id)
    expect(ids).toEqual(['hadal', 'deepseek-chat', 'deepseek-reasoner'])
    expect((await client().models.retrieve('hadal')).owned_by).toBe('hadal')
  })
})

describe('openai: responses', () => {
  const reasoning = { effort: 'high' as const }
  const tools = [{ type: 'function' as const, strict: true, ...weather.function }]

  it('answers whole', async () => {
    const response = await client().responses.create({ model, input: thinkScript, reasoning })
    expect(response.output_text).toBe('forty-two')
    const [thought] = response.output
    expect(thought).toMatchObject({
      ...{ type: 'reasoning', summary: [] },
      content: [{ type: 'reasoning_text', text: 'first this, \nthen that' }],
    })
    expect(response.usage?.input_tokens_details.cached_tokens).toBe(cachedTokens)
    expect(response.usage?.output_tokens_details.reasoning_tokens).toBeGreaterThan(10)
  })

  it('streams every event, and collects with .stream()', async () => {
    const request = { model, input: thinkScript, reasoning }
    const texts = { output: '', reasoning: '' }
    const types = new Set<string>()
    for await (const event of await client().responses.create({ ...request, stream: true })) {
      types.add(event.type)
      if (event.type === 'response.output_text.delta') texts.output += event.delta
      if (event.type === 'response.reasoning_text.delta') texts.reasoning += event.delta
    }
    expect(texts).toEqual({ output: 'forty-two', reasoning: 'first this, \nthen that' })
    expect(types.has('response.completed')).toBe(true)
    const final = await client().responses.stream(request).finalResponse()
    expect(final.output_text).toBe('forty-two')
    expect(final.output.map(({ type }) => type)).toEqual(['reasoning', 'message'])
  })

  it('goes round with tools, by sending everything back and by the id', async () => {
    const first = await client().responses.create({ model, input: weatherCall, tools })
    const call = first.output.find((item) => item.type === 'function_call')
    expect(call).toMatchObject({ name: 'weather', arguments: '{"city":"Oslo"}' })
    const output = {
      ...{ type: 'function_call_output' as const, output: 'rain' },
      call_id: call?.type === 'function_call' ? call.call_id : '',
    }
    const input = [user(weatherCall), ...first.output, output] as OpenAI.Responses.ResponseInput
    const stateless = await client().responses.create({ model, input, tools, store: false })
    expect(stateless.output_text).toBe('the tools say rain')
    const byId = await client().responses.create({
      ...{ model, input: [output], tools, previous_response_id: first.id },
    })
    expect(byId.output_text).toBe('the tools say rain')
  })

  it('parses by a schema', async () => {
    const response = await client().responses.parse({
      ...{ model, input: JSON.stringify(answer) },
      text: { format: zodTextFormat(Answer, 'answer') },
    })
    expect(response.output_parsed).toEqual(answer)
    expect(at().seen.at(-1)?.options.responseFormat).toMatchObject({ type: 'json_schema' })
  })

  it('finds and deletes what is in memory', async () => {
    const { id, output_text } = await client().responses.create({ model, input: 'hi' })
    expect((await client().responses.retrieve(id)).output_text).toBe(output_text)
    await client().responses.delete(id)
    await expect(client().responses.retrieve(id)).rejects.toBeInstanceOf(NotFoundError)
  })
})

describe('openai: when it goes wrong', () => {
  it.each([
    ['by break', (stream: { controller: AbortController }) => stream],
    ['by abort', (stream: { controller: AbortController }) => stream.controller.abort()],
  ])('stops the work when a stream is left %s', async (_, leave) => {
    const stream = await client().chat.completions.create({
      ...{ model, messages: [user('[[x*3000]]')], stream: true },
    })
    let chunks = 0
    for await (const _chunk of stream) {
      if (++chunks < 5) continue
      leave(stream)
      break
    }
    await until(() => isIdle(at()))
  })

  it('stops the work when a signal fires before the answer', async () => {
    const abort = new AbortController()
    const asked = client().chat.completions.create(
      { model, messages: [user('[[x*3000]]')] },
      { signal: abort.signal },
    )
    await until(() => at().model.stats.running > 0)
    abort.abort()
    await expect(asked).rejects.toBeInstanceOf(OpenAI.APIUserAbortError)
    await until(() => isIdle(at()))
  })

  it('has the field and the code of what was refused', async () => {
    const wrong = await client()
      .chat.completions.create({ model, messages: [user('x')], temperature: 9 })
      .catch((error) => error)
    expect(wrong).toBeInstanceOf(BadRequestError)
    expect(wrong).toMatchObject({ status: 400, param: 'temperature', code: 'invalid_value' })
    expect(wrong.message).toContain('at most 2')
    const other = client().chat.completions.create({ model: 'gpt-4', messages: [user('x')] })
    await expect(other).rejects.toBeInstanceOf(NotFoundError)
    const lost = client().responses.create({ model, input: 'x', previous_response_id: 'resp_1' })
    await expect(lost).rejects.toMatchObject({ code: 'previous_response_not_found' })
  })

  it('needs the key that the server has', async () => {
    const server = await scripted({ apiKeys: ['secret'] })
    const ask = (apiKey: string) =>
      new OpenAI({ baseURL: `${server.url}/v1`, apiKey }).models.list()
    await expect(ask('other')).rejects.toBeInstanceOf(AuthenticationError)
    expect((await ask('secret')).data).toHaveLength(3)
    await server.close()
  })

  it('tries again when the queue is full', async () => {
    const server = await scripted({ maxQueue: 0 }, { delay: 5, limits: { maxSequences: 1 } })
    const { fetch } = server.judge
    const busy = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', fetch })
    const ask = (content: string, options = {}) =>
      busy.chat.completions.create({ model, messages: [user(content)] }, options)
    const long = ask('[[x*60]]')
    await until(() => server.model.stats.running > 0)
    await expect(ask('no', { maxRetries: 0 })).rejects.toMatchObject({ status: 429 })
    const { choices } = await ask('later')
    expect(choices[0]?.message.content).toBe('later')
    expect((await long).choices[0]?.message.content).toHaveLength(60)
    expect(server.judge.sent).toBeGreaterThan(3)
    await server.judge.settle()
    await server.close()
  })

  it('throws an error in the middle of a stream', async () => {
    const server = await scripted({}, { poison: 'burn' })
    const { fetch } = server.judge
    const burning = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', fetch })
    const read = async () => {
      const request = { model, messages: [user('it will bu[[rn]]')], stream: true as const }
      for await (const _ of await burning.chat.completions.create(request));
    }
    await expect(read()).rejects.toBeInstanceOf(APIError)
    const types: string[] = []
    const input = 'it will bu[[rn]]'
    for await (const event of await burning.responses.create({ model, input, stream: true }))
      types.push(event.type)
    expect(types.at(-1)).toBe('response.failed')
    await server.judge.settle()
    await server.close()
  })
})
