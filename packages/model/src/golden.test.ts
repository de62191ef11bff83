// The model against an independent float32 implementation, for every fixture.
import { openCheckpoint } from '@hadal/checkpoint'
import {
  argmax,
  expectClose,
  fixture,
  type GoldenCase,
  loadGolden,
  relativeError,
} from '@hadal/testing'
import { describe, expect, it } from 'vitest'
import { type LoadModelOptions, loadModel, type Model, type RowSampling } from './index.ts'

/** Worst distance of the same checkpoint run in plain BF16 by the implementation that made the goldens. */
const plainBf16 = {
  'distill-llama-bf16': 0.035,
  'distill-qwen2-bf16': 0.023,
  'v2-lite-bf16': 0.029,
  'v3-bf16': 0.017,
  'v3-fp8': 0.104,
} as const
const names = Object.keys(plainBf16) as (keyof typeof plainBf16)[]

const greedy: RowSampling = {
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  topLogprobs: 0,
  seed: 0n,
  counter: 0,
  history: [],
  bias: undefined,
}

async function withModel<R>(
  name: string,
  options: LoadModelOptions,
  use: (model: Model) => Promise<R>,
): Promise<R> {
  const model = await loadModel(await openCheckpoint(fixture(name)), {
    maxSequences: 8,
    ...options,
  })
  try {
    return await use(model)
  } finally {
    await model.dispose()
  }
}

const blocks = (count: number): number[] => Array.from({ length: count }, (_, i) => count - 1 - i)

/** Decodes one token at a time after a prefill in one step. */
async function decode(model: Model, prompt: Int32Array, count: number): Promise<number[]> {
  const own = blocks(Math.ceil((prompt.length + count) / 64))
  const out: number[] = []
  let ids: Int32Array = prompt
  let start = 0
  while (out.length < count) {
    const positions = Int32Array.from(ids, (_, i) => start + i)
    const sampled = await model.step({
      ids,
      positions,
      slots: positions.map((p) => (own[Math.floor(p / 64)] as number) * 64 + (p % 64)),
      tokenSeq: new Int32Array(ids.length),
      blocks: [own],
      rows: Int32Array.of(ids.length - 1),
      sampling: [greedy],
    })
    out.push(sampled.ids[0] as number)
    start += ids.length
    ids = sampled.ids
  }
  return out
}

function lastRows(values: Float32Array, width: number, rows: number): Float32Array {
  return values.subarray(values.length - rows * width)
}

/** Distance of logits, hidden states and MTP logits from the golden, the worst of them. */
async function distance(model: Model, golden: GoldenCase): Promise<number> {
  const V = model.info.vocabularySize
  const mtp = golden.mtpLogitsLast !== undefined
  const out = await model.forward(golden.ids, blocks(4), { hiddenStates: true, mtp })
  const errors = [
    relativeError(lastRows(out.logits, V, golden.logitsLast.length / V), golden.logitsLast),
  ]
  if (golden.mtpLogitsLast && out.mtpLogits)
    errors.push(
      relativeError(
        lastRows(out.mtpLogits, V, golden.mtpLogitsLast.length / V),
        golden.mtpLogitsLast,
      ),
    )
  return Math.max(...errors)
}

describe.each(names)('%s', (name) => {
  it('reference precision matches logits, every hidden state, MTP logits, argmax and nll', async () => {
    await withModel(name, { precision: 'reference' }, async (model) => {
      const V = model.info.vocabularySize
      for (const golden of await loadGolden(name)) {
        const mtp = golden.mtpLogitsLast !== undefined
        const out = await model.forward(golden.ids, blocks(4), { hiddenStates: true, mtp })
        const states = out.hiddenStates ?? []
        const D = states[0] ? states[0].length / golden.ids.length : 0
        states.forEach((state, i) => {
          expectClose(
            lastRows(state, D, 1),
            golden.hidden?.subarray(i * D, (i + 1) * D) ?? [],
            1e-4,
            `hidden ${i}`,
          )
        })
        expect(states.length * D).toBe(golden.hidden?.length)
        expectClose(
          lastRows(out.logits, V, golden.logitsLast.length / V),
          golden.logitsLast,
          1e-4,
          'logits',
        )
        golden.argmax.forEach((id, t) => expect(argmax(out.logits, t * V, (t + 1) * V)).toBe(id))
        golden.nll?.forEach((nll, t) => {
          const row = out.logits.subarray(t * V, (t + 1) * V)
          const top = Math.max(...row)
          const sum = row.reduce((s, v) => s + Math.exp(v - top), 0)
          expect(Math.log(sum) + top - (row[golden.ids[t + 1] as number] as number)).toBeCloseTo(
            nll,
            3,
          )
        })
        if (!golden.mtpLogitsLast) continue
        const mtpLogits = out.mtpLogits as Float32Array
        expect(mtpLogits.length).toBe((golden.ids.length - 1) * V)
        expectClose(
          lastRows(mtpLogits, V, golden.mtpLogitsLast.length / V),
          golden.mtpLogitsLast,
          1e-4,
          'mtp',
        )
        golden.mtpArgmax?.forEach((id, t) => expect(argmax(mtpLogits, t * V, (t + 1) * V)).toBe(id))
      }
    })
  })

  it('reference precision continues greedily with the same ids', async () => {
    await withModel(name, { precision: 'reference' }, async (model) => {
      for (const golden of await loadGolden(name))
        expect(await decode(model, golden.ids, 24)).toEqual([...(golden.greedy ?? [])])
    })
  })

  it.each(['avx512bf16', 'avx512vbmi', 'avx512', 'avx2', 'portable'])(
    'fast precision on %s lies closer than plain BF16',
    async (isa) => {
      const cases = await loadGolden(name)
      const run = withModel(name, { isa }, async (model) => {
        for (const golden of cases) {
          const error = await distance(model, golden)
          expect(error, 'relative distance of logits and MTP logits').toBeLessThanOrEqual(
            plainBf16[name],
          )
        }
      })
      await run.catch((error) => {
        if (error.code !== 'ERR_HADAL_UNSUPPORTED') throw error
        process.stdout.write(`${isa}: this CPU has no such kernels\n`)
      })
    },
  )

  it('fast precision lies within 2e-2 where its experts are the reference run’s', async () => {
    const cases = await loadGolden(name)
    const routes = (precision: 'fast' | 'reference') =>
      withModel(name, { precision }, async (model) => {
        const out = []
        for (const golden of cases) {
          const { routing } = await model.forward(golden.ids, blocks(4), { routing: true })
          out.push({ routing, error: await distance(model, golden) })
        }
        return out
      })
    const [fast, reference] = [await routes('fast'), await routes('reference')]
    fast.forEach(({ routing, error }, i) => {
      const sets = (lists: readonly Int32Array[] | undefined) =>
        lists?.map((list) => [...list].join())
      const same = sets(routing)?.join() === sets(reference[i]?.routing)?.join()
      if (same) expect(error).toBeLessThanOrEqual(2e-2)
      process.stdout.write(
        `${name} case ${i}: ${error.toExponential(2)}${same ? '' : ' (other experts)'}\n`,
      )
    })
  })
})
