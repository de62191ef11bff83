// The provider over the embedded model.
import { generateText, jsonSchema, Output, streamText } from 'ai'
import { type Llm, load } from 'hadal'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHadal, type HadalProvider } from './index.ts'

let llm: Llm
let hadal: HadalProvider

beforeAll(async () => {
  llm = await load()
  hadal = createHadal(llm)
})
afterAll(() => llm.dispose())

const prompt = 'What is 47 * 36?'
const greedy = { temperature: 0, seed: 1 }

describe('the embedded model', () => {
  it('says the same as llm.chat, and counts the same', async () => {
    let counts = {}
    let text = ''
    const onFinish = (finish: object) => {
      counts = finish
    }
    for await (const part of llm.chat([{ role: 'user', content: prompt }], { ...greedy, onFinish }))
      if (part.type === 'text') text += part.text
    const result = await generateText({ model: hadal(), prompt, ...greedy })
    expect(result.text).toBe(text)
    expect(text).toContain('1692')
    expect(result.reasoningText?.length).toBeGreaterThan(10)
    const { promptTokens, completionTokens, reasoningTokens } = result.usage.raw ?? {}
    expect(counts).toMatchObject({ promptTokens, completionTokens, reasoningTokens })
  })

  it('streams its thinking first', async () => {
    const result = streamText({ model: hadal(), prompt, ...greedy })
    const types: string[] = []
    for await (const part of result.fullStream)
      if (part.type === 'reasoning-delta' || part.type === 'text-delta') types.push(part.type)
    const firstText = types.indexOf('text-delta')
    expect(firstText).toBeGreaterThan(1)
    expect(types.slice(firstText)).not.toContain('reasoning-delta')
  })

  it('answers without thinking when told so', async () => {
    const providerOptions = { hadal: { thinking: false } }
    const result = await generateText({ model: hadal(), prompt, ...greedy, providerOptions })
    expect(result.reasoningText).toBeUndefined()
    expect(result.usage.outputTokenDetails.reasoningTokens).toBe(0)
  })

  it('an abort in mid-stream frees the engine', async () => {
    const before = llm.stats.blocksFree
    const abort = new AbortController()
    const result = streamText({
      ...{ model: hadal(), prompt, ...greedy, abortSignal: abort.signal },
      providerOptions: { hadal: { ignoreEos: true } },
      onError: () => {},
    })
    let last = ''
    for await (const part of result.fullStream) {
      if (part.type === 'reasoning-delta') {
        expect(llm.stats.running).toBe(1)
        abort.abort()
      }
      last = part.type
    }
    expect(last).toBe('abort')
    expect([llm.stats.running, llm.stats.waiting]).toEqual([0, 0])
    expect(llm.stats.blocksFree).toBe(before)
    expect((await generateText({ model: hadal(), prompt, ...greedy })).text).toContain('1692')
  })

  it('a wrong setting is an error of the AI SDK', async () => {
    const run = generateText({ model: hadal(), prompt, topP: 3 })
    await expect(run).rejects.toMatchObject({
      ...{ name: 'AI_InvalidArgumentError', argument: 'topP' },
      message: expect.stringContaining('expected a number from 0 to 1, got 3'),
    })
    const typo = generateText({ model: hadal(), prompt, providerOptions: { hadal: { minp: 1 } } })
    await expect(typo).rejects.toThrow('did you mean "minP"?')
  })

  it('gives objects of a schema', async () => {
    const schema = jsonSchema<{ city: string; degrees: number }>({
      type: 'object',
      properties: { city: { type: 'string', maxLength: 20 }, degrees: { type: 'integer' } },
      required: ['city', 'degrees'],
      additionalProperties: false,
    })
    const output = Output.object({ schema })
    for (let seed = 0; seed < 5; seed++) {
      const result = await generateText({ model: hadal(), prompt: 'Weather?', seed, output })
      expect(result.output).toEqual({ city: expect.any(String), degrees: expect.any(Number) })
    }
  })
})
