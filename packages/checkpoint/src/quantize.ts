// A checkpoint's projections to FP8 E4M3 in 128×128 blocks, the rest as it was: what DeepSeek publishes.
// scale = largest magnitude of the block / 448; a block of zeros has scale 1. Edge blocks are partial.
import { copyFile, mkdir, readdir, realpath } from 'node:fs/promises'
import path from 'node:path'
import { type Checkpoint, openCheckpoint } from './checkpoint.ts'
import { CheckpointError } from './error.ts'
import { readExactly, withFile } from './files.ts'
import type { JsonObject } from './json.ts'
import { f32ToE4m3 } from './numbers.ts'
import type { TensorEntry } from './safetensors.ts'
import { type TensorSource, writeJson, writeModel } from './write.ts'

export interface QuantizedBlocks {
  /** `[rows, columns]` E4M3 codes. */
  readonly codes: Uint8Array
  /** `[⌈rows/128⌉, ⌈columns/128⌉]` multipliers. */
  readonly scales: Float32Array
}

const side = 128
/** The smallest normal F32: a scale that underflowed to zero would make 0 / 0 of the zeros. */
const smallestScale = 2 ** -126

/** 2^⌈log2 x⌉, exactly. */
function powerOfTwoAbove(x: number): number {
  let p = 2 ** Math.round(Math.log2(x))
  while (p < x) p *= 2
  while (p / 2 >= x) p /= 2
  return p
}

export function quantizeBlocks(
  values: Float32Array,
  rows: number,
  columns: number,
  scaleFormat: 'f32' | 'ue8m0' = 'f32',
): QuantizedBlocks {
  const across = Math.ceil(columns / side)
  const codes = new Uint8Array(rows * columns)
  const scales = new Float32Array(Math.ceil(rows / side) * across)
  for (let r0 = 0, b = 0; r0 < rows; r0 += side) {
    for (let c0 = 0; c0 < columns; c0 += side, b++) {
      const [r1, c1] = [Math.min(r0 + side, rows), Math.min(c0 + side, columns)]
      let largest = 0
      for (let r = r0; r < r1; r++)
        for (let c = c0; c < c1; c++)
          largest = Math.max(largest, Math.abs(values[r * columns + c] as number))
      const wanted = largest === 0 ? 1 : Math.max(largest / 448, smallestScale)
      scales[b] = scaleFormat === 'ue8m0' ? powerOfTwoAbove(wanted) : wanted
      const scale = scales[b] as number
      for (let r = r0; r < r1; r++)
        for (let c = c0; c < c1; c++)
          codes[r * columns + c] = f32ToE4m3((values[r * columns + c] as number) / scale)
    }
  }
  return { codes, scales }
}

/** Projections are quantised; embedding, head, norms, router, biases and eh_proj never are. */
export const isQuantized = (name: string, shape: readonly number[]): boolean =>
  shape.length === 2 && /_proj(_with_mqa)?\.weight$/.test(name) && !name.endsWith('.eh_proj.weight')

export interface QuantizeOptions {
  readonly scaleFormat?: 'f32' | 'ue8m0'
  readonly onProgress?: (progress: { stage: string; done: number; total: number }) => void
}

async function* fileBytes(entry: TensorEntry): AsyncGenerator<Uint8Array> {
  const step = 16 << 20
  for (let at = 0; at < entry.bytes; at += step)
    yield await withFile(entry.file.path, (handle, file) =>
      readExactly(handle, file, entry.offset + at, Math.min(step, entry.bytes - at)),
    )
}

function quantizedSources(
  checkpoint: Checkpoint,
  entry: TensorEntry,
  format: 'f32' | 'ue8m0',
): TensorSource[] {
  const [rows = 0, columns = 0] = entry.shape
  // Both tensors come from one pass over the values; the codes are asked for first.
  let scales: Float32Array | undefined
  return [
    {
      name: entry.name,
      dtype: 'F8_E4M3',
      shape: entry.shape,
      async *chunks() {
        const blocks = quantizeBlocks(await checkpoint.readF32(entry), rows, columns, format)
        scales = blocks.scales
        yield blocks.codes
      },
    },
    {
      name: `${entry.name}_scale_inv`,
      dtype: 'F32',
      shape: [Math.ceil(rows / side), Math.ceil(columns / side)],
      *chunks() {
        if (!scales) throw new Error(`${entry.name}: scales were asked for before the codes`)
        yield new Uint8Array(scales.buffer)
        scales = undefined
      },
    },
  ]
}

/** Writes `outFolder` and returns the bytes of its tensors. One tensor is in memory at a time. */
export async function quantizeCheckpoint(
  inFolder: string,
  outFolder: string,
  options: QuantizeOptions = {},
): Promise<number> {
  const checkpoint = await openCheckpoint(inFolder)
  if (checkpoint.config.quantization_config)
    throw new CheckpointError(
      `${inFolder}: expected unquantised weights, got quantization_config in config.json`,
      {
        file: checkpoint.configFile,
        field: 'quantization_config',
      },
    )
  await mkdir(outFolder, { recursive: true })
  if ((await realpath(inFolder)) === (await realpath(outFolder)))
    throw new CheckpointError(
      `${outFolder}: expected another folder than the input, which would be lost`,
      { file: outFolder },
    )
  const format = options.scaleFormat ?? 'f32'
  const sources = [...checkpoint.tensors.values()].flatMap((entry): TensorSource[] =>
    isQuantized(entry.name, entry.shape)
      ? quantizedSources(checkpoint, entry, format)
      : [
          {
            name: entry.name,
            dtype: entry.dtype,
            shape: entry.shape,
            chunks: () => fileBytes(entry),
          },
        ],
  )
  const written = await writeModel(outFolder, sources, (done, total) =>
    options.onProgress?.({ stage: 'quantising', done, total }),
  )
  const quantization: JsonObject = {
    activation_scheme: 'dynamic',
    fmt: 'e4m3',
    quant_method: 'fp8',
    weight_block_size: [side, side],
    ...(format === 'ue8m0' && { scale_fmt: 'ue8m0' }),
  }
  await writeJson(path.join(outFolder, 'config.json'), {
    ...checkpoint.config,
    quantization_config: quantization,
  })
  const kept =
    /^(generation_config\.json|tokenizer.*|chat_template\.jinja|special_tokens_map\.json|LICENSE.*)$/
  for (const name of await readdir(inFolder))
    if (kept.test(name)) await copyFile(path.join(inFolder, name), path.join(outFolder, name))
  return written
}
