// How much context and cache a model gets from options and memory. Pure arithmetic.
import { preset } from '@hadal/checkpoint'
import { describe, expect, it } from 'vitest'
import { type LoadModelOptions, ModelError, parseConfig, planLimits } from './index.ts'

const config = parseConfig(preset('r1-tiny'), 'config.json') // 163,840 positions
const perToken = 1000
const plan = (options: LoadModelOptions, memory = 1e12) =>
  planLimits(config, options, perToken, memory)

describe('limits', () => {
  it('give 32 sequences of 8192 tokens where memory allows', () => {
    expect(plan({})).toMatchObject({ contextLength: 8192, blockCount: 32 * 128, maxSequences: 32 })
    expect(plan({ contextLength: 100, maxSequences: 3 })).toMatchObject({ blockCount: 6 })
  })

  it('take a quarter of free memory at most, and shorten a context that nobody asked for', () => {
    expect(plan({}, 80e6)).toMatchObject({ contextLength: 8192, blockCount: 312 })
    expect(plan({}, 16e6)).toMatchObject({ contextLength: 62 * 64, blockCount: 62 })
    expect(plan({ kvBytes: 2e6 })).toMatchObject({ contextLength: 31 * 64, blockCount: 31 })
  })

  it('refuse what does not fit, with the numbers', () => {
    expect(() => plan({ contextLength: 8192 }, 16e6)).toThrow(
      'KV cache: one sequence of 8192 tokens needs 8192000 bytes, the budget is 4000000',
    )
    expect(() => plan({}, 4e6)).toThrow(/one sequence of 1024 tokens needs 1024000 bytes/)
    expect(() => plan({ contextLength: 163_841 })).toThrow(/expected at most 163840/)
    expect(() => plan({ kvBytes: 2e9 }, 1e9)).toThrow(/expected at most the 1000000000 bytes/)
    for (const value of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
      for (const name of ['contextLength', 'kvBytes', 'maxSequences', 'maxTokens'])
        expect(() => plan({ [name]: value }), name).toThrow(ModelError)
  })
})
