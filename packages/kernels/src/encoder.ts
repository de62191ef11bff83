// Records ops into a program and replays it. Recording checks shapes here with the op's argument names,
// and again natively; a run is one asynchronous call.
import type { ProgramHandle } from '@hadal/native'
import type { Device } from './device.ts'
import type { OpName } from './op-table.ts'
import { type DType, describe, type Extent, raw, ShapeError, type Tensor } from './tensor.ts'

/** Largest T, S and N of a run. */
export interface StepCapacity {
  readonly T: number
  readonly S: number
  readonly N: number
}

export type Precision = 'fast' | 'reference'
export type OpArgument = Tensor | readonly Tensor[] | undefined

/** What an argument must be: dtypes, and a shape in which a letter is bound at its first use. */
export interface Expected {
  readonly name: string
  readonly dtypes: readonly DType[]
  readonly shape: readonly (Extent | string)[]
}

/** Binds the letters of `expected` against `tensor`, or throws with op, argument, expected and got. */
export function expectShape(
  op: string,
  tensor: Tensor,
  expected: Expected,
  bound: Map<string, Extent>,
): void {
  const resolved = expected.shape.map((d) => (typeof d === 'string' ? (bound.get(d) ?? d) : d))
  const fits =
    expected.dtypes.includes(tensor.dtype) &&
    tensor.shape.length === resolved.length &&
    resolved.every((d, i) => typeof d === 'string' || d === tensor.shape[i])
  if (!fits) {
    const shape = expected.shape
      .map((d) => (typeof d === 'string' && bound.has(d) ? `${d}=${bound.get(d)}` : String(d)))
      .join(', ')
    throw new ShapeError(
      `${op}: ${expected.name}: expected [${shape}] ${expected.dtypes.join(' or ')}, got ${describe(tensor)}`,
    )
  }
  expected.shape.forEach((d, i) => {
    if (typeof d === 'string') bound.set(d, tensor.shape[i] as Extent)
  })
}

export class Encoder {
  readonly device: Device
  readonly precision: Precision
  readonly capacity: StepCapacity
  readonly #handle: ProgramHandle
  readonly #ops: OpName[] = []

  constructor(device: Device, precision: Precision, capacity: StepCapacity) {
    this.device = device
    this.precision = precision
    this.capacity = capacity
    const { T, S, N } = capacity
    this.#handle = device.binding.programCreate(device.handle, precision === 'fast' ? 0 : 1, [
      T,
      S,
      N,
    ])
  }

  /** Appends one op: outputs first, then inputs, as the op table says. */
  append(op: OpName, args: readonly OpArgument[], attributes: readonly number[] = []): void {
    const marshalled = args.map((arg) => {
      if (arg === undefined) return null
      return isTensor(arg) ? raw(arg) : arg.map(raw)
    })
    this.device.binding.programAppend(this.#handle, op, marshalled, attributes)
    this.#ops.push(op)
  }

  finish(): Program {
    return new Program(this.device, this.#handle, this.#ops)
  }
}

function isTensor(arg: Tensor | readonly Tensor[]): arg is Tensor {
  return !Array.isArray(arg)
}

export class Program {
  readonly ops: readonly OpName[]
  readonly #device: Device
  readonly #handle: ProgramHandle

  constructor(device: Device, handle: ProgramHandle, ops: readonly OpName[]) {
    this.#device = device
    this.#handle = handle
    this.ops = ops
  }

  /**
   * Runs all ops with these step dimensions. Rejects with the signal's reason when it is aborted; the
   * native work stops between two ops.
   */
  async run(dims: StepCapacity, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const binding = this.#device.binding
    const cancel = () => binding.programCancel(this.#handle)
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      await binding.programRun(this.#handle, [dims.T, dims.S, dims.N])
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }

  profile(enable: boolean): void {
    this.#device.binding.programProfile(this.#handle, enable)
  }

  /** Milliseconds of the last run, summed by op name; needs profile(true) before. */
  timings(): Map<OpName, number> {
    const sums = new Map<OpName, number>()
    this.#device.binding.programTimings(this.#handle).forEach((ns, i) => {
      const op = this.ops[i]
      if (op) sums.set(op, (sums.get(op) ?? 0) + ns / 1e6)
    })
    return sums
  }

  dispose(): void {
    this.#device.binding.programRelease(this.#handle)
  }
}
