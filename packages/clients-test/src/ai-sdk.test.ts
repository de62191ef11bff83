// Vercel's AI SDK through its two providers that fit our wire: DeepSeek's own, and the one for compatible servers.
import { createDeepSeek } from '@ai-sdk/deepseek'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import {
  APICallError,
  generateObject,
  generateText,
  type LanguageModel,
  stepCountIs,
  streamObject,
  streamText,
  tool,
} from 'ai'
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

Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })
const at = scriptedServer()
const setup = () => ({ baseURL: `${at().url}/v1`, apiKey: 'none', fetch: at().judge.fetch })
const providers: [string, (more?: object) => (id: string) => LanguageModel][] = [
  ['deepseek', (more = {}) => createDeepSeek({ ...setup(), ...more })],
  [
    'openai-compatible',
    (more = {}) =>
      createOpenAICompatible({
        ...{ name: 'hadal', includeUsage: true, supportsStructuredOutputs: true },
        ...{ ...setup(), ...more },
      }),
  ],
]
const weather = tool({
  description: 'the weather of a city',
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `rain in ${city}`,
})
const weatherCall = callScript(['weather', { city: 'Oslo' }])
const thinking = {
  deepseek: { thinking: { type: 'enabled' as const } },
  hadal: { reasoningEffort: 'high' },
}

describe.each(providers)('ai with @ai-sdk/%s', (name, provider) => {
  const ask = (prompt: string, id = 'deepseek-reasoner') => ({ model: provider()(id), prompt })

  it('generates, with thinking apart and usage', async () => {
    const { text, reasoningText, usage, finishReason } = await generateText(ask(thinkScript))
    expect({ text, reasoningText }).toEqual({
      ...{ text: 'forty-two', reasoningText: 'first this, \nthen that' },
    })
    expect(usage.inputTokenDetails.cacheReadTokens).toBe(cachedTokens)
    expect(usage.outputTokenDetails.reasoningTokens).toBeGreaterThan(10)
    expect(finishReason).toBe('stop')
  })

  it('streams reasoning, then text', async () => {
    const result = streamText({ ...ask(thinkScript, 'hadal'), providerOptions: thinking })
    const texts = { reasoning: '', text: '' }
    const kinds: string[] = []
    for await (const part of result.fullStream) {
      if (part.type === 'reasoning-delta') texts.reasoning += part.text
      if (part.type === 'text-delta') texts.text += part.text
      if (part.type !== kinds.at(-1)) kinds.push(part.type)
    }
    expect(texts).toEqual({ reasoning: 'first this, \nthen that', text: 'forty-two' })
    expect(kinds.lastIndexOf('reasoning-delta')).toBeLessThan(kinds.indexOf('text-delta'))
    const usage = await result.usage
    expect(usage.inputTokenDetails.cacheReadTokens).toBe(cachedTokens)
    expect(usage.outputTokenDetails.reasoningTokens).toBeGreaterThan(10)
  })

  it.each([
    ['generateText', weatherCall, 'deepseek-chat'],
    ['streamText', weatherCall, 'deepseek-chat'],
    ['generateText, thinking', `let me see\n[[/think]]\n\n${weatherCall}`, 'deepseek-reasoner'],
    ['streamText, thinking', `let me see\n[[/think]]\n\n${weatherCall}`, 'deepseek-reasoner'],
  ])('goes round with tools: %s', async (how, prompt, id) => {
    const options = { ...ask(prompt, id), tools: { weather }, stopWhen: stepCountIs(3) }
    const result = how.startsWith('stream') ? streamText(options) : await generateText(options)
    expect(await result.text).toBe('the tools say rain in Oslo')
    const [first] = await result.steps
    expect(first?.toolCalls).toMatchObject([{ toolName: 'weather', input: { city: 'Oslo' } }])
    expect(first?.finishReason).toBe('tool-calls')
    const [, assistant] = at().seen.at(-1)?.messages ?? []
    expect(assistant?.toolCalls).toHaveLength(1)
    if (id === 'deepseek-reasoner') expect(assistant?.reasoning).toBe('let me see')
  })

  it('chooses tools', async () => {
    const { toolCalls } = await generateText({
      ...{ ...ask(weatherCall, 'hadal'), tools: { weather }, toolChoice: 'required' },
    })
    expect(toolCalls).toHaveLength(1)
    expect(at().seen.at(-1)?.options.toolChoice).toBe('required')
  })

  const schema = z.object({ number: z.number(), unit: z.string() })
  it('generates an object, and hands the schema or JSON mode on', async () => {
    const object = { number: 7, unit: 'km' }
    const request = { ...ask(JSON.stringify(object), 'hadal'), schema }
    expect((await generateObject(request)).object).toEqual(object)
    const { responseFormat } = at().seen.at(-1)?.options ?? {}
    if (name === 'deepseek') expect(responseFormat).toEqual({ type: 'json_object' })
    else expect(responseFormat).toMatchObject({ type: 'json_schema', schema: { type: 'object' } })
    const stream = streamObject(request)
    let partials = 0
    for await (const _ of stream.partialObjectStream) partials++
    expect(partials).toBeGreaterThan(1)
    expect(await stream.object).toEqual(object)
    const wrong = generateObject({ ...ask('{"number": "x"}', 'hadal'), schema, maxRetries: 0 })
    await expect(wrong).rejects.toThrow(/schema/)
  })

  it('stops the work on abort', async () => {
    const abort = new AbortController()
    const result = streamText({
      ...{ ...ask('[[x*3000]]', 'hadal'), abortSignal: abort.signal, onError: () => {} },
    })
    let length = 0
    for await (const part of result.fullStream) {
      if (part.type === 'text-delta' && ++length === 5) abort.abort()
      if (part.type === 'abort') break
    }
    await until(() => isIdle(at()))
    expect(length).toBeLessThan(2900)
  })

  it('throws what was refused, and tries again when the queue is full', async () => {
    const wrong = generateText({ ...ask('x', 'hadal'), temperature: 9, maxRetries: 0 })
    await expect(wrong).rejects.toMatchObject({ statusCode: 400 })
    expect(APICallError.isInstance(await wrong.catch((error) => error))).toBe(true)
    await expect(wrong).rejects.toThrow(/temperature: expected at most 2/)
    const server = await scripted({ maxQueue: 0 }, { delay: 5, limits: { maxSequences: 1 } })
    const busy = provider({ baseURL: `${server.url}/v1`, fetch: server.judge.fetch })('hadal')
    const long = generateText({ model: busy, prompt: '[[x*60]]' })
    await until(() => server.model.stats.running > 0)
    expect((await generateText({ model: busy, prompt: 'later' })).text).toBe('later')
    expect((await long).text).toHaveLength(60)
    await server.judge.settle()
    await server.close()
  })

  it('reports an error in the middle of a stream', async () => {
    const server = await scripted({}, { poison: 'burn' })
    const burning = provider({ baseURL: `${server.url}/v1`, fetch: server.judge.fetch })('hadal')
    const result = streamText({ model: burning, prompt: 'it will bu[[rn]]', onError: () => {} })
    const kinds: string[] = []
    for await (const part of result.fullStream) kinds.push(part.type)
    expect(kinds).toContain('error')
    await server.judge.settle()
    await server.close()
  })
})
