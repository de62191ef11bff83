// The engine with the real model: the embedded checkpoint's goldens, company, cancellation, chat.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { openCheckpoint, readTextFiles } from '@hadal/checkpoint'
import { type LoadModelOptions, loadModel } from '@hadal/model'
import { fixture } from '@hadal/testing'
import { createChatTemplate, createTokenizer } from '@hadal/text'
import { describe, expect, it } from 'vitest'
import { chat } from './chat.ts'
import { Engine } from './engine.ts'
import type { GenerateOptions } from './sampling.ts'

interface Golden {
  readonly question: string
  readonly prompt_ids: readonly number[]
  readonly output_ids: readonly number[]
}

const folder = fixture('nano-bf16')
const eos = 1
const goldens = readFileSync(path.join(folder, 'golden.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Golden)

async function withEngine<R>(
  options: LoadModelOptions,
  use: (engine: Engine) => Promise<R>,
): Promise<R> {
  const model = await loadModel(await openCheckpoint(folder), { maxSequences: 8, ...options })
  const engine = new Engine(model, { eosTokenIds: [eos] })
  try {
    return await use(engine)
  } finally {
    await engine.dispose()
    await model.dispose()
  }
}

async function idsOf(engine: Engine, prompt: readonly number[], options: GenerateOptions) {
  const ids: number[] = []
  for await (const token of engine.generate(prompt, options)) ids.push(token.id)
  return ids
}

describe('nano', () => {
  it('gives the golden ids in reference precision, all prompts at once', async () => {
    await withEngine({ precision: 'reference' }, async (engine) => {
      const runs = goldens.map((golden) =>
        idsOf(engine, golden.prompt_ids, { temperature: 0, maxTokens: 320 }),
      )
      const got = await Promise.all(runs)
      expect(got.map((ids) => [...ids, eos])).toEqual(goldens.map((golden) => golden.output_ids))
    })
  })

  it('gives the same ids and logprobs bit for bit alone, in company and through preemptions', async () => {
    const probe = goldens[1]!.prompt_ids
    const options = { temperature: 0.9, seed: 42, maxTokens: 120, ignoreEos: true }
    const run = (company: number, limits: LoadModelOptions) =>
      withEngine({ precision: 'fast', ...limits }, async (engine) => {
        const others = Array.from({ length: company }, (_, i) =>
          idsOf(engine, goldens[i % goldens.length]!.prompt_ids, { ...options, seed: i }),
        )
        const tokens: [number, number][] = []
        for await (const token of engine.generate(probe, options))
          tokens.push([token.id, token.logprob])
        await Promise.all(others)
        return { tokens, preemptions: engine.stats.preemptions }
      })
    const alone = await run(0, {})
    expect(alone.tokens.length).toBe(120)
    expect((await run(7, {})).tokens).toEqual(alone.tokens)
    expect((await run(7, { maxTokens: 9 })).tokens).toEqual(alone.tokens)
    // Room for 5 blocks of 64 tokens, where eight requests want three each.
    const kvBytes = 5 * 64 * 5 * (64 + 16) * 2
    const scarce = await run(7, { contextLength: 192, kvBytes })
    expect(scarce.preemptions).toBeGreaterThan(0)
    expect(scarce.tokens).toEqual(alone.tokens)
  })

  it('computes logits between the steps of others', async () => {
    await withEngine({ precision: 'reference' }, async (engine) => {
      const others = goldens.map(({ prompt_ids }) =>
        idsOf(engine, prompt_ids, { temperature: 0, maxTokens: 20 }),
      )
      const forwards = goldens.map(({ prompt_ids }) =>
        engine.forward(prompt_ids, { lastLogits: 1 }),
      )
      for (const [i, { logits }] of (await Promise.all(forwards)).entries()) {
        expect(logits.indexOf(Math.max(...logits))).toBe(goldens[i]!.output_ids[0])
      }
      for (const [i, ids] of (await Promise.all(others)).entries()) {
        expect(ids).toEqual(goldens[i]!.output_ids.filter((id) => id !== eos).slice(0, 20))
      }
      for (const [name, value] of [
        ...[0, 1.5, Number.NaN].map((value) => ['chunk', value]),
        ...[-1, 0.5, Number.NaN, '2'].map((value) => ['lastLogits', value]),
        ['lastLogit', 1],
      ] as const)
        await expect(engine.forward([1, 2], { [name as string]: value })).rejects.toMatchObject({
          code: 'ERR_HADAL_REQUEST',
          message: expect.stringContaining(`${name}: expected`),
        })
      const { logits } = await engine.forward([1, 2], { lastLogits: 3 })
      expect(logits.length % 2).toBe(0)
      expect((await engine.forward([1, 2], { lastLogits: 0 })).logits).toHaveLength(0)
    })
  })

  it('survives 200 cancellations at random moments among 8 at once', async () => {
    await withEngine({ precision: 'fast' }, async (engine) => {
      let state = 11
      const random = () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0
        return state / 2 ** 32
      }
      let cancelled = 0
      const worker = async () => {
        while (cancelled < 200) {
          const { prompt_ids } = goldens[Math.floor(random() * goldens.length)]!
          const controller = new AbortController()
          const timer = setTimeout(() => controller.abort(), random() * 60)
          const stream = engine.generate(prompt_ids, { signal: controller.signal, ignoreEos: true })
          const limit = random() < 0.5 ? Math.floor(random() * 20) : 1000
          let next = await stream.next()
          for (let count = 0; !next.done; count++) {
            next = count === limit ? await stream.return() : await stream.next()
          }
          if (next.value.reason === 'cancelled') cancelled++
          clearTimeout(timer)
        }
      }
      await Promise.all(Array.from({ length: 8 }, worker))
      await engine.idle
      const { blocksFree, blocksTotal, running, waiting } = engine.stats
      expect({ blocksFree, running, waiting }).toEqual({
        blocksFree: blocksTotal,
        running: 0,
        waiting: 0,
      })
      const { prompt_ids, output_ids } = goldens[0]!
      const ids = await idsOf(engine, prompt_ids, { temperature: 0, maxTokens: 320 })
      expect([...ids, eos]).toEqual(output_ids)
    })
  })

  it('thinks and answers in a chat, and answers all the same when its budget runs out', async () => {
    const files = (await readTextFiles(folder))!
    const tokenizer = createTokenizer(files)
    const template = createChatTemplate(files, tokenizer)
    const messages = [{ role: 'user', content: 'How many r are in strawberry?' }] as const
    await withEngine({ precision: 'reference' }, async (engine) => {
      const ask = async (options: object) => {
        const stream = chat(engine, tokenizer, template, messages, { temperature: 0, ...options })
        for (;;) {
          const next = await stream.next()
          if (next.done) return next.value
        }
      }
      const whole = await ask({})
      expect(whole).toMatchObject({ text: '3', reason: 'stop' })
      expect(whole.reasoning).toBe(
        'spell s t r a w b e r r y\ncount r: s0 t0 r1 a1 w1 b1 e1 r2 r3 y3',
      )
      const short = await ask({ maxReasoningTokens: 5, maxTokens: 60 })
      expect(short.reasoningTokens).toBe(5)
      expect(short.text).not.toBe('')
      const none = await ask({ thinking: false, maxTokens: 60 })
      expect(none).toMatchObject({ reasoning: '', reasoningTokens: 0 })
      expect(none.text).not.toBe('')
    })
  })
})
