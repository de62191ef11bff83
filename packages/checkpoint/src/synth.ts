// Random checkpoints of a given architecture, in the published layout, with a byte-level tokenizer. Values
// come from a pool of Gaussians, read at pseudo-random places, so that gigabytes take seconds.
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { JsonObject } from './json.ts'
import { f32ToBf16, f32ToE4m3 } from './numbers.ts'
import { preset } from './presets.ts'
import { isQuantized } from './quantize.ts'
import { byteTokenizer } from './synth-tokenizer.ts'
import { type TableRow, tensorTable } from './tensor-table.ts'
import { type TensorSource, writeJson, writeModel } from './write.ts'

export interface SynthOptions {
  readonly preset?: string
  /** A config of a supported family, in place of a preset. */
  readonly config?: JsonObject
  readonly dtype?: 'fp8' | 'bf16'
  readonly seed?: number
  readonly onProgress?: (progress: { stage: string; done: number; total: number }) => void
}

/** mulberry32: uniform in [0, 1). */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const poolSize = 1 << 20

/** Standard Gaussians by the Box-Muller transform. */
function gaussians(random: () => number): Float32Array {
  return Float32Array.from(
    { length: poolSize },
    () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  )
}

interface Pools {
  readonly random: () => number
  readonly normal: Float32Array
  /** E4M3 codes of Gaussians whose block maximum, about 4.5 σ, is 448. */
  readonly codes: Uint8Array
  /** BF16 Gaussians of a standard deviation; few matrices differ in theirs. */
  bf16(deviation: number): Uint16Array
}

function bf16Pools(normal: Float32Array): Pools['bf16'] {
  const made = new Map<number, Uint16Array>()
  return (deviation) => {
    const pool = made.get(deviation) ?? Uint16Array.from(normal, (v) => f32ToBf16(v * deviation))
    made.set(deviation, pool)
    return pool
  }
}

const sigmaPerScale = 100 // standard deviation of the codes' values

function* fromPool<P extends Uint8Array | Uint16Array>(
  pool: P,
  count: number,
  random: () => number,
): Generator<Uint8Array> {
  const size = pool.BYTES_PER_ELEMENT
  for (let done = 0; done < count; ) {
    const start = Math.floor(random() * (poolSize / 2))
    const take = Math.min(poolSize / 2, count - done)
    yield new Uint8Array(pool.buffer, start * size, take * size)
    done += take
  }
}

const f32Bytes = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

function sources(row: TableRow, fp8: boolean, pools: Pools): TensorSource[] {
  const { random, normal } = pools
  const count = row.shape.reduce((p, n) => p * n, 1)
  const pick = (spread: number, centre: number) =>
    Float32Array.from(
      { length: count },
      () => centre + spread * (normal[Math.floor(random() * poolSize)] as number),
    )
  if (row.kind !== 'matrix') {
    const values = row.kind === 'norm' ? pick(0.05, 1) : pick(0.02, 0)
    // The router's correction bias is the one vector that must keep its 32 bits.
    if (row.name.endsWith('e_score_correction_bias'))
      return [{ ...row, dtype: 'F32', chunks: () => [f32Bytes(values)] }]
    const codes = Uint16Array.from(values, f32ToBf16)
    return [{ ...row, dtype: 'BF16', chunks: () => [new Uint8Array(codes.buffer)] }]
  }
  const deviation = row.name.includes('embed_tokens') ? 0.5 : (row.shape[1] ?? 1) ** -0.5
  if (!fp8 || !isQuantized(row.name, row.shape)) {
    return [{ ...row, dtype: 'BF16', chunks: () => fromPool(pools.bf16(deviation), count, random) }]
  }
  const blocks = [
    Math.ceil((row.shape[0] ?? 0) / 128),
    Math.ceil((row.shape[1] ?? 0) / 128),
  ] as const
  const scales = Float32Array.from(
    { length: blocks[0] * blocks[1] },
    () => (deviation / sigmaPerScale) * (0.8 + 0.4 * random()),
  )
  return [
    { ...row, dtype: 'F8_E4M3', chunks: () => fromPool(pools.codes, count, random) },
    {
      name: `${row.name}_scale_inv`,
      dtype: 'F32',
      shape: blocks,
      chunks: () => [f32Bytes(scales)],
    },
  ]
}

/** Writes a checkpoint of `config` or `preset` and returns the bytes of its tensors. */
export async function synthCheckpoint(folder: string, options: SynthOptions): Promise<number> {
  const base = options.config ?? preset(options.preset ?? 'r1-tiny')
  const fp8 = (options.dtype ?? 'bf16') === 'fp8'
  const quantization = {
    activation_scheme: 'dynamic',
    fmt: 'e4m3',
    quant_method: 'fp8',
    weight_block_size: [128, 128],
  }
  const config: JsonObject = { ...base, ...(fp8 && { quantization_config: quantization }) }
  const random = generator(options.seed ?? 1)
  const normal = gaussians(random)
  const pools = {
    random,
    normal,
    bf16: bf16Pools(normal),
    codes: Uint8Array.from(normal, (v) => f32ToE4m3(v * sigmaPerScale)),
  }
  await mkdir(folder, { recursive: true })
  const tensors = tensorTable(config).flatMap((row) => sources(row, fp8, pools))
  const written = await writeModel(folder, tensors, (done, total) =>
    options.onProgress?.({ stage: 'writing', done, total }),
  )
  await writeJson(path.join(folder, 'config.json'), config)
  await writeJson(path.join(folder, 'generation_config.json'), { bos_token_id: 0, eos_token_id: 1 })
  const { tokenizer, tokenizerConfig } = byteTokenizer()
  await writeJson(path.join(folder, 'tokenizer.json'), tokenizer)
  await writeJson(path.join(folder, 'tokenizer_config.json'), tokenizerConfig)
  return written
}
