// The same tokens give the same bits, however they are cut into steps, whatever shares the step, whichever
// blocks hold their KV, and on any number of threads.
import { openCheckpoint } from '@hadal/checkpoint'
import { fixture, relativeError } from '@hadal/testing'
import { describe, expect, it } from 'vitest'
import {
  type Batch,
  type LoadModelOptions,
  loadModel,
  type Model,
  type RowSampling,
} from './index.ts'

const names = ['v3-fp8', 'v3-bf16', 'v2-lite-bf16', 'distill-qwen2-bf16', 'distill-llama-bf16']
const options = { maxSequences: 8, maxTokens: 160, contextLength: 256 }

async function withModel<R>(
  name: string,
  extra: LoadModelOptions,
  use: (model: Model) => Promise<R>,
): Promise<R> {
  const model = await loadModel(await openCheckpoint(fixture(name)), { ...options, ...extra })
  try {
    return await use(model)
  } finally {
    await model.dispose()
  }
}

/** mulberry32 */
function generator(seed: number): (n: number) => number {
  let state = seed >>> 0
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % n
  }
}

const prompt = (model: Model, seed: number, length: number): Int32Array => {
  const next = generator(seed)
  return Int32Array.from({ length }, () => next(model.info.vocabularySize))
}

const greedy: RowSampling = {
  ...{ temperature: 0, topP: 1, topK: 0, minP: 0, repetitionPenalty: 1, presencePenalty: 0 },
  ...{ frequencyPenalty: 0, topLogprobs: 20, seed: 0n, counter: 0, history: [], bias: undefined },
}

/** One sequence of a batch: what it reads in this step, and where its cache lies. */
interface Part {
  readonly ids: Int32Array
  readonly start: number
  readonly blocks: readonly number[]
}

function batchOf(parts: readonly Part[]): Batch {
  const ids: number[] = []
  const positions: number[] = []
  const slots: number[] = []
  const tokenSeq: number[] = []
  const rows: number[] = []
  parts.forEach((part, s) => {
    part.ids.forEach((id, i) => {
      const p = part.start + i
      ids.push(id)
      positions.push(p)
      slots.push((part.blocks[p >> 6] as number) * 64 + (p & 63))
      tokenSeq.push(s)
    })
    rows.push(ids.length - 1)
  })
  return {
    ids: Int32Array.from(ids),
    positions: Int32Array.from(positions),
    slots: Int32Array.from(slots),
    tokenSeq: Int32Array.from(tokenSeq),
    blocks: parts.map((part) => part.blocks),
    rows: Int32Array.from(rows),
    sampling: parts.map(() => greedy),
  }
}

/** What a step says about its row `n`: the id, its logprob and the twenty best, all bits of them. */
interface Told {
  readonly id: number | undefined
  readonly top: readonly number[]
  readonly logprobs: readonly number[]
}

async function tell(model: Model, parts: readonly Part[]): Promise<Told[]> {
  const out = await model.step(batchOf(parts))
  return parts.map((_, n) => ({
    id: out.ids[n],
    top: [...out.topIds.subarray(n * 20, n * 20 + 20)],
    logprobs: [...out.topLogprobs.subarray(n * 20, n * 20 + 20)],
  }))
}

/** The last row's answer after reading `ids` in pieces of these lengths. */
async function inPieces(
  model: Model,
  ids: Int32Array,
  lengths: readonly number[],
  blocks: readonly number[],
): Promise<Told | undefined> {
  let told: Told | undefined
  let start = 0
  for (const length of lengths) {
    ;[told] = await tell(model, [{ ids: ids.slice(start, start + length), start, blocks }])
    start += length
  }
  expect(start).toBe(ids.length)
  return told
}

function randomPieces(total: number, next: (n: number) => number): number[] {
  const pieces: number[] = []
  for (let left = total; left > 0; ) {
    const take = Math.min(left, next(40) + 1)
    pieces.push(take)
    left -= take
  }
  return pieces
}

describe.each(names)('%s', (name) => {
  it('gives the same bits read at once, one by one and in random chunks', async () => {
    await withModel(name, {}, async (model) => {
      const ids = prompt(model, 5, 140)
      const whole = await inPieces(model, ids, [140], [0, 1, 2])
      expect(await inPieces(model, ids, Array(140).fill(1), [3, 4, 5])).toEqual(whole)
      for (let seed = 0; seed < 4; seed++) {
        const pieces = randomPieces(140, generator(seed))
        expect(await inPieces(model, ids, pieces, [8, 6, 7]), pieces.join()).toEqual(whole)
      }
    })
  })

  it('gives the same bits alone and in company of seven others, in any order', async () => {
    await withModel(name, {}, async (model) => {
      const sequences = Array.from({ length: 8 }, (_, i) => ({
        ids: prompt(model, 100 + i, [1, 2, 17, 63, 64, 9, 3, 1][i] as number),
        start: 0,
        blocks: [2 * i, 2 * i + 1],
      }))
      const alone: Told[] = []
      for (const part of sequences) alone.push(...(await tell(model, [part])))
      expect(await tell(model, sequences)).toEqual(alone)
      expect(await tell(model, [...sequences].reverse())).toEqual([...alone].reverse())
      // One more token each: decoding in a batch, alone, and beside a prefill.
      const next = sequences.map((part, i) => ({
        ids: Int32Array.of(alone[i]?.id ?? 0),
        start: part.ids.length,
        blocks: part.blocks,
      }))
      const together = await tell(model, next)
      for (const [i, part] of next.entries())
        expect(await tell(model, [part])).toEqual([together[i]])
      const first = next[0] as Part
      const long = { ids: prompt(model, 9, 100), start: 0, blocks: [20, 21] }
      expect((await tell(model, [long, first]))[1]).toEqual(together[0])
    })
  })

  it('gives the same bits on one thread, on two and on three', async () => {
    const read = (threads: number) =>
      withModel(name, { threads }, async (model) => {
        const ids = prompt(model, 7, 100)
        const { logits, mtpLogits } = await model.forward(ids, [1, 0], { mtp: model.info.hasMtp })
        return [logits, mtpLogits ?? new Float32Array()] as const
      })
    const one = await read(1)
    for (const threads of [2, 3]) {
      const other = await read(threads)
      expect(other.map((values, i) => Buffer.compare(bytes(values), bytes(one[i])))).toEqual([0, 0])
    }
  })

  it('gives the same logits in chunks of any size, MTP included', async () => {
    for (const precision of ['fast', 'reference'] as const) {
      await withModel(name, { precision, isa: 'avx2' }, async (model) => {
        const ids = prompt(model, 11, 70)
        const run = (chunk: number) => model.forward(ids, [0, 1], { chunk, mtp: model.info.hasMtp })
        const whole = await run(70)
        for (const chunk of [1, 7, 64]) {
          const cut = await run(chunk)
          expect(Buffer.compare(bytes(cut.logits), bytes(whole.logits))).toBe(0)
          if (whole.mtpLogits) expect(relativeError(cut.mtpLogits ?? [], whole.mtpLogits)).toBe(0)
        }
      })
    }
  })
})

const bytes = (values: Float32Array | undefined): Buffer =>
  values ? Buffer.from(values.buffer, values.byteOffset, values.byteLength) : Buffer.alloc(0)
