// The traps that other implementations of DeepSeek fell into (research notes on the released code). A plain
// double-precision model, written apart from the kernels, agrees with the goldens; with one trap switched on
// it does not, so the goldens and this model's own numbers tell right from wrong.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { openCheckpoint, preset, synthCheckpoint, tensorTable } from '@hadal/checkpoint'
import { Device, Encoder, gatedTopK } from '@hadal/kernels'
import { fixture, loadGolden, plainModel, relativeError, type Traps } from '@hadal/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { inverseFrequencies, loadModel, parseConfig, ropeFactor, softmaxScale } from './index.ts'

const root = mkdtempSync(path.join(tmpdir(), 'hadal-traps-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Distances of the plain model from the longest of a fixture's goldens that is short: logits, MTP logits. */
async function fromGolden(name: string, traps: Traps): Promise<{ logits: number; mtp: number }> {
  const golden = (await loadGolden(name)).findLast(({ ids }) => ids.length <= 64)
  if (!golden) throw new Error(`${name}: no golden`)
  const { logits, mtpLogits } = (await plainModel(fixture(name), traps))(golden.ids)
  const last = (rows: Float64Array[], values: Float32Array | undefined) => {
    if (!values) return 0
    const V = rows[0]?.length ?? 1
    return relativeError(
      rows.slice(-values.length / V).flatMap((row) => [...row]),
      values,
    )
  }
  return { logits: last(logits, golden.logitsLast), mtp: last(mtpLogits, golden.mtpLogitsLast) }
}

/** Reference precision of the product against the plain model on a folder; the worst of logits and MTP. */
async function productAgainst(folder: string, traps: Traps, length = 24): Promise<number> {
  const ids = Int32Array.from({ length }, (_, i) => (i * 31 + 7) % 380)
  const plain = (await plainModel(folder, traps))(ids)
  const model = await loadModel(await openCheckpoint(folder), {
    ...{ precision: 'reference', maxSequences: 1, contextLength: 64 },
  })
  try {
    const out = await model.forward(ids, [0], { mtp: model.info.hasMtp })
    const flat = (rows: Float64Array[]) => rows.flatMap((row) => [...row])
    return Math.max(
      relativeError(out.logits, flat(plain.logits)),
      out.mtpLogits ? relativeError(out.mtpLogits, flat(plain.mtpLogits)) : 0,
    )
  } finally {
    await model.dispose()
  }
}

// F32 sums against doubles over a few hundred terms.
const same = 1e-4

describe('a plain model written apart', () => {
  it.each(['v3-fp8', 'v3-bf16', 'v2-lite-bf16'])('agrees with the golden of %s', async (name) => {
    const { logits, mtp } = await fromGolden(name, {})
    expect(logits).toBeLessThan(same)
    expect(mtp).toBeLessThan(same)
  })
})

describe('the goldens tell right from wrong:', () => {
  const cases: [string, string, Traps, 'logits' | 'mtp'][] = [
    ['1 the MTP module takes the embedding first', 'v3-bf16', { mtpHiddenFirst: true }, 'mtp'],
    ['2 the MTP module reads the state after the norm', 'v3-bf16', { mtpBeforeNorm: true }, 'mtp'],
    ['3 rope turns neighbours, not halves', 'v3-bf16', { ropeHalves: true }, 'logits'],
    ['3 a head is plain first, rope last', 'v3-bf16', { peFirst: true }, 'logits'],
    ['4 weight_scale_inv multiplies', 'v3-fp8', { divideScale: true }, 'logits'],
    ['5 the last block of rows has its own scale', 'v3-fp8', { noEdgeBlocks: true }, 'logits'],
    ['7 the bias selects and does not weigh', 'v3-bf16', { biasedWeights: true }, 'logits'],
    ['8 mscale² is in the scale for short prompts too', 'v3-fp8', { noMscale: true }, 'logits'],
    ['8 YaRN holds for short prompts too', 'v3-fp8', { noYarn: true }, 'logits'],
    ['17 V2 does not normalise', 'v2-lite-bf16', { flipNormalise: true }, 'logits'],
  ]
  it.each(cases)('%s', async (_, name, trap, what) => {
    expect((await fromGolden(name, trap))[what]).toBeGreaterThan(50 * same)
  })
})

describe('on checkpoints made for it, the product stands on the right side:', () => {
  it('9 the latents’ norms use 1e-6 whatever rms_norm_eps says', async () => {
    const folder = path.join(root, 'eps')
    await synthCheckpoint(folder, { config: { ...preset('r1-tiny'), rms_norm_eps: 0.3 }, seed: 4 })
    expect(await productAgainst(folder, {})).toBeLessThan(same)
    expect(await productAgainst(folder, { latentEps: 0.3 })).toBeGreaterThan(50 * same)
  })

  it('3 halves turn where rope_interleave is false, and there alone', async () => {
    const folder = path.join(root, 'halves')
    const config = { ...preset('r1-tiny'), rope_interleave: false }
    await synthCheckpoint(folder, { config, seed: 8 })
    expect(await productAgainst(folder, { ropeHalves: true })).toBeLessThan(same)
    expect(await productAgainst(folder, {})).toBeGreaterThan(50 * same)
  })

  it('8 cos and sin carry the ratio of two mscales that differ', async () => {
    const scaling = {
      ...(preset('r1-tiny').rope_scaling as object),
      mscale: 1,
      mscale_all_dim: 0.5,
    }
    const folder = path.join(root, 'mscales')
    await synthCheckpoint(folder, {
      config: { ...preset('r1-tiny'), rope_scaling: scaling },
      seed: 9,
    })
    expect(await productAgainst(folder, {})).toBeLessThan(same)
    expect(await productAgainst(folder, { noMscale: true })).toBeGreaterThan(50 * same)
    expect(await productAgainst(folder, { plainTurn: true })).toBeGreaterThan(5 * same)
  })

  it('17 V2 scores a group by its best and does not normalise', async () => {
    const folder = path.join(root, 'v2-groups')
    const groups = { topk_method: 'group_limited_greedy', n_group: 4, topk_group: 2 }
    const config = { ...preset('v2-lite-tiny'), ...groups, routed_scaling_factor: 16 }
    await synthCheckpoint(folder, { config, seed: 10 })
    expect(await productAgainst(folder, {})).toBeLessThan(same)
    expect(await productAgainst(folder, { twoOfGroup: true })).toBeGreaterThan(50 * same)
    expect(await productAgainst(folder, { flipNormalise: true })).toBeGreaterThan(50 * same)
  })

  it('12 Kimi’s equal betas make a ramp of one step', async () => {
    const scaling = { ...(preset('r1-tiny').rope_scaling as object), beta_fast: 1, beta_slow: 1 }
    const folder = path.join(root, 'kimi')
    const config = { ...preset('r1-tiny'), model_type: 'kimi_k2', rope_scaling: scaling }
    await synthCheckpoint(folder, { config, seed: 5 })
    expect(await productAgainst(folder, {})).toBeLessThan(same)
    // The published dimensions: theta 50,000, 64 wide; corrections floor to 19 and ceil to 20.
    const yarn = { type: 'yarn', factor: 32, betaFast: 1, betaSlow: 1 } as const
    const scaling64 = { ...yarn, originalLength: 4096, mscale: 1, mscaleAllDim: 1 }
    const rope = { theta: 50_000, scaling: scaling64 }
    const ratio = inverseFrequencies(rope, 64).map((f, i) => f * 50_000 ** (i / 32))
    expect([...ratio.subarray(0, 20)].every((r) => Math.abs(r - 1) < 1e-5)).toBe(true)
    expect([...ratio.subarray(20)].every((r) => Math.abs(r * 32 - 1) < 1e-5)).toBe(true)
  })

  it('16 the MTP module lies at layer num_hidden_layers and is found there', async () => {
    const config = preset('r1-tiny')
    const names = tensorTable(config).map((row) => row.name)
    expect(names).toContain('model.layers.3.eh_proj.weight')
    const folder = path.join(root, 'mtp')
    await synthCheckpoint(folder, { config, dtype: 'fp8', seed: 6 })
    const model = await loadModel(await openCheckpoint(folder), { maxSequences: 1 })
    expect(model.info.hasMtp).toBe(true)
    await model.dispose()
    expect(await productAgainst(folder, {})).toBeLessThan(same)
    expect(await productAgainst(folder, { mtpHiddenFirst: true })).toBeGreaterThan(50 * same)
  })
})

describe('8 YaRN gives the published values', () => {
  const rope = parseConfig(
    { ...preset('r1-tiny'), qk_rope_head_dim: 64, qk_nope_head_dim: 128 },
    'config.json',
  ).rope
  it('frequencies of V3', () => {
    const f = inverseFrequencies(rope, 64)
    const published: [number, number][] = [
      [0, 1],
      [9, 7.498941571e-2],
      [10, 5.623412877e-2],
      [11, 3.900692612e-2],
      [16, 5.500000436e-3],
      [22, 1.778279402e-4],
      [23, 3.333803761e-5],
      [31, 3.333803761e-6],
    ]
    for (const [i, value] of published) expect((f[i] as number) / value).toBeCloseTo(1, 6)
  })
  it('softmax scale of V3, and cos and sin unscaled', () => {
    expect(softmaxScale(rope, 192)).toBeCloseTo(0.1352337788608801, 12)
    expect(ropeFactor(rope)).toBe(1)
  })
})

/** Routes rows of logits by the kernel. */
async function route(
  logits: number[][],
  bias: number[] | undefined,
  k: number,
  groups: number,
  groupsKept: number,
): Promise<{ ids: number[]; weights: number[] }> {
  const device = Device.open({ threads: 1 })
  try {
    const [rows, E] = [logits.length, logits[0]?.length ?? 0]
    const input = device.constant(Float32Array.from(logits.flat()), [rows, E])
    const ids = device.tensor('I32', [rows, k])
    const weights = device.tensor('F32', [rows, k])
    const encoder = new Encoder(device, 'fast', { T: rows, S: 1, N: 1 })
    gatedTopK(encoder, ids, weights, input, bias && device.constant(Float32Array.from(bias)), {
      ...{ scoring: 'sigmoid', groups, groupsKept, groupScore: 'top-two' },
      ...{ normalise: true, scale: 2.5 },
    })
    const program = encoder.finish()
    await program.run({ T: rows, S: 1, N: 1 })
    const outIds = new Int32Array(rows * k)
    const outWeights = new Float32Array(rows * k)
    device.binding.bufferRead(ids.buffer, ids.offset, outIds)
    device.binding.bufferRead(weights.buffer, weights.offset, outWeights)
    program.dispose()
    return { ids: [...outIds], weights: [...outWeights] }
  } finally {
    await device.dispose()
  }
}

describe('routing', () => {
  it('gives the published example', async () => {
    const { ids, weights } = await route(
      [[0.5, -1, 2, -2, 3, 0.25, 1, 0.75]],
      [0, 0.3, 0, 0, -0.9, 0, 0, 0.05],
      2,
      4,
      2,
    )
    expect([...ids].sort()).toEqual([6, 7])
    const of = (e: number) => weights[ids.indexOf(e)] as number
    expect(of(6)).toBeCloseTo(1.296, 4)
    expect(of(7)).toBeCloseTo(1.204, 4)
  })

  it('6 leaves masked groups out even when what is kept is negative', async () => {
    // Biases push all scores below zero: a mask of 0 would prefer experts of groups that were left out.
    const bias = [-5, -5, -5, -5, -5, -5, -9, -9]
    const { ids } = await route([[3, 3, 2, 2, -9, -9, 0, 0]], bias, 3, 4, 2)
    expect(ids).toEqual([0, 1, 2])
  })

  it('7 keeps the bias in F32', async () => {
    // The biases differ by less than BF16 can tell apart.
    const { ids } = await route([[0, 0]], [1, 1.0005], 1, 1, 1)
    expect(ids).toEqual([1])
  })

  it('14 gives ties to the lowest index, among experts and among groups', async () => {
    expect((await route([Array(256).fill(0.5)], undefined, 8, 8, 4)).ids).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7,
    ])
    expect((await route([[1, 2, 1, 2, 1, 2]], undefined, 3, 3, 2)).ids).toEqual([1, 3, 0])
  })
})
