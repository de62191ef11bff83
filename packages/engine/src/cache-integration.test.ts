// The prefix cache with the real model: a warm run gives the bits of a cold one, whatever was shared.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { openCheckpoint } from '@hadal/checkpoint'
import { type LoadModelOptions, loadModel, type Model } from '@hadal/model'
import { fixture } from '@hadal/testing'
import { describe, expect, it } from 'vitest'
import { Engine } from './engine.ts'
import type { GenerateOptions } from './sampling.ts'

const limits = { maxSequences: 16, contextLength: 512, threads: 2 }

async function withModel<R>(
  options: LoadModelOptions,
  use: (model: Model) => Promise<R>,
  name = 'nano-bf16',
): Promise<R> {
  const model = await loadModel(await openCheckpoint(fixture(name)), { ...limits, ...options })
  try {
    return await use(model)
  } finally {
    await model.dispose()
  }
}

/** Ids of the embedded model's vocabulary, the first of them its BOS. */
const prompt = (length: number, salt = 0) =>
  Int32Array.from({ length }, (_, i) => (i === 0 ? 0 : 20 + ((i * 7 + salt * 31 + i * i) % 200)))

async function run(engine: Engine, ids: ArrayLike<number>, options: GenerateOptions) {
  const stream = engine.generate(Int32Array.from(ids), {
    ...{ maxTokens: 40, ignoreEos: true, topLogprobs: 3, ...options },
  })
  const tokens: unknown[] = []
  const got: number[] = []
  for (;;) {
    const next = await stream.next()
    if (next.done) return { tokens, ids: got, cached: next.value.cachedTokens }
    got.push(next.value.id)
    tokens.push([next.value.id, next.value.logprob, next.value.top])
  }
}

/** Calls `use` with an engine that caches and one that does not, each on a model of its own. */
async function withBoth(
  options: LoadModelOptions,
  use: (engine: Engine, cold: Engine) => Promise<void>,
): Promise<void> {
  await withModel(options, (model) =>
    withModel(options, async (other) => {
      const engine = new Engine(model)
      const cold = new Engine(other, {}, { prefixCache: false })
      await use(engine, cold)
      expect(cold.stats.prefixCache.hitTokens).toBe(0)
      await Promise.all([engine.dispose(), cold.dispose()])
    }),
  )
}

const precisions = ['reference', 'fast'] as const
const samplings: [string, GenerateOptions][] = [
  ['greedy', { temperature: 0 }],
  ['seeded', { temperature: 0.9, seed: 42, repetitionPenalty: 1.1 }],
]
const cases = precisions.flatMap((precision) =>
  samplings.map(([name, options]) => ({ precision, name, options })),
)

describe.each(cases)('nano, $precision, $name', ({ precision, options }) => {
  const maxTokens = precision === 'reference' ? 12 : 40

  it('gives the bits of a cold run on full and partial hits, and in a second turn', async () => {
    await withBoth({ precision }, async (engine, cold) => {
      for (const length of [63, 64, 65, 128, 150]) {
        const { tokens } = await run(cold, prompt(length), { ...options, maxTokens })
        // What a shorter prompt left behind is a part of a longer one.
        for (const again of [false, true]) {
          const got = await run(engine, prompt(length), { ...options, maxTokens })
          expect(got.tokens).toEqual(tokens)
          const whole = Math.min(Math.floor(length / 64) * 64, length - 1)
          if (again) expect(got.cached).toBe(whole)
        }
      }
      const first = await run(engine, prompt(150), options)
      const turn = [...prompt(150), ...first.ids, ...prompt(30, 5)]
      const second = await run(engine, turn, { ...options, maxTokens })
      expect(second.cached).toBe(128)
      expect(second.tokens).toEqual((await run(cold, turn, { ...options, maxTokens })).tokens)
    })
  })

  it('gives them when eight begin together with a common prefix', async () => {
    const prompts = Array.from({ length: 8 }, (_, i) => [...prompt(150), ...prompt(9, i + 1)])
    await withBoth({ precision }, async (engine, cold) => {
      const all = (on: Engine) => prompts.map((ids) => run(on, ids, { ...options, maxTokens }))
      const got = await Promise.all(all(engine))
      const expected = await Promise.all(all(cold))
      expect(got.map(({ tokens }) => tokens)).toEqual(expected.map(({ tokens }) => tokens))
      expect(got.map(({ cached }) => cached)).toEqual([0, ...new Array(7).fill(128)])
    })
  })

  // The oracle would take a minute for so many ids.
  if (precision === 'reference') return

  it('gives them through preemptions', async () => {
    // Room for 8 blocks, where each of eight grows to 5, of which 2 are common.
    const kvBytes = 8 * 64 * 5 * (64 + 16) * 2
    const prompts = Array.from({ length: 8 }, (_, i) => [...prompt(150), ...prompt(9, i + 1)])
    await withBoth({ precision, contextLength: 320, kvBytes }, async (engine, cold) => {
      const long = { ...options, maxTokens: 110 }
      const got = await Promise.all(prompts.map((ids) => run(engine, ids, long)))
      expect(engine.stats.preemptions).toBeGreaterThan(0)
      for (const [i, ids] of prompts.entries()) {
        expect(got[i]!.tokens).toEqual((await run(cold, ids, long)).tokens)
      }
    })
  })
})

describe('KV blocks as bytes', () => {
  it.each(['nano-bf16', 'distill-qwen2-bf16', 'v2-lite-bf16'])(
    'of %s come back through a file as they were, and only to the same model',
    async (name) => {
      const folder = await mkdtemp(path.join(tmpdir(), 'hadal-cache-'))
      const file = path.join(folder, 'cache.bin')
      const options = { temperature: 0, maxTokens: 20 }
      const small = { contextLength: 256 }
      const expected = await withModel(
        small,
        async (model) => {
          const engine = new Engine(model)
          const result = await run(engine, prompt(150), options)
          await engine.savePrefixCache(file)
          await engine.dispose()
          return result.tokens
        },
        name,
      )
      await withModel(
        small,
        async (model) => {
          const engine = new Engine(model)
          expect(await engine.loadPrefixCache(file)).toMatchObject({ blocks: 2, tokens: 128 })
          expect(await run(engine, prompt(150), options)).toMatchObject({
            tokens: expected,
            cached: 128,
          })
          await engine.dispose()
        },
        name,
      )
      await withModel(
        { ...small, precision: 'reference' },
        async (model) => {
          const engine = new Engine(model)
          await expect(engine.loadPrefixCache(file)).rejects.toMatchObject({
            code: 'ERR_HADAL_CACHE_FILE',
          })
          await engine.dispose()
        },
        name,
      )
      await rm(folder, { recursive: true })
    },
  )

  it('are refused out of range', async () => {
    await withModel({}, async (model) => {
      const bytes = model.readBlocks([0, 1])
      expect(bytes.length).toBe(2 * model.blockBytes)
      expect(() => model.readBlocks([-1])).toThrow('KV block: expected 0 to')
      expect(() => model.readBlocks([model.limits.blockCount])).toThrow('KV block: expected 0 to')
      expect(() => model.writeBlocks([0], bytes)).toThrow(`expected ${model.blockBytes} bytes`)
    })
  })
})
