// The raw binding of the addon, written by hand. One function per ABI call; no policy here.
// Handles are opaque objects whose memory the addon frees when released or collected.

export interface DeviceHandle {
  readonly __device: unique symbol
}
export interface BufferHandle {
  readonly __buffer: unique symbol
}
export interface ProgramHandle {
  readonly __program: unique symbol
}
export interface VocabularyHandle {
  readonly __vocabulary: unique symbol
}
export interface GrammarHandle {
  readonly __grammar: unique symbol
}
export interface MatcherHandle {
  readonly __matcher: unique symbol
}

/** Numeric dtype codes of `hadal.h`. */
export const dtypeCodes = { F32: 0, BF16: 1, F16: 2, F8_E4M3: 3, I32: 4, U8: 5 } as const
export type DTypeName = keyof typeof dtypeCodes

/** Step dimensions: negative extents in a shape whose value is given to each run. */
export const stepDims = { T: -1, S: -2, N: -3 } as const

/** A view as the ABI takes it. `shape` may hold step dimensions; `strides` count elements. */
export interface RawTensor {
  readonly buffer: BufferHandle
  readonly offset: number
  readonly dtype: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]
}

/** Absent, one tensor, or a list (one weight per expert). */
export type RawArgument = RawTensor | readonly RawTensor[] | null

export type HostArray =
  | Float32Array
  | Int32Array
  | Uint32Array
  | Uint8Array
  | Uint16Array
  | Float64Array

/** Bits of `matcherState`. */
export const matcherFlags = { canEnd: 1, done: 2 } as const

export interface CpuInfo {
  readonly vendor: string
  readonly model: string
  readonly isa: string
  readonly features: string
  readonly logicalCores: number
  readonly physicalCores: number
  readonly memoryTotal: number
  readonly memoryAvailable: number
}

export interface CudaInfo {
  /** Empty: a device 'cuda' can be opened. Else what is missing, in one sentence. */
  readonly problem: string
  readonly name: string
  /** 13000 for CUDA 13.0. */
  readonly driverVersion: number
  readonly memoryTotal: number
}

export type DeviceKind = 'cpu' | 'cuda'

/**
 * Every function throws an Error with `code` = 'ERR_HADAL_INVALID' | 'ERR_HADAL_UNSUPPORTED' |
 * 'ERR_HADAL_NO_MEMORY' | 'ERR_HADAL_IO' | 'ERR_HADAL_CANCELLED' | 'ERR_HADAL_FILE_CHANGED' |
 * 'ERR_HADAL_INTERNAL' | 'ERR_HADAL_DISPOSED'.
 */
export interface Binding {
  abiVersion(): number
  version(): string
  opList(): string[]
  cpu(): CpuInfo
  /** Opens the driver, if there is one, and no context. */
  cuda(): CudaInfo
  /** The ops of `opList` that have a kernel for CUDA; none when the backend is not there. */
  cudaOpList(): string[]

  deviceCreate(options: {
    device: DeviceKind | 'auto'
    threads: number
    isa: string | null
  }): DeviceHandle
  /** Of the host that compute; 0 on a GPU. */
  deviceThreads(device: DeviceHandle): number
  deviceIsa(device: DeviceHandle): string
  deviceKind(device: DeviceHandle): DeviceKind
  /** Of the processor. */
  deviceName(device: DeviceHandle): string
  /** Why 'auto' did not take a GPU; else empty. */
  deviceNote(device: DeviceHandle): string
  deviceMemory(device: DeviceHandle): { readonly total: number; readonly available: number }
  /** Waits for the run in flight (cancelling it), then frees. Idempotent. */
  deviceRelease(device: DeviceHandle): Promise<void>

  bufferAllocate(device: DeviceHandle, bytes: number): BufferHandle
  bufferMap(device: DeviceHandle, path: string, size: number, mtimeNs: bigint): BufferHandle
  bufferRelease(buffer: BufferHandle): void
  bufferSize(buffer: BufferHandle): number
  bufferWrite(buffer: BufferHandle, byteOffset: number, data: HostArray): void
  bufferRead(buffer: BufferHandle, byteOffset: number, into: HostArray): void
  bufferDiscard(buffer: BufferHandle, byteOffset: number, bytes: number): void

  programCreate(
    device: DeviceHandle,
    precision: 0 | 1,
    maxDims: readonly [number, number, number],
  ): ProgramHandle
  programAppend(
    program: ProgramHandle,
    op: string,
    args: readonly RawArgument[],
    attributes: readonly number[],
  ): void
  programSize(program: ProgramHandle): number
  /** Resolves when the step is done; rejects with ERR_HADAL_CANCELLED after programCancel. Runs on the device's own thread. */
  programRun(program: ProgramHandle, dims: readonly [number, number, number]): Promise<void>
  /** Stops the run of this program that is in flight or queued, between two ops. */
  programCancel(program: ProgramHandle): void
  programProfile(program: ProgramHandle, enable: boolean): void
  /** Nanoseconds per op of the last run. */
  programTimings(program: ProgramHandle): Float64Array
  programRelease(program: ProgramHandle): void

  /** Token i is bytes[offsets[i] .. offsets[i + 1]); an empty one matches by its id alone. `size`: ids of a mask. */
  vocabularyCreate(
    bytes: Uint8Array,
    offsets: Int32Array,
    size: number,
    endIds: Int32Array,
  ): VocabularyHandle
  vocabularyRelease(vocabulary: VocabularyHandle): void
  /** `words`: native/grammar/ir.h says their format. ERR_HADAL_UNSUPPORTED: too ambiguous to follow. */
  grammarCompile(vocabulary: VocabularyHandle, words: Int32Array): GrammarHandle
  grammarRelease(grammar: GrammarHandle): void
  matcherCreate(grammar: GrammarHandle, entry: number): MatcherHandle
  matcherRelease(matcher: MatcherHandle): void
  /** Fills ceil(size / 32) words; returns how many ids may come next. */
  matcherMask(matcher: MatcherHandle, words: Uint32Array | Int32Array): number
  /** false: the id may not come next, and nothing changed. */
  matcherAccept(matcher: MatcherHandle, id: number): boolean
  matcherRollback(matcher: MatcherHandle, tokens: number): void
  matcherReset(matcher: MatcherHandle): void
  /** `matcherFlags` that hold. */
  matcherState(matcher: MatcherHandle): number
}
