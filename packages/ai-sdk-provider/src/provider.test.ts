// The provider under the real AI SDK, over an Llm that plays a script.
import {
  AISDKError,
  APICallError,
  InvalidArgumentError,
  InvalidPromptError,
  NoSuchModelError,
  UnsupportedFunctionalityError,
} from '@ai-sdk/provider'
import {
  embed,
  generateText,
  jsonSchema,
  type ModelMessage,
  Output,
  stepCountIs,
  streamText,
  tool,
} from 'ai'
import { OptionError, TextError } from 'hadal'
import { describe, expect, it, vi } from 'vitest'
import { createHadal, type HadalProviderOptions } from './index.ts'
import { scriptedLlm, type Turn } from './testdata/scripted-llm.ts'

const thought: Turn = {
  parts: [{ reasoning: 'four ' }, { reasoning: 'and two' }, { text: '6' }, { text: '.' }],
}
const quiet = { onError: () => {} }

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of stream) all.push(item)
  return all
}

describe('text and reasoning', () => {
  it('generateText gives both, with usage and metadata', async () => {
    const llm = scriptedLlm([{ ...thought, finish: { cachedTokens: 5 } }])
    const result = await generateText({ model: createHadal(llm)(), prompt: '4 + 2?' })
    expect(result.text).toBe('6.')
    expect(result.reasoningText).toBe('four and two')
    expect(result.finishReason).toBe('stop')
    expect(result.usage).toMatchObject({
      inputTokens: 7,
      inputTokenDetails: { noCacheTokens: 2, cacheReadTokens: 5 },
      outputTokens: 4,
      outputTokenDetails: { textTokens: 2, reasoningTokens: 2 },
      raw: { promptTokens: 7, cachedTokens: 5 },
    })
    expect(result.providerMetadata).toEqual({
      hadal: { timeToFirstTokenMs: 1, tokensPerSecond: 100, reasoningMs: 2 },
    })
    expect(result.response.modelId).toBe('hadal')
    expect(llm.calls[0]?.messages).toEqual([{ role: 'user', content: '4 + 2?' }])
  })

  it('streamText streams reasoning before text, in blocks', async () => {
    const result = streamText({ model: createHadal(scriptedLlm([thought]))(), prompt: '4 + 2?' })
    const parts = (await collect(result.fullStream)).filter((p) => /^(text|reason)/.test(p.type))
    expect(parts.map((p) => [p.type, 'id' in p && p.id, 'text' in p && p.text])).toEqual([
      ['reasoning-start', 'reasoning-0', false],
      ['reasoning-delta', 'reasoning-0', 'four '],
      ['reasoning-delta', 'reasoning-0', 'and two'],
      ['reasoning-end', 'reasoning-0', false],
      ['text-start', 'text-1', false],
      ['text-delta', 'text-1', '6'],
      ['text-delta', 'text-1', '.'],
      ['text-end', 'text-1', false],
    ])
    expect((await result.usage).inputTokenDetails.cacheReadTokens).toBe(0)
  })

  it.each([
    ['length', 'length'],
    ['context', 'length'],
    ['cancelled', 'other'],
  ] as const)('an end by %s is told as %s', async (reason, told) => {
    const llm = scriptedLlm([{ ...thought, finish: { reason } }])
    const result = await generateText({ model: createHadal(llm)(), prompt: 'x' })
    expect([result.finishReason, result.rawFinishReason]).toEqual([told, reason])
  })

  it('an empty answer is one', async () => {
    const model = createHadal(scriptedLlm([{ parts: [] }, { parts: [] }]))()
    expect((await generateText({ model, prompt: 'x' })).text).toBe('')
    expect(await streamText({ model, prompt: 'x' }).text).toBe('')
  })
})

describe('options', () => {
  it('settings and providerOptions.hadal reach llm.chat under its names', async () => {
    const llm = scriptedLlm([thought])
    const hadal: HadalProviderOptions = { thinking: false, maxReasoningTokens: 9, minP: 0.1 }
    await generateText({
      model: createHadal(llm)(),
      system: 'Be brief.',
      prompt: 'x',
      ...{ maxOutputTokens: 50, temperature: 0.6, topP: 0.95, topK: 40, seed: 7 },
      ...{ presencePenalty: 0.1, frequencyPenalty: 0.2, stopSequences: ['END'] },
      providerOptions: { hadal: { ...hadal } as Record<string, number> },
    })
    expect(llm.calls[0]).toEqual({
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'x' },
      ],
      options: {
        ...{ maxTokens: 50, temperature: 0.6, topP: 0.95, topK: 40, seed: 7, stop: ['END'] },
        ...{ presencePenalty: 0.1, frequencyPenalty: 0.2 },
        ...{ thinking: false, maxReasoningTokens: 9, minP: 0.1 },
      },
    })
  })

  it('nothing is sent that was not asked for', async () => {
    const llm = scriptedLlm([thought])
    await generateText({ model: createHadal(llm)(), prompt: 'x' })
    expect(llm.calls[0]?.options).toEqual({})
  })

  it('log-probabilities come back as metadata', async () => {
    const llm = scriptedLlm([thought])
    const original = llm.chat.bind(llm)
    llm.chat = (...args) => {
      const stream = original(...args)
      const next = stream.next.bind(stream)
      const tokens = [{ id: 3, logprob: -0.5, top: [{ id: 4, logprob: -1 }] }]
      stream.next = async () => {
        const step = await next()
        return step.done ? step : { ...step, value: { ...step.value, tokens } }
      }
      return stream
    }
    const { providerMetadata } = await generateText({ model: createHadal(llm)(), prompt: 'x' })
    expect(providerMetadata).toHaveProperty('hadal.logprobs.0', {
      ...{ id: 3, token: '<3>', logprob: -0.5 },
      top: [{ id: 4, token: '<4>', logprob: -1 }],
    })
  })
})

const weather = tool({
  description: 'The weather of a city',
  inputSchema: jsonSchema<{ city: string }>({
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
  }),
  execute: async ({ city }) => ({ city, degrees: city === 'Oslo' ? 3 : 20 }),
})

describe('tools', () => {
  const calling: Turn = { parts: [{ call: 'weather', arguments: { city: 'Oslo' } }] }
  const turns: Turn[] = [
    {
      parts: [
        { reasoning: 'ask' },
        { call: 'weather', arguments: { city: 'Oslo' } },
        { call: 'weather', arguments: { city: 'Rome' } },
      ],
    },
    { parts: [{ text: 'And once more.' }, { call: 'weather', arguments: { city: 'Oslo' } }] },
    { parts: [{ text: 'Oslo 3, Rome 20.' }] },
  ]

  it('a loop of several steps: calls, results, answer', async () => {
    const llm = scriptedLlm(turns)
    const result = await generateText({
      model: createHadal(llm)(),
      prompt: 'Weather?',
      tools: { weather },
      stopWhen: stepCountIs(5),
    })
    expect(result.text).toBe('Oslo 3, Rome 20.')
    expect(result.steps.map((step) => step.finishReason)).toEqual([
      'tool-calls',
      'tool-calls',
      'stop',
    ])
    const ids = result.steps.flatMap((step) => step.toolCalls.map((call) => call.toolCallId))
    expect(new Set(ids).size).toBe(3)
    expect(llm.calls[0]?.options.tools).toEqual([
      {
        type: 'function',
        function: {
          name: 'weather',
          description: 'The weather of a city',
          parameters: expect.objectContaining({ required: ['city'] }),
        },
      },
    ])
    expect(llm.calls[1]?.messages).toEqual([
      { role: 'user', content: 'Weather?' },
      {
        role: 'assistant',
        content: '',
        reasoning: 'ask',
        toolCalls: [
          { id: ids[0], name: 'weather', arguments: '{"city":"Oslo"}' },
          { id: ids[1], name: 'weather', arguments: '{"city":"Rome"}' },
        ],
      },
      ...[
        ['Oslo', 3, ids[0]],
        ['Rome', 20, ids[1]],
      ].map(([city, degrees, toolCallId]) => ({
        ...{ role: 'tool', name: 'weather', toolCallId },
        content: JSON.stringify({ city, degrees }),
      })),
    ])
  })

  it('streams: input parts before the call, results after', async () => {
    const result = streamText({
      model: createHadal(scriptedLlm(turns))(),
      prompt: 'Weather?',
      tools: { weather },
      stopWhen: stepCountIs(5),
    })
    const types = (await collect(result.fullStream)).map((part) => part.type)
    const first = types.slice(0, types.indexOf('finish-step'))
    const input = ['tool-input-start', 'tool-input-delta', 'tool-input-end', 'tool-call']
    expect(first.filter((t) => t.startsWith('tool') && t !== 'tool-result')).toEqual([
      ...input,
      ...input,
    ])
    expect(first.indexOf('reasoning-end')).toBeLessThan(first.indexOf('tool-input-start'))
    expect(await result.text).toBe('Oslo 3, Rome 20.')
  })

  it('results of every kind become text', async () => {
    const llm = scriptedLlm([thought])
    const output = [
      { type: 'text', value: 'a' },
      { type: 'json', value: { b: 1 } },
      { type: 'error-text', value: 'c' },
      { type: 'error-json', value: ['d'] },
      { type: 'execution-denied', reason: 'no' },
      { type: 'content', value: [{ type: 'text', text: 'f' }] },
    ] as const
    const messages = output.flatMap((value, i): ModelMessage[] => [
      {
        role: 'assistant',
        content: [{ type: 'tool-call', toolCallId: `${i}`, toolName: 't', input: {} }],
      },
      {
        role: 'tool',
        content: [
          { type: 'tool-result', toolCallId: `${i}`, toolName: 't', output: value as never },
        ],
      },
    ])
    await generateText({ model: createHadal(llm)(), messages })
    const results = llm.calls[0]?.messages.filter((m) => m.role === 'tool').map((m) => m.content)
    expect(results).toEqual(['a', '{"b":1}', 'c', '["d"]', 'no', 'f'])
  })

  it('a choice is sent', async () => {
    const llm = scriptedLlm([calling, calling, thought])
    const model = createHadal(llm)()
    const tools = { weather }
    await generateText({ model, prompt: 'x', tools, toolChoice: 'required' })
    await generateText({
      ...{ model, prompt: 'x', tools },
      toolChoice: { type: 'tool', toolName: 'weather' },
    })
    await generateText({ model, prompt: 'x', tools, toolChoice: 'none' })
    const choices = llm.calls.map(({ options }) => options.toolChoice)
    expect(choices).toEqual(['required', { name: 'weather' }, 'none'])
  })
})

describe('structured output', () => {
  const schema = jsonSchema<{ n: number }>({
    type: 'object',
    properties: { n: { type: 'number' } },
    required: ['n'],
  })
  const turn: Turn = { parts: [{ reasoning: 'six' }, { text: '{"n":' }, { text: '6}' }] }

  it('a schema reaches llm.chat', async () => {
    const llm = scriptedLlm([turn, turn])
    const model = createHadal(llm)()
    const { output } = await generateText({ model, prompt: 'x', output: Output.object({ schema }) })
    expect(output).toEqual({ n: 6 })
    await generateText({ model, prompt: 'x', output: Output.json() })
    expect(llm.calls.map(({ options }) => options.responseFormat)).toEqual([
      { type: 'json_schema', schema: expect.objectContaining({ required: ['n'] }) },
      { type: 'json_object' },
    ])
  })
})

describe('stopping', () => {
  it('an abort in mid-stream ends the request', async () => {
    const llm = scriptedLlm([{ parts: [{ text: 'a' }, { wait: true }, { text: 'never' }] }])
    const abort = new AbortController()
    const model = createHadal(llm)()
    const result = streamText({ model, prompt: 'x', abortSignal: abort.signal, ...quiet })
    const types: string[] = []
    for await (const part of result.fullStream) {
      types.push(part.type)
      if (part.type === 'text-delta') {
        expect(llm.running).toBe(1)
        setTimeout(() => abort.abort(), 5)
      }
    }
    expect(types.at(-1)).toBe('abort')
    expect(llm.running).toBe(0)
  })

  it.each([
    ['without a reason', undefined],
    ['with a string', 'enough'],
    ['with an error', new Error('enough')],
  ])('generateText rejects with an AbortError when stopped %s', async (_, reason) => {
    const llm = scriptedLlm([{ parts: [{ text: 'a' }, { wait: true }] }])
    const abort = new AbortController()
    setTimeout(() => abort.abort(reason), 10)
    const model = createHadal(llm)()
    const run = generateText({ model, prompt: 'x', abortSignal: abort.signal })
    await expect(run).rejects.toMatchObject({ name: 'AbortError' })
    expect(llm.running).toBe(0)
  })

  it('a time-out before the first part and one while loading', async () => {
    const llm = scriptedLlm([{ parts: [{ wait: true }] }])
    for (const source of [llm, () => new Promise<never>(() => {})]) {
      const model = createHadal(source)()
      const run = generateText({ model, prompt: 'x', abortSignal: AbortSignal.timeout(10) })
      await expect(run).rejects.toMatchObject({ name: 'TimeoutError' })
    }
    expect(llm.running).toBe(0)
  })

  it('cancelling the stream ends the request', async () => {
    const llm = scriptedLlm([{ parts: [{ text: 'a' }, { text: 'b' }, { text: 'c' }] }])
    const { stream } = await createHadal(llm)().doStream({
      prompt: [{ role: 'user', content: [{ type: 'text', text: 'x' }] }],
    })
    const reader = stream.getReader()
    await reader.read()
    expect(llm.running).toBe(1)
    await reader.cancel()
    expect(llm.running).toBe(0)
  })
})

describe('errors', () => {
  const failing = (error: Error) => createHadal(scriptedLlm([{ parts: [{ error }] }]))()
  const ask = (error: Error) =>
    generateText({ model: failing(error), prompt: 'x', maxRetries: 0 }).catch((e: unknown) => e)
  const coded = (code: string, extra = {}) => Object.assign(new Error('why'), { code, ...extra })

  it('options, prompts and grammars that are wrong', async () => {
    const option = await ask(new OptionError('chat: thinking: expected a boolean, got 1'))
    expect(InvalidArgumentError.isInstance(option)).toBe(true)
    expect(option).toMatchObject({ argument: 'thinking' })
    const request = new Error('option topP: expected a number from 0 to 1, got 3')
    expect(await ask(Object.assign(request, { code: 'ERR_HADAL_REQUEST' }))).toMatchObject({
      ...{ argument: 'topP', cause: request },
    })
    expect(InvalidPromptError.isInstance(await ask(new TextError('messages: …')))).toBe(true)
    const grammar = await ask(coded('ERR_HADAL_GRAMMAR'))
    expect(UnsupportedFunctionalityError.isInstance(grammar)).toBe(true)
    expect(AISDKError.isInstance(await ask(coded('ERR_HADAL_STEP')))).toBe(true)
  })

  it('a name that hadal does not know', async () => {
    const model = createHadal(scriptedLlm([thought]))()
    const run = generateText({ model, prompt: 'x', providerOptions: { hadal: { temprature: 1 } } })
    await expect(run).rejects.toMatchObject({ argument: 'temprature' })
  })

  it('a full queue is tried again after the time that it names', async () => {
    const full = coded('ERR_HADAL_QUEUE_FULL', { retryAfterMs: 20 })
    expect(await ask(full)).toMatchObject({
      ...{ statusCode: 429, isRetryable: true, responseHeaders: { 'retry-after-ms': '20' } },
    })
    const model = createHadal(scriptedLlm([{ parts: [{ error: full }] }, thought]))()
    expect((await generateText({ model, prompt: 'x' })).text).toBe('6.')
    const draining = await ask(coded('ERR_HADAL_DRAINING'))
    expect(APICallError.isInstance(draining) && draining.isRetryable).toBe(false)
  })

  it('a failure in mid-stream is an error part, and the stream ends', async () => {
    const error = coded('ERR_HADAL_STEP')
    const model = createHadal(scriptedLlm([{ parts: [{ text: 'a' }, { error }] }]))()
    const result = streamText({ model, prompt: 'x', ...quiet })
    const parts = await collect(result.fullStream)
    expect(parts.find((part) => part.type === 'error')).toMatchObject({ error: { cause: error } })
    expect(parts.at(-1)).toMatchObject({ type: 'finish', finishReason: 'error' })
  })

  it('files are refused, and none is fetched', async () => {
    const fetched = vi.spyOn(globalThis, 'fetch')
    const llm = scriptedLlm([thought])
    for (const image of ['https://example.com/cat.png', new Uint8Array([1])]) {
      const run = generateText({
        model: createHadal(llm)(),
        messages: [{ role: 'user', content: [{ type: 'image', image, mediaType: 'image/png' }] }],
      })
      await expect(run).rejects.toThrow(/text only.*image\/png/)
    }
    expect(fetched).not.toHaveBeenCalled()
    expect(llm.calls).toHaveLength(0)
    fetched.mockRestore()
  })
})

describe('models', () => {
  it('are found by name, the first without one', async () => {
    const [r1, nano] = [scriptedLlm([thought]), scriptedLlm([thought])]
    const hadal = createHadal({ r1, nano })
    expect([hadal().modelId, hadal('nano').modelId]).toEqual(['r1', 'nano'])
    await generateText({ model: hadal.languageModel('nano'), prompt: 'x' })
    expect([r1.calls.length, nano.calls.length]).toEqual([0, 1])
    expect(() => hadal('v3')).toThrow(NoSuchModelError)
    expect(() => hadal('v3')).toThrow('No model "v3"; expected one of r1, nano')
    expect(() => hadal('toString')).toThrow(NoSuchModelError)
  })

  it('there are none for embeddings and images', async () => {
    const hadal = createHadal(scriptedLlm([]))
    expect(() => hadal.embeddingModel('e')).toThrow(NoSuchModelError)
    expect(() => hadal.imageModel('i')).toThrow(NoSuchModelError)
    await expect(
      (async () => embed({ model: hadal.embeddingModel('e'), value: 'x' }))(),
    ).rejects.toThrow('Hadal has no embeddingModel')
  })

  it('load once, when first asked; a failure is not kept; dispose ends what was loaded', async () => {
    const [given, own] = [scriptedLlm([]), scriptedLlm([thought, thought, thought])]
    const load = vi
      .fn()
      .mockRejectedValueOnce(Object.assign(new Error('no folder'), { code: 'ENOENT' }))
      .mockResolvedValue(own)
    const hadal = createHadal({ own: load, given })
    expect(load).not.toHaveBeenCalled()
    const ask = () => generateText({ model: hadal(), prompt: 'x', maxRetries: 0 })
    await expect(ask()).rejects.toMatchObject({ name: 'AI_HadalError', message: 'no folder' })
    await Promise.all([ask(), ask()])
    expect(load).toHaveBeenCalledTimes(2)
    await hadal.dispose()
    expect([own.disposals, given.disposals]).toEqual([1, 0])
    await ask()
    expect(load).toHaveBeenCalledTimes(3)
  })
})
