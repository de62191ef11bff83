// The step's inputs and outputs as tensors, and how a Batch is written into them. All sizes that change from
// step to step live here.
import {
  type AttentionInputs,
  type Device,
  maxTopLogprobs,
  N,
  S,
  type SampleInputs,
  type SampleOutputs,
  T,
  type Tensor,
} from '@hadal/kernels'
import type { Batch, ModelLimits, RowSampling, Sampled } from './types.ts'

export interface StepInputs extends AttentionInputs {
  /** `[T]` */
  readonly ids: Tensor
  /** `[T]` the token after each, for the MTP module. */
  readonly nextIds: Tensor
  /** `[N]` tokens whose logits are wanted. */
  readonly rows: Tensor
}

export interface StepTensors {
  readonly inputs: StepInputs
  readonly sampling: SampleInputs
  readonly sampled: SampleOutputs
}

/** Entries of all rows together that penalties and biases may have in one step. */
const listCapacity = (limits: ModelLimits) => ({
  history: Math.max(limits.maxRows * limits.contextLength, 1),
  bias: Math.max(limits.maxRows * 1024, 1),
})

export function makeStepTensors(
  device: Device,
  limits: ModelLimits,
  vocabularySize: number,
): StepTensors {
  const perToken = () => device.tensor('I32', [T], limits.maxTokens)
  const blocks = Math.ceil(limits.contextLength / limits.blockSize)
  const capacity = listCapacity(limits)
  const row = (dtype: 'F32' | 'I32', ...shape: number[]) =>
    device.tensor(dtype, [N, ...shape], limits.maxRows)
  return {
    inputs: {
      ids: perToken(),
      nextIds: perToken(),
      positions: perToken(),
      slots: perToken(),
      tokenSeq: perToken(),
      blockTable: device.tensor('I32', [S, blocks], limits.maxSequences),
      rows: row('I32'),
    },
    sampling: {
      params: row('F32', 8),
      seeds: row('I32', 4),
      historyOffsets: device.tensor('I32', [limits.maxRows + 1]),
      historyIds: device.tensor('I32', [capacity.history]),
      biasOffsets: device.tensor('I32', [limits.maxRows + 1]),
      biasIds: device.tensor('I32', [capacity.bias]),
      biasValues: device.tensor('F32', [capacity.bias]),
      masked: row('I32'),
      masks: row('I32', Math.ceil(vocabularySize / 32)),
    },
    sampled: {
      ids: row('I32'),
      logprobs: row('F32'),
      topIds: row('I32', maxTopLogprobs),
      topLogprobs: row('F32', maxTopLogprobs),
    },
  }
}

/** What a step needs to know of its tokens, without how rows are sampled. */
export type Placement = Pick<Batch, 'ids' | 'positions' | 'slots' | 'tokenSeq' | 'blocks' | 'rows'>

export function writePlacement(
  device: Device,
  io: StepInputs,
  batch: Placement,
  limits: ModelLimits,
): void {
  device.write(io.ids, batch.ids)
  device.write(io.positions, batch.positions)
  device.write(io.slots, batch.slots)
  device.write(io.tokenSeq, batch.tokenSeq)
  const width = Math.ceil(limits.contextLength / limits.blockSize)
  batch.blocks.forEach((blocks, s) => {
    if (blocks.length > width)
      throw new RangeError(`blocks: expected at most ${width} for a sequence, got ${blocks.length}`)
    // Row by row: what lies behind a sequence's last block is not read, and may be most of the table.
    writeAt(device, io.blockTable, s * width, new Int32Array(blocks))
  })
  device.write(io.rows, batch.rows)
}

function writeAt(device: Device, tensor: Tensor, element: number, values: Int32Array): void {
  if (values.length === 0) return
  device.binding.bufferWrite(tensor.buffer, tensor.offset + element * 4, values)
}

export function writeSampling(
  device: Device,
  io: SampleInputs,
  rows: readonly RowSampling[],
): void {
  const params = new Float32Array(rows.length * 8)
  const seeds = new Int32Array(rows.length * 4)
  const historyOffsets = new Int32Array(rows.length + 1)
  const biasOffsets = new Int32Array(rows.length + 1)
  let history = 0
  const bias: [number, number][] = []
  rows.forEach((r, i) => {
    params.set([r.temperature, r.topP, r.topK, r.minP, r.repetitionPenalty], i * 8)
    params.set([r.presencePenalty, r.frequencyPenalty, r.topLogprobs], i * 8 + 5)
    const seed = BigInt.asUintN(64, r.seed)
    seeds.set([Number(seed & 0xffffffffn) | 0, Number(seed >> 32n) | 0, r.counter | 0, 0], i * 4)
    // Straight from the sequence's own array: 32 long histories are a million ids a step.
    const ids = r.history instanceof Int32Array ? r.history : Int32Array.from(r.history)
    writeAt(device, io.historyIds, history, ids)
    history += ids.length
    if (r.bias) bias.push(...r.bias)
    historyOffsets[i + 1] = history
    biasOffsets[i + 1] = bias.length
  })
  device.write(io.params, params)
  device.write(io.seeds, seeds)
  device.write(io.historyOffsets, historyOffsets)
  device.write(io.biasOffsets, biasOffsets)
  writeMasks(device, io, rows)
  if (bias.length === 0) return
  device.write(
    io.biasIds,
    Int32Array.from(bias, ([id]) => id),
  )
  device.write(
    io.biasValues,
    Float32Array.from(bias, ([, value]) => value),
  )
}

/** Flags for all rows, words for those that have a mask alone. */
function writeMasks(device: Device, io: SampleInputs, rows: readonly RowSampling[]): void {
  if (!io.masked || !io.masks) return
  device.write(
    io.masked,
    Int32Array.from(rows, ({ mask }) => (mask ? 1 : 0)),
  )
  const words = io.masks.shape[1] as number
  for (const [i, { mask }] of rows.entries()) {
    if (!mask) continue
    if (mask.length !== words)
      throw new RangeError(`batch: mask: expected ${words} words, got ${mask.length}`)
    device.write({ ...io.masks, offset: io.masks.offset + i * words * 4 }, mask)
  }
}

export function readSampled(device: Device, out: SampleOutputs, n: number): Sampled {
  return {
    ids: device.read(out.ids, new Int32Array(n)),
    logprobs: device.read(out.logprobs, new Float32Array(n)),
    topIds: device.read(out.topIds, new Int32Array(n * maxTopLogprobs)),
    topLogprobs: device.read(out.topLogprobs, new Float32Array(n * maxTopLogprobs)),
  }
}
