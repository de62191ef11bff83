// Programs on the CUDA backend from TypeScript: through the addon, graphs and the emulated driver, against the CPU.
// tests/hadal_cuda_simt.so has the emulator in it; whatever it finds wrong fails the run.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  add,
  addRmsNorm,
  columns,
  combineExperts,
  copy,
  Device,
  Encoder,
  embedTokens,
  gatedTopK,
  gatherRows,
  loadBinding,
  matmul,
  maxTopLogprobs,
  N,
  type Program,
  permuteTokens,
  rmsNorm,
  rope,
  sample,
  splitLast,
  swiglu,
  T,
  type Tensor,
  writeKv,
} from './index.ts'

const width = 64
const experts = 8
const chosen = 2
const most = 12

/** Same numbers in every run. */
function noise(count: number, seed: number): Float32Array {
  let state = seed * 2654435761
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9) | 0
    return ((state >>> 8) / 2 ** 24 - 0.5) * 4
  })
}

interface Layer {
  readonly device: Device
  readonly program: Program
  readonly step: (tokens: number) => Promise<void>
  readonly outputs: Record<string, Tensor>
}

/** What of a layer has kernels already: norms, routing, activation, rotation, cache and the sum over experts. */
function record(device: Device): Layer {
  const f32 = (...shape: number[]) => device.tensor('F32', [T, ...shape], most)
  const [residual, delta, normed, second] = [f32(width), f32(width), f32(width), f32(width)]
  const [logits, weights] = [f32(experts), f32(chosen)]
  const ids = device.tensor('I32', [T, chosen], most)
  const rows = device.tensor('I32', [T, chosen], most)
  const offsets = device.tensor('I32', [experts + 1])
  const [y, out, gated] = [f32(chosen, width), f32(width), f32(width / 2)]
  const positions = device.tensor('I32', [T], most)
  const slots = device.tensor('I32', [T], most)
  const cache = device.tensor('F16', [2, 64, width])
  const weight = device.constant(noise(width, 3))
  const table = device.constant(noise(32 * width, 4), [32, width])
  const [embedded, kept] = [f32(width), f32(width)]
  const tokenIds = device.tensor('I32', [T], most)
  const invFreq = device.constant(Float32Array.from({ length: 8 }, (_, i) => 10000 ** (-i / 8)))
  const row = (dtype: 'F32' | 'I32', ...shape: number[]) =>
    device.tensor(dtype, [N, ...shape], most)
  const [last, gathered, params] = [row('I32'), row('F32', width), row('F32', 8)]
  const sampled = {
    ids: row('I32'),
    logprobs: row('F32'),
    topIds: row('I32', maxTopLogprobs),
    topLogprobs: row('F32', maxTopLogprobs),
  }
  const sampling = {
    ...{ params, seeds: row('I32', 4), masked: row('I32'), masks: row('I32', width / 32) },
    ...{ historyOffsets: device.tensor('I32', [most + 1]), biasIds: device.tensor('I32', [8]) },
    ...{ biasOffsets: device.tensor('I32', [most + 1]), historyIds: device.tensor('I32', [8]) },
    ...{ biasValues: device.tensor('F32', [8]) },
  }
  const k = new Encoder(device, 'fast', { T: most, S: 1, N: most })
  embedTokens(k, embedded, tokenIds, table)
  add(k, delta, delta, embedded)
  copy(k, kept, delta)
  addRmsNorm(k, normed, residual, delta, weight, 1e-6)
  gatedTopK(k, ids, weights, logits, undefined, {
    ...{ scoring: 'sigmoid', groups: 1, groupsKept: 1, groupScore: 'none' },
    ...{ normalise: true, scale: 2.5 },
  })
  permuteTokens(k, offsets, rows, ids)
  combineExperts(k, out, y, weights, normed)
  swiglu(k, gated, columns(out, 0, width / 2), columns(out, width / 2, width / 2))
  rope(k, splitLast(normed, 16), positions, { invFreq, style: 'interleaved', factor: 1 })
  writeKv(k, cache, normed, slots)
  rmsNorm(k, second, normed, weight, 1e-6)
  gatherRows(k, gathered, second, last)
  sample(k, sampled, gathered, sampling)
  device.write(residual, noise(most * width, 1))
  const step = async (tokens: number) => {
    device.write(delta, noise(tokens * width, 10 + tokens))
    device.write(
      tokenIds,
      Int32Array.from({ length: tokens }, (_, i) => (i * 7 + tokens) % 32),
    )
    device.write(logits, noise(tokens * experts, 20 + tokens))
    device.write(y, noise(tokens * chosen * width, 30 + tokens))
    device.write(
      positions,
      Int32Array.from({ length: tokens }, (_, i) => 5 + i),
    )
    device.write(
      slots,
      Int32Array.from({ length: tokens }, (_, i) => (i === 1 ? -1 : 60 + i)),
    )
    device.write(
      last,
      Int32Array.from({ length: tokens }, (_, i) => tokens - 1 - i),
    )
    // Greedy: a draw may differ where two weights meet; here the order of logits decides.
    device.write(
      params,
      Float32Array.from({ length: tokens * 8 }, (_, i) => [0, 1, 0, 0, 1, 0, 0, 3][i % 8] ?? 0),
    )
    await program.run({ T: tokens, S: 0, N: tokens })
  }
  const program = k.finish()
  const routed = { weights, ids, rows, out }
  const { ids: next, logprobs } = sampled
  const outputs = { residual, kept, gated, second, gathered, ...routed, next, logprobs }
  return { device, program, step, outputs }
}

// A build with sanitizers has no emulator, whose fibers do not go with them; nor has one elsewhere than on Linux.
const without = process.env.HADAL_SANITIZED === '1' || process.platform !== 'linux'

describe.skipIf(without)('a program on the emulated GPU', () => {
  let gpu: Layer
  let cpu: Layer
  beforeAll(() => {
    process.env.HADAL_CUDA_DRIVER = 'simt'
    cpu = record(Device.open({ threads: 1 }))
    gpu = record(Device.open({ device: 'cuda' }))
  })
  afterAll(async () => {
    delete process.env.HADAL_CUDA_DRIVER
    await Promise.all([cpu?.device.dispose(), gpu?.device.dispose()])
  })

  it('says what it is', () => {
    const { device } = gpu
    expect([device.kind, device.isa, device.threads]).toEqual(['cuda', 'sm_90a', 0])
    expect(device.name).toBe('emulated Hopper')
    expect(device.memory.total).toBeGreaterThan(2 ** 30)
    expect(loadBinding().cuda()).toMatchObject({ problem: '', name: 'emulated Hopper' })
    expect(loadBinding().cudaOpList()).toContain('add_rms_norm')
  })

  it('gives what the CPU gives, step after step, op by op and as a graph', async () => {
    for (const tokens of [5, 12, 5, 5, 1, 12]) {
      await Promise.all([cpu.step(tokens), gpu.step(tokens)])
      for (const [name, tensor] of Object.entries(cpu.outputs)) {
        const count = tokens * tensor.shape.slice(1).reduce((a, b) => a * b, 1)
        const make = () =>
          tensor.dtype === 'I32' ? new Int32Array(count) : new Float32Array(count)
        const expected = cpu.device.read(tensor, make())
        const got = gpu.device.read(gpu.outputs[name] as Tensor, make())
        if (tensor.dtype === 'I32') expect(got, name).toEqual(expected)
        else
          got.forEach((value, i) => {
            const want = expected[i] as number
            expect(Math.abs(value - want), `${name}[${i}]`).toBeLessThan(
              2e-5 * Math.max(1, Math.abs(want)),
            )
          })
      }
    }
  })

  it('times its ops', async () => {
    gpu.program.profile(true)
    await gpu.step(5)
    expect([...gpu.program.timings().keys()]).toContain('rope')
    gpu.program.profile(false)
  })

  it('refuses an op without a kernel, and tensors of the other device', () => {
    const k = new Encoder(gpu.device, 'fast', { T: most, S: 1, N: 1 })
    const x = gpu.device.tensor('F32', [T, width], most)
    const w = gpu.device.tensor('BF16', [width, width])
    if (!loadBinding().cudaOpList().includes('matmul'))
      expect(() => matmul(k, x, x, w)).toThrow(
        'op "matmul": the cuda backend has none of this name',
      )
    const foreign = cpu.device.tensor('F32', [T, width], most)
    const weight = gpu.device.constant(noise(width, 3))
    expect(() => rmsNorm(k, x, foreign, weight, 1e-6)).toThrow('belongs to another device')
  })
})
