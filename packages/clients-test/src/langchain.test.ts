// LangChain's DeepSeek package.
import { type AIMessageChunk, HumanMessage, type ToolMessage } from '@langchain/core/messages'
import { tool } from '@langchain/core/tools'
import { ChatDeepSeek } from '@langchain/deepseek'
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
const chat = (more = {}, { url, judge } = at()) =>
  new ChatDeepSeek({
    ...{ model: 'deepseek-reasoner', apiKey: 'none', maxRetries: 0 },
    configuration: { baseURL: `${url}/v1`, fetch: judge.fetch },
    ...more,
  })
const plain = { model: 'deepseek-chat' }
const weather = tool(async ({ city }: { city: string }) => `rain in ${city}`, {
  ...{ name: 'weather', description: 'the weather of a city' },
  schema: z.object({ city: z.string() }),
})
const weatherCall = callScript(['weather', { city: 'Oslo' }])
const schema = z.object({ number: z.number(), unit: z.string() })

describe('langchain: ChatDeepSeek', () => {
  it('answers, with thinking and usage', async () => {
    const message = await chat().invoke(thinkScript)
    expect(message.content).toBe('forty-two')
    expect(message.additional_kwargs.reasoning_content).toBe('first this, \nthen that')
    expect(message.usage_metadata).toMatchObject({
      ...{ input_token_details: { cache_read: cachedTokens } },
      output_token_details: { reasoning: expect.any(Number) },
    })
    expect(message.response_metadata.finish_reason).toBe('stop')
  })

  it('streams thinking, then text, then usage', async () => {
    const chunks: AIMessageChunk[] = []
    const kinds: string[] = []
    for await (const chunk of await chat().stream(thinkScript)) {
      const kind = chunk.additional_kwargs.reasoning_content ? 'thinking' : 'text'
      if ((chunk.content !== '' || kind === 'thinking') && kind !== kinds.at(-1)) kinds.push(kind)
      chunks.push(chunk)
    }
    const whole = chunks.reduce((sum, chunk) => sum.concat(chunk))
    expect(kinds).toEqual(['thinking', 'text'])
    expect(whole.content).toBe('forty-two')
    expect(whole.additional_kwargs.reasoning_content).toBe('first this, \nthen that')
    expect(whole.usage_metadata).toMatchObject({
      ...{ input_token_details: { cache_read: cachedTokens } },
      output_token_details: { reasoning: expect.any(Number) },
    })
  })

  it('answers several at once, and stops at stop texts', async () => {
    const messages = await chat(plain).batch(['abc', 'def', 'ghi'])
    expect(messages.map(({ content }) => content)).toEqual(['abc', 'def', 'ghi'])
    expect((await chat({ ...plain, stop: ['de'] }).invoke('abcdef')).content).toBe('abc')
  })

  it('goes round with bound tools, whole and streamed', async () => {
    const bound = chat(plain).bindTools([weather])
    const first = await bound.invoke(weatherCall)
    expect(first.tool_calls).toMatchObject([{ name: 'weather', args: { city: 'Oslo' } }])
    let streamed: AIMessageChunk | undefined
    for await (const chunk of await bound.stream(weatherCall))
      streamed = streamed?.concat(chunk) ?? chunk
    expect(streamed?.tool_calls).toMatchObject([{ name: 'weather', args: { city: 'Oslo' } }])
    const [call] = first.tool_calls ?? []
    const result: ToolMessage = await weather.invoke(call as never)
    const second = await bound.invoke([new HumanMessage(weatherCall), first, result])
    expect(second.content).toBe('the tools say rain in Oslo')
    await chat(plain).bindTools([weather], { tool_choice: 'weather' }).invoke(weatherCall)
    expect(at().seen.at(-1)?.options.toolChoice).toEqual({ name: 'weather' })
  })

  it.each([
    ['functionCalling', callScript(['extract', { number: 7, unit: 'km' }])],
    ['jsonMode', '{"number": 7, "unit": "km"}'],
    ['jsonSchema', '{"number": 7, "unit": "km"}'],
  ] as const)('gives structured output by %s', async (method, script) => {
    const structured = chat(plain).withStructuredOutput(schema, { name: 'extract', method })
    expect(await structured.invoke(script)).toEqual({ number: 7, unit: 'km' })
    const { responseFormat, toolChoice } = at().seen.at(-1)?.options ?? {}
    if (method === 'functionCalling') expect(toolChoice).toEqual({ name: 'extract' })
    if (method === 'jsonMode') expect(responseFormat).toEqual({ type: 'json_object' })
    if (method === 'jsonSchema') expect(responseFormat).toMatchObject({ type: 'json_schema' })
  })

  it('stops the work on abort', async () => {
    const abort = new AbortController()
    const read = async () => {
      let chunks = 0
      const stream = await chat(plain).stream('[[x*3000]]', { signal: abort.signal })
      for await (const _ of stream) if (++chunks === 5) abort.abort()
    }
    await read().catch(() => {})
    await until(() => isIdle(at()))
    for await (const _ of await chat(plain).stream('[[x*3000]]')) break
    await until(() => isIdle(at()))
  })

  it('throws what was refused and what failed, and tries again when the queue is full', async () => {
    const wrong = chat({ temperature: 9 }).invoke('x')
    await expect(wrong).rejects.toThrow(/temperature: expected at most 2/)
    const burning = await scripted({}, { poison: 'burn' })
    await expect(chat(plain, burning).invoke('it will bu[[rn]]')).rejects.toThrow()
    const read = async () => {
      for await (const _ of await chat(plain, burning).stream('it will bu[[rn]]'));
    }
    await expect(read()).rejects.toThrow(/the model failed/)
    await burning.judge.settle()
    await burning.close()
    const server = await scripted({ maxQueue: 0 }, { delay: 5, limits: { maxSequences: 1 } })
    const long = chat(plain, server).invoke('[[x*60]]')
    await until(() => server.model.stats.running > 0)
    const later = await chat({ ...plain, maxRetries: 3 }, server).invoke('later')
    expect(later.content).toBe('later')
    expect((await long).content).toHaveLength(60)
    await server.close()
  })
})
