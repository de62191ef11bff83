// Every client on the embedded model, which thinks and then answers.
import { createDeepSeek } from '@ai-sdk/deepseek'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import Anthropic from '@anthropic-ai/sdk'
import { ChatDeepSeek } from '@langchain/deepseek'
import { generateObject, generateText, streamText } from 'ai'
import OpenAI from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { embedded } from './bench.ts'

const question = 'What is 47 * 36?'
const messages = [{ role: 'user' as const, content: question }]
const model = 'hadal-nano'

let server: Awaited<ReturnType<typeof embedded>>

beforeAll(async () => {
  server = await embedded()
})
afterAll(async () => {
  await server.judge.settle()
  expect(server.judge.judged).toBeGreaterThan(100)
  await server.handle.drain(0)
  await server.llm.dispose()
})

const setup = () => ({
  ...{ baseURL: `${server.handle.url}/v1`, apiKey: 'none', fetch: server.judge.fetch },
})
const openai = () => new OpenAI(setup())
const anthropic = () => new Anthropic({ ...setup(), baseURL: server.handle.url })
interface Said {
  readonly reasoning: string
  readonly text: string
}

const asks: [string, () => Promise<Said>][] = [
  [
    'openai: chat',
    async () => {
      const request = { model, messages, temperature: 0, stream: true as const }
      const said = { reasoning: '', text: '' }
      for await (const { choices } of await openai().chat.completions.create(request)) {
        const delta = choices[0]?.delta as { content?: string; reasoning_content?: string }
        said.reasoning += delta?.reasoning_content ?? ''
        said.text += delta?.content ?? ''
      }
      return said
    },
  ],
  [
    'openai: responses',
    async () => {
      const request = { model, input: question, temperature: 0 }
      const { output, output_text } = await openai().responses.create(request)
      const reasoning = output.flatMap((item) =>
        item.type === 'reasoning' ? (item.content ?? []).map(({ text }) => text) : [],
      )
      return { reasoning: reasoning.join(''), text: output_text }
    },
  ],
  [
    'openai: responses, streamed',
    async () => {
      const said = { reasoning: '', text: '' }
      const request = { model, input: question, temperature: 0, stream: true as const }
      for await (const event of await openai().responses.create(request)) {
        if (event.type === 'response.reasoning_text.delta') said.reasoning += event.delta
        if (event.type === 'response.output_text.delta') said.text += event.delta
      }
      return said
    },
  ],
  [
    'anthropic',
    async () => {
      const stream = anthropic().messages.stream({
        ...{ model, messages, max_tokens: 500, thinking: { type: 'enabled', budget_tokens: 1024 } },
        ...({ temperature: 0 } as object),
      })
      const { content } = await stream.finalMessage()
      const of = (type: 'thinking' | 'text') =>
        content.map((b) => (b.type === type ? (b as never)[type] : '')).join('')
      return { reasoning: of('thinking'), text: of('text') }
    },
  ],
  [
    'ai, deepseek',
    async () => {
      const result = streamText({
        ...{ model: createDeepSeek(setup())(model), prompt: question, temperature: 0 },
      })
      return { text: await result.text, reasoning: (await result.reasoningText) ?? '' }
    },
  ],
  [
    'ai, openai-compatible',
    async () => {
      const provider = createOpenAICompatible({ name: 'hadal', ...setup() })
      const { text, reasoningText } = await generateText({
        ...{ model: provider(model), prompt: question, temperature: 0 },
      })
      return { text, reasoning: reasoningText ?? '' }
    },
  ],
  [
    'langchain',
    async () => {
      const { baseURL, fetch, apiKey } = setup()
      const chat = new ChatDeepSeek({
        ...{ model, apiKey, temperature: 0, configuration: { baseURL, fetch } },
      })
      const said = { reasoning: '', text: '' }
      for await (const chunk of await chat.stream(question)) {
        said.text += chunk.content
        said.reasoning += chunk.additional_kwargs.reasoning_content ?? ''
      }
      return said
    },
  ],
]

describe('the embedded model', () => {
  it.each(asks)('thinks, then answers 1692: %s', async (_, ask) => {
    const { reasoning, text } = await ask()
    expect(text).toBe('1692')
    expect(reasoning).toMatch(/^47\*6.*282\+1410/s)
  })

  it('says the same to every client', async () => {
    const said = await Promise.all(asks.map(([, ask]) => ask()))
    for (const one of said) expect(one).toEqual(said[0])
  })

  it('counts the tokens of a prompt as it does when it answers', async () => {
    const { input_tokens } = await anthropic().messages.countTokens({ model, messages })
    const { usage } = await openai().chat.completions.create({ model, messages, max_tokens: 1 })
    expect(input_tokens).toBe(usage?.prompt_tokens)
  })

  it('keeps to a schema', async () => {
    const schema = z.object({ answer: z.number() })
    const format = zodResponseFormat(schema, 'answer')
    const request = { model, messages, max_tokens: 400, temperature: 0 }
    const parsed = await openai().chat.completions.parse({ ...request, response_format: format })
    expect(schema.parse(parsed.choices[0]?.message.parsed)).toBeTruthy()
    const provider = createOpenAICompatible({
      ...{ name: 'hadal', supportsStructuredOutputs: true, ...setup() },
    })
    const { object } = await generateObject({ model: provider(model), prompt: question, schema })
    expect(schema.parse(object)).toBeTruthy()
  })
})
