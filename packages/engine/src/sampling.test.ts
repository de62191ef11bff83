import { describe, expect, it } from 'vitest'
import { checkDefaults, type GenerateOptions, resolveSampling } from './sampling.ts'

const closeIds = Int32Array.of(6)
const reasoning = { open: true, closeId: 6, closeIds }

describe('options', () => {
  const refused: [object, string][] = [
    [{ maxTokens: 0 }, 'option maxTokens: expected an integer of 1 or more, got 0'],
    [{ maxTokens: 1.5 }, 'option maxTokens: expected an integer of 1 or more, got 1.5'],
    [{ maxTokens: Number.NaN }, 'option maxTokens: expected an integer of 1 or more, got NaN'],
    [{ maxTokens: Number.POSITIVE_INFINITY }, 'got Infinity'],
    [{ maxTokens: '10' }, 'got "10"'],
    [{ maxTokens: null }, 'got null'],
    [{ temperature: -0.1 }, 'option temperature: expected a number from 0 to 100, got -0.1'],
    [{ temperature: Number.NaN }, 'option temperature: expected a number from 0 to 100, got NaN'],
    [{ temperature: Number.POSITIVE_INFINITY }, 'got Infinity'],
    [{ temperature: 1n }, 'got 1n'],
    [{ topP: 1.01 }, 'option topP: expected a number from 0 to 1, got 1.01'],
    [{ topP: -1 }, 'got -1'],
    [{ topK: -1 }, 'option topK: expected an integer from 0 to 16777215, got -1'],
    [{ topK: 2.5 }, 'got 2.5'],
    [{ minP: 2 }, 'option minP: expected a number from 0 to 1, got 2'],
    [
      { repetitionPenalty: 0 },
      'option repetitionPenalty: expected a number from 0.01 to 100, got 0',
    ],
    [
      { presencePenalty: [] },
      'option presencePenalty: expected a number from -100 to 100, got an array of 0',
    ],
    [
      { frequencyPenalty: {} },
      'option frequencyPenalty: expected a number from -100 to 100, got an object (Object)',
    ],
    [
      { seed: -1 },
      'option seed: expected an integer from 0 to 2^64-1 (a bigint above 2^53), got -1',
    ],
    [{ seed: 2 ** 53 }, 'got 9007199254740992'],
    [{ seed: 1n << 64n }, 'got 18446744073709551616n'],
    [{ seed: 'x' }, 'got "x"'],
    [{ topLogprobs: 21 }, 'option topLogprobs: expected an integer from 0 to 20, got 21'],
    [{ topLogprobs: true }, 'got true'],
    [
      { logitBias: [1] },
      'option logitBias: expected a Map or an object from id to number, got an array of 1',
    ],
    [{ logitBias: { 512: 1 } }, 'option logitBias: expected ids from 0 to 511, got 512'],
    [{ logitBias: { the: 1 } }, 'option logitBias: expected ids from 0 to 511, got "the"'],
    [
      { logitBias: { 3: Number.NaN } },
      'option logitBias[3]: expected a number from -1000000 to 1000000, got NaN',
    ],
    [{ logitBias: new Map([['3', 1]]) }, 'option logitBias: expected ids from 0 to 511, got "3"'],
    [{ stopIds: 5 }, 'option stopIds: expected an iterable of ids, got 5'],
    [{ stopIds: [5, 600] }, 'option stopIds[1]: expected an id from 0 to 511, got 600'],
    [{ ignoreEos: 1 }, 'option ignoreEos: expected a boolean, got 1'],
    [{ signal: {} }, 'option signal: expected an AbortSignal, got an object (Object)'],
    [{ priority: 1001 }, 'option priority: expected a number from -1000 to 1000, got 1001'],
    [{ priority: 'high' }, 'got "high"'],
    [
      {
        reasoning: { open: true, closeId: 6, closeIds: Int32Array.of(6), endSignal: 1 },
      },
      'option reasoning.endSignal: expected an AbortSignal, got 1',
    ],
    [{ max_tokens: 5 }, 'option max_tokens: expected one of maxTokens, temperature'],
    [{ reasoning: 3 }, 'option reasoning: expected an object, got 3'],
    [{ reasoning: { ...reasoning, open: 1 } }, 'option reasoning.open: expected a boolean, got 1'],
    [
      { reasoning: { ...reasoning, closeId: 900 } },
      'option reasoning.closeId: expected an id from 0 to 511, got 900',
    ],
    [
      { reasoning: { ...reasoning, openId: -1 } },
      'option reasoning.openId: expected an id from 0 to 511, got -1',
    ],
    [
      { reasoning: { ...reasoning, exitIds: [512] } },
      'option reasoning.exitIds[0]: expected an id from 0 to 511, got 512',
    ],
    [
      { reasoning: { ...reasoning, budget: -1 } },
      'option reasoning.budget: expected an integer of 0 or more, got -1',
    ],
    [
      { reasoning: { ...reasoning, closeIds: [7] } },
      'option reasoning.closeIds: expected closeId 6',
    ],
    [
      { reasoning: { ...reasoning, openId: 5, closeIds: [6, 5] } },
      'and not openId 5 among them, got [6, 5]',
    ],
  ]
  it.each(refused)('%o is refused', (options, message) => {
    let error: unknown
    try {
      resolveSampling(options as GenerateOptions, {}, 512)
    } catch (e) {
      error = e
    }
    expect(error).toMatchObject({ name: 'EngineError', code: 'ERR_HADAL_REQUEST' })
    expect((error as Error).message).toContain(message)
  })

  it('are neutral without defaults and undefined counts as absent', () => {
    const { seed, ...rest } = resolveSampling(
      { temperature: undefined, topP: undefined } as unknown as GenerateOptions,
      {},
      512,
    )
    expect(rest).toEqual({
      ...{ maxTokens: Number.POSITIVE_INFINITY, temperature: 1, topP: 1, topK: 0, minP: 0 },
      ...{ repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0, bias: undefined },
      ...{ topLogprobs: 0, stopIds: new Set(), reasoning: undefined, priority: 0 },
      ...{ constraint: undefined, vocabularySize: 512 },
    })
    expect(seed >= 0n && seed < 1n << 64n).toBe(true)
  })

  it('never reach the sampler as a value that F32 would round to a refused one', () => {
    const { topP, temperature } = resolveSampling({ topP: 0, temperature: 1e-30 }, {}, 512)
    expect(Math.fround(topP)).toBeGreaterThan(0)
    expect(temperature).toBe(0)
  })

  it('limits the biases of a request to what the model has room for', () => {
    const many = new Map(Array.from({ length: 1025 }, (_, i) => [i, 1]))
    expect(() => resolveSampling({ logitBias: many }, {}, 4096)).toThrow(
      'expected at most 1024 ids, got 1025',
    )
  })
})

describe('defaults', () => {
  it('stand in for what a request leaves out, and give way to what it says', () => {
    const defaults = { temperature: 0.6, topP: 0.95, repetitionPenalty: 1.1, maxTokens: 320 }
    expect(resolveSampling({}, defaults, 512)).toMatchObject(defaults)
    const own = { temperature: 0.2, topP: 0.5, repetitionPenalty: 1, maxTokens: 7 }
    expect(resolveSampling(own, defaults, 512)).toMatchObject(own)
  })

  it('are checked with their names', () => {
    expect(() => checkDefaults({ temperature: -1 })).toThrow(
      'default temperature: expected a number from 0 to 100, got -1',
    )
  })
})
