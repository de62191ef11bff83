// A tensor: a typed view into a native buffer. Holds no memory of its own; the device owns buffers.
import {
  type BufferHandle,
  type DTypeName,
  dtypeCodes,
  type RawTensor,
  stepDims,
} from '@hadal/native'

export type DType = DTypeName

/** An extent: a number, or a step dimension whose value comes with each run. */
export type Extent = number

/** Tokens in the step. */
export const T: Extent = stepDims.T
/** Sequences in the step. */
export const S: Extent = stepDims.S
/** Rows whose logits are wanted. */
export const N: Extent = stepDims.N

export const dtypeBytes: Readonly<Record<DType, number>> = {
  F32: 4,
  BF16: 2,
  F16: 2,
  F8_E4M3: 1,
  I32: 4,
  U8: 1,
}

export interface Tensor {
  readonly buffer: BufferHandle
  /** Bytes from the buffer's start to element 0. */
  readonly offset: number
  readonly dtype: DType
  readonly shape: readonly Extent[]
  /** Elements; the last is 1. */
  readonly strides: readonly number[]
}

/** Thrown when shapes, dtypes or attributes of an op do not fit: op, argument, expected, got. */
export class ShapeError extends Error {
  readonly code = 'ERR_HADAL_SHAPE'
  override readonly name = 'ShapeError'
}

const dimName = (extent: Extent): string =>
  extent === T ? 'T' : extent === S ? 'S' : extent === N ? 'N' : String(extent)

/** `[T, 192] F32` */
export function describe(tensor: Pick<Tensor, 'shape' | 'dtype'>): string {
  return `[${tensor.shape.map(dimName).join(', ')}] ${tensor.dtype}`
}

/** Row-major strides; a step dimension may only come first, where it has no influence. */
export function denseStrides(shape: readonly Extent[]): number[] {
  const strides = shape.map(() => 1)
  for (let i = shape.length - 2; i >= 0; i--)
    strides[i] = (strides[i + 1] ?? 1) * Math.max(shape[i + 1] ?? 1, 0)
  return strides
}

/** Columns [start, start + count) of the last dimension. */
export function columns(tensor: Tensor, start: number, count: number): Tensor {
  const width = tensor.shape.at(-1) ?? 0
  if (start < 0 || count < 0 || start + count > width)
    throw new ShapeError(
      `columns: expected a range inside ${describe(tensor)}, got ${start} to ${start + count}`,
    )
  return {
    ...tensor,
    offset: tensor.offset + start * dtypeBytes[tensor.dtype],
    shape: [...tensor.shape.slice(0, -1), count],
  }
}

/** The last dimension split in two: `[T, H·d]` → `[T, H, d]`; no data moves. */
export function splitLast(tensor: Tensor, inner: number): Tensor {
  const width = tensor.shape.at(-1) ?? 0
  if (inner <= 0 || width % inner !== 0)
    throw new ShapeError(`splitLast: expected a divisor of ${width}, got ${inner}`)
  return {
    ...tensor,
    shape: [...tensor.shape.slice(0, -1), width / inner, inner],
    strides: [...tensor.strides.slice(0, -1), inner, 1],
  }
}

/** The last two dimensions merged: `[T, H, d]` → `[T, H·d]`; they must be contiguous. */
export function mergeLast(tensor: Tensor): Tensor {
  const [outer = 1, inner = 1] = tensor.shape.slice(-2)
  if (tensor.strides.at(-2) !== inner)
    throw new ShapeError(`mergeLast: expected contiguous last dimensions, got ${describe(tensor)}`)
  return {
    ...tensor,
    shape: [...tensor.shape.slice(0, -2), outer * inner],
    strides: [...tensor.strides.slice(0, -2), 1],
  }
}

export function raw(tensor: Tensor): RawTensor {
  return { ...tensor, dtype: dtypeCodes[tensor.dtype] }
}
