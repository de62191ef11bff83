// A device: the addon's handle with a lifetime, its buffers, its programs. One per loaded model; dispose()
// waits for the run in flight and frees everything made here.
import {
  type Binding,
  type BufferHandle,
  type DeviceHandle,
  type DeviceKind,
  type HostArray,
  loadBinding,
} from '@hadal/native'
import { opNames } from './op-table.ts'
import { type DType, denseStrides, dtypeBytes, type Extent, type Tensor } from './tensor.ts'

export interface DeviceOptions {
  /** Default 'cpu'. 'cuda' throws ERR_HADAL_UNSUPPORTED with one sentence where it cannot be opened. */
  readonly device?: DeviceKind
  /** 0 or absent: the physical cores that this process may use. */
  readonly threads?: number
  /** Forces a kernel set: 'avx512bf16', 'avx512vbmi', 'avx512', 'avx2' or 'portable'. Default: HADAL_ISA, then the best. */
  readonly isa?: string
}

/** The addon and this package must agree on the ops; a mismatch means two versions met. */
function checkOps(binding: Binding): void {
  const have = new Set(binding.opList())
  const missing = opNames.filter((name) => !have.has(name))
  const extra = [...have].filter((name) => !(opNames as readonly string[]).includes(name))
  if (missing.length + extra.length > 0)
    throw new Error(
      `native addon: expected the ops of this version; missing [${missing}], unknown [${extra}]; build it again`,
    )
}

export class Device {
  readonly binding: Binding
  readonly handle: DeviceHandle
  readonly kind: DeviceKind
  /** Of the processor. */
  readonly name: string
  readonly threads: number
  readonly isa: string
  readonly #buffers = new Set<BufferHandle>()
  #released: Promise<void> | undefined

  private constructor(binding: Binding, handle: DeviceHandle) {
    this.binding = binding
    this.handle = handle
    this.kind = binding.deviceKind(handle)
    this.name = binding.deviceName(handle)
    this.threads = binding.deviceThreads(handle)
    this.isa = binding.deviceIsa(handle)
  }

  /**
   * Opens a device. Throws ERR_HADAL_UNSUPPORTED for an instruction set that this CPU lacks, and for a
   * GPU that is not there or not usable.
   */
  static open(options: DeviceOptions = {}): Device {
    const binding = loadBinding()
    checkOps(binding)
    const device = options.device ?? 'cpu'
    const isa = options.isa ?? (device === 'cpu' ? process.env.HADAL_ISA : undefined) ?? null
    const handle = binding.deviceCreate({
      device,
      threads: options.threads ?? 0,
      isa: isa === '' ? null : isa,
    })
    return new Device(binding, handle)
  }

  /** Bytes of the device, and of those the free ones. */
  get memory(): { readonly total: number; readonly available: number } {
    return this.binding.deviceMemory(this.handle)
  }

  /** Zero-filled memory; on the host its pages are taken when first touched. */
  allocate(bytes: number): BufferHandle {
    const buffer = this.binding.bufferAllocate(this.handle, Math.max(bytes, 64))
    this.#buffers.add(buffer)
    return buffer
  }

  /** Maps a file read-only; size and time must be what the header's reader saw. */
  map(path: string, size: number, mtimeNs: bigint): BufferHandle {
    const buffer = this.binding.bufferMap(this.handle, path, size, mtimeNs)
    this.#buffers.add(buffer)
    return buffer
  }

  /** A tensor in memory of its own. `capacity` replaces a leading step dimension when sizing it. */
  tensor(dtype: DType, shape: readonly Extent[], capacity = 1): Tensor {
    const elements = shape.reduce(
      (product, extent) => product * (extent < 0 ? capacity : extent),
      1,
    )
    const buffer = this.allocate(elements * dtypeBytes[dtype])
    return { buffer, offset: 0, dtype, shape, strides: denseStrides(shape) }
  }

  /** A constant tensor with these values. */
  constant(values: Float32Array | Int32Array, shape: readonly number[] = [values.length]): Tensor {
    const tensor = this.tensor(values instanceof Float32Array ? 'F32' : 'I32', shape)
    this.write(tensor, values)
    return tensor
  }

  write(tensor: Tensor, values: HostArray): void {
    this.binding.bufferWrite(tensor.buffer, tensor.offset, values)
  }

  read<A extends HostArray>(tensor: Tensor, into: A, elementOffset = 0): A {
    const bytes = elementOffset * dtypeBytes[tensor.dtype]
    this.binding.bufferRead(tensor.buffer, tensor.offset + bytes, into)
    return into
  }

  /** Cancels what runs, waits for it, frees all buffers. Idempotent. */
  dispose(): Promise<void> {
    this.#released ??= this.binding.deviceRelease(this.handle).then(() => {
      for (const buffer of this.#buffers) this.binding.bufferRelease(buffer)
      this.#buffers.clear()
    })
    return this.#released
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }
}
