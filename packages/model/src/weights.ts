// From checkpoint entries to tensors in mapped files. A tensor whose offset is not aligned to its element,
// and small vectors that the kernels want as F32, are copied once; everything else is used in place.
import {
  type Checkpoint,
  CheckpointError,
  type StoredDType,
  type TensorEntry,
} from '@hadal/checkpoint'
import {
  type Device,
  type DType,
  denseStrides,
  dtypeBytes,
  type Tensor,
  type Weight,
} from '@hadal/kernels'
import type { BufferHandle } from './handles.ts'

const usable: readonly StoredDType[] = ['F32', 'BF16', 'F16']

export interface Weights {
  /** A vector of n values, as F32. */
  vector(name: string, n: number): Promise<Tensor>
  /** A matrix `[rows, columns]` with its scale. */
  matrix(name: string, rows: number, columns: number): Promise<Weight>
  /** A matrix that is never FP8 (embedding, router, head). */
  plain(name: string, rows: number, columns: number): Promise<Tensor>
  has(name: string): boolean
}

export function openWeights(checkpoint: Checkpoint, device: Device): Weights {
  const maps = new Map<string, BufferHandle>()

  const mapped = (entry: TensorEntry): BufferHandle => {
    const known = maps.get(entry.file.path)
    if (known) return known
    const { path, size, mtimeNs } = entry.file
    const buffer = device.map(path, size, mtimeNs)
    maps.set(path, buffer)
    return buffer
  }

  const inPlace = async (entry: TensorEntry): Promise<Tensor> => {
    const dtype = entry.dtype as DType
    if (entry.offset % dtypeBytes[dtype] !== 0)
      return device.constant(await checkpoint.readF32(entry), entry.shape)
    return {
      buffer: mapped(entry),
      offset: entry.offset,
      dtype,
      shape: entry.shape,
      strides: denseStrides(entry.shape),
    }
  }

  const finite = (entry: TensorEntry, values: Float32Array): Float32Array => {
    const at = values.findIndex((v) => !Number.isFinite(v))
    if (at >= 0)
      throw new CheckpointError(
        `${entry.name}: expected finite values, got ${values[at]} at index ${at} in ${entry.file.path}`,
        { file: entry.file.path, tensor: entry.name },
      )
    return values
  }

  return {
    has: checkpoint.has,
    async vector(name, n) {
      const entry = checkpoint.tensor(name, { shape: [n], dtypes: usable })
      return device.constant(finite(entry, await checkpoint.readF32(entry)))
    },
    async matrix(name, rows, columns) {
      const { tensor, scale, block } = checkpoint.weight(name, [rows, columns])
      if (!scale || !block) return { tensor: await inPlace(tensor) }
      // Scales are a 16,384th of the weights: read them, so that a bad one is found before it multiplies.
      const values = finite(scale, await checkpoint.readF32(scale))
      const own = scale.dtype === 'F32' && scale.offset % 4 === 0
      return {
        tensor: await inPlace(tensor),
        scale: own ? await inPlace(scale) : device.constant(values, scale.shape),
        block,
      }
    },
    async plain(name, rows, columns) {
      return inPlace(checkpoint.tensor(name, { shape: [rows, columns], dtypes: usable }))
    },
  }
}
