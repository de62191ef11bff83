// Writing safetensors: streamed to a temporary file that is renamed at the end, so that a reader who has the
// old file mapped keeps it whole. Data begins at a multiple of 64 bytes.
import { open, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { JsonObject } from './json.ts'
import { dtypeBits, type StoredDType } from './safetensors.ts'

export interface TensorSource {
  readonly name: string
  readonly dtype: StoredDType
  readonly shape: readonly number[]
  /** The tensor's bytes, in chunks. */
  chunks(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

const sizeOf = (t: TensorSource): number =>
  (t.shape.reduce((p, n) => p * n, 1) * dtypeBits[t.dtype]) / 8

function header(tensors: readonly TensorSource[]): Uint8Array {
  const entries: Record<string, unknown> = Object.create(null)
  let at = 0
  for (const t of tensors) {
    entries[t.name] = { dtype: t.dtype, shape: t.shape, data_offsets: [at, at + sizeOf(t)] }
    at += sizeOf(t)
  }
  const text = new TextEncoder().encode(JSON.stringify(entries))
  const length = Math.ceil((8 + text.length) / 64) * 64 - 8
  const out = new Uint8Array(8 + length).fill(0x20)
  new DataView(out.buffer).setBigUint64(0, BigInt(length), true)
  out.set(text, 8)
  return out
}

/** Writes one file; returns its bytes of tensor data. `onBytes` hears of every chunk. */
export async function writeSafetensors(
  file: string,
  tensors: readonly TensorSource[],
  onBytes: (bytes: number) => void = () => {},
): Promise<number> {
  const temporary = `${file}.${process.pid}.tmp`
  const handle = await open(temporary, 'w')
  let written = 0
  try {
    await handle.writeFile(header(tensors))
    for (const tensor of tensors) {
      let own = 0
      for await (const chunk of tensor.chunks()) {
        for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten
        own += chunk.length
        onBytes(chunk.length)
      }
      if (own !== sizeOf(tensor))
        throw new Error(`${tensor.name}: expected ${sizeOf(tensor)} bytes to write, got ${own}`)
      written += own
    }
    await handle.close()
    await rename(temporary, file)
  } catch (error) {
    await handle.close().catch(() => {})
    await rm(temporary, { force: true })
    throw error
  }
  return written
}

/** Largest shard that writeModel makes. */
const shardBytes = 4e9

/** Writes all tensors of a model into a folder: one file, or shards with an index. */
export async function writeModel(
  folder: string,
  tensors: readonly TensorSource[],
  onProgress: (done: number, total: number) => void = () => {},
): Promise<number> {
  const shards: TensorSource[][] = [[]]
  let size = 0
  const total = tensors.reduce((sum, t) => sum + sizeOf(t), 0)
  for (const tensor of tensors) {
    if (size > 0 && size + sizeOf(tensor) > shardBytes) {
      shards.push([])
      size = 0
    }
    shards.at(-1)?.push(tensor)
    size += sizeOf(tensor)
  }
  let done = 0
  const onBytes = (bytes: number) => {
    done += bytes
    onProgress(done, total)
  }
  if (shards.length === 1)
    return writeSafetensors(path.join(folder, 'model.safetensors'), tensors, onBytes)
  const map: Record<string, string> = Object.create(null)
  const name = (i: number) =>
    `model-${String(i + 1).padStart(5, '0')}-of-${String(shards.length).padStart(5, '0')}.safetensors`
  for (const [i, shard] of shards.entries()) {
    await writeSafetensors(path.join(folder, name(i)), shard, onBytes)
    for (const tensor of shard) map[tensor.name] = name(i)
  }
  await writeJson(path.join(folder, 'model.safetensors.index.json'), {
    metadata: { total_size: total },
    weight_map: map,
  })
  return total
}

export async function writeJson(file: string, value: JsonObject): Promise<void> {
  await writeFile(file, `${JSON.stringify(value, null, 2)}\n`)
}
