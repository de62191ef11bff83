// KV blocks as memory: their bytes out and in, and their pages back to the system. A block is spread
// over the caches of all layers; outside it is one piece, layer after layer.
import { type Device, dtypeBytes, type Tensor } from '@hadal/kernels'
import type { Decoder } from './decoder.ts'
import type { ModelLimits } from './types.ts'

export interface BlockStore {
  readonly blockBytes: number
  read(blocks: readonly number[]): Uint8Array
  write(blocks: readonly number[], bytes: Uint8Array): void
  discard(blocks: readonly number[]): void
}

const bytesPerBlock = (cache: Tensor) => (cache.strides[0] ?? 0) * dtypeBytes[cache.dtype]

export function blockStore(device: Device, decoder: Decoder, limits: ModelLimits): BlockStore {
  const { binding } = device
  const all = decoder.caches.flatMap((cache) => cache.tensors)
  // The cache of the MTP module comes last. Steps do not fill it, so there is nothing to keep.
  const kept = decoder.caches.slice(0, decoder.layers).flatMap((cache) => cache.tensors)
  const blockBytes = kept.reduce((sum, cache) => sum + bytesPerBlock(cache), 0)

  const check = (block: number) => {
    if (Number.isSafeInteger(block) && block >= 0 && block < limits.blockCount) return
    throw new RangeError(`KV block: expected 0 to ${limits.blockCount - 1}, got ${block}`)
  }
  /** Calls `visit` with the place of every piece of the blocks, in memory and in `bytes`. */
  const eachPiece = (
    blocks: readonly number[],
    bytes: Uint8Array,
    visit: (cache: Tensor, offset: number, piece: Uint8Array) => void,
  ) => {
    let at = 0
    for (const block of blocks) {
      check(block)
      for (const cache of kept) {
        const size = bytesPerBlock(cache)
        visit(cache, cache.offset + block * size, bytes.subarray(at, at + size))
        at += size
      }
    }
  }

  return {
    blockBytes,
    read(blocks) {
      const bytes = new Uint8Array(blocks.length * blockBytes)
      eachPiece(blocks, bytes, (cache, offset, piece) =>
        binding.bufferRead(cache.buffer, offset, piece),
      )
      return bytes
    },
    write(blocks, bytes) {
      const wanted = blocks.length * blockBytes
      if (bytes.length !== wanted)
        throw new RangeError(`KV blocks: expected ${wanted} bytes, got ${bytes.length}`)
      eachPiece(blocks, bytes, (cache, offset, piece) =>
        binding.bufferWrite(cache.buffer, offset, piece),
      )
    },
    discard(blocks) {
      const sorted = [...blocks].sort((a, b) => a - b)
      for (const cache of all) discardRuns(device, cache, sorted)
    },
  }
}

function discardRuns(device: Device, cache: Tensor, sorted: readonly number[]): void {
  const bytes = bytesPerBlock(cache)
  for (let i = 0; i < sorted.length; ) {
    let end = i + 1
    while (end < sorted.length && sorted[end] === (sorted[end - 1] as number) + 1) end++
    device.binding.bufferDiscard(cache.buffer, (sorted[i] as number) * bytes, (end - i) * bytes)
    i = end
  }
}
