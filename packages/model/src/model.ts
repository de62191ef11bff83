// The model as the engine sees it: steps of batches, and forward passes of one sequence. Owns the device;
// one native run at a time.
import type { Device, Program } from '@hadal/kernels'
import type { Decoder } from './decoder.ts'
import {
  type Placement,
  readSampled,
  type StepTensors,
  writePlacement,
  writeSampling,
} from './inputs.ts'
import { type BlockStore, blockStore } from './kv-store.ts'
import type { Programs } from './programs.ts'
import type {
  Batch,
  Forward,
  ForwardOptions,
  Model,
  ModelInfo,
  ModelLimits,
  Sampled,
} from './types.ts'

export interface ModelParts {
  readonly device: Device
  readonly decoder: Decoder
  readonly programs: Programs
  readonly io: StepTensors
  readonly info: ModelInfo
  readonly limits: ModelLimits
  readonly hiddenSize: number
  readonly expertsPerToken: number
  readonly fingerprint: Readonly<Record<string, string>>
}

/** What forward() collects over its chunks. */
interface Collected {
  readonly logits: Float32Array
  readonly mtpLogits: Float32Array | undefined
  readonly hiddenStates: Float32Array[] | undefined
  readonly routing: Int32Array[] | undefined
}

const wrongBatch = (what: string, limit: number, got: number) =>
  new RangeError(`batch: ${what}: expected at most ${limit}, got ${got}`)

function checkBatch(batch: Batch, limits: ModelLimits): void {
  if (batch.ids.length > limits.maxTokens)
    throw wrongBatch('tokens', limits.maxTokens, batch.ids.length)
  if (batch.blocks.length > limits.maxSequences)
    throw wrongBatch('sequences', limits.maxSequences, batch.blocks.length)
  if (batch.rows.length > limits.maxRows)
    throw wrongBatch('rows', limits.maxRows, batch.rows.length)
  for (const name of ['positions', 'slots', 'tokenSeq'] as const)
    if (batch[name].length !== batch.ids.length)
      throw new RangeError(
        `batch: ${name}: expected ${batch.ids.length} entries, got ${batch[name].length}`,
      )
  if (batch.sampling.length !== batch.rows.length)
    throw new RangeError(
      `batch: sampling: expected ${batch.rows.length} entries, got ${batch.sampling.length}`,
    )
}

export function createModel(parts: ModelParts): Model {
  const { device, programs, io, limits, info, fingerprint } = parts
  const store: BlockStore = blockStore(device, parts.decoder, limits)
  let busy = false
  let disposed: Promise<void> | undefined

  const exclusively = async <R>(work: () => Promise<R>): Promise<R> => {
    if (disposed)
      throw Object.assign(new Error('model: used after dispose()'), { code: 'ERR_HADAL_DISPOSED' })
    if (busy) throw new Error('model: a step is running; steps run one at a time')
    busy = true
    try {
      return await work()
    } finally {
      busy = false
    }
  }

  const step = async (batch: Batch, signal?: AbortSignal): Promise<Sampled> => {
    checkBatch(batch, limits)
    writePlacement(device, io.inputs, batch, limits)
    writeSampling(device, io.sampling, batch.sampling)
    const dims = { T: batch.ids.length, S: batch.blocks.length, N: batch.rows.length }
    await programs.step.run(dims, signal)
    return readSampled(device, io.sampled, dims.N)
  }

  return {
    info,
    limits,
    step: (batch, signal) => exclusively(() => step(batch, signal)),
    forward: (ids, blocks, options) => exclusively(() => forward(parts, ids, blocks, options)),
    fingerprint,
    blockBytes: store.blockBytes,
    readBlocks: (blocks) => store.read(blocks),
    writeBlocks: (blocks, bytes) => store.write(blocks, bytes),
    trim: (freeBlocks) => store.discard(freeBlocks),
    dispose() {
      disposed ??= device.dispose()
      return disposed
    },
  }
}

async function forward(
  parts: ModelParts,
  ids: Int32Array,
  blocks: readonly number[],
  options: ForwardOptions = {},
): Promise<Forward> {
  const { limits, info, programs } = parts
  const total = ids.length
  if (total === 0) throw new RangeError('forward: ids: expected at least one, got none')
  if (total > limits.contextLength)
    throw new RangeError(
      `forward: ids: expected at most ${limits.contextLength} (the context length), got ${total}`,
    )
  if (blocks.length * limits.blockSize < total)
    throw new RangeError(
      `forward: blocks: expected room for ${total} tokens, got ${blocks.length} blocks`,
    )
  if (options.mtp && !programs.mtp)
    throw new RangeError(`forward: mtp: ${info.architecture} has no MTP module here`)
  const most = options.chunk ?? limits.maxTokens
  if (!Number.isSafeInteger(most) || most < 1)
    throw new RangeError(`forward: chunk: expected a whole number of 1 or more, got ${most}`)
  const chunk = Math.min(most, limits.maxTokens)
  const wanted = options.lastLogits ?? total
  if (!Number.isSafeInteger(wanted) || wanted < 0)
    throw new RangeError(`forward: lastLogits: expected a whole number of 0 or more, got ${wanted}`)
  const first = Math.max(total - wanted, 0)
  const V = info.vocabularySize
  const layers = parts.decoder.layers
  const mtpFirst = Math.min(first, total - 1)
  const out: Collected = {
    logits: new Float32Array((total - first) * V),
    mtpLogits: options.mtp ? new Float32Array((total - 1 - mtpFirst) * V) : undefined,
    hiddenStates: options.hiddenStates
      ? Array.from({ length: layers + 1 }, () => new Float32Array(total * parts.hiddenSize))
      : undefined,
    routing: options.routing
      ? programs.traced().routing.map(() => new Int32Array(total * parts.expertsPerToken))
      : undefined,
  }
  for (let begin = 0; begin < total; begin += chunk) {
    const end = Math.min(begin + chunk, total)
    await forwardChunk(parts, ids, blocks, { begin, end, first, mtpFirst }, out, options)
  }
  const { logits, mtpLogits, hiddenStates, routing } = out
  return {
    logits,
    ...(mtpLogits && { mtpLogits }),
    ...(hiddenStates && { hiddenStates }),
    ...(routing && { routing }),
  }
}

interface Span {
  readonly begin: number
  readonly end: number
  /** First position whose logits are wanted, of the model and of the MTP module. */
  readonly first: number
  readonly mtpFirst: number
}

function placement(
  parts: ModelParts,
  ids: Int32Array,
  blocks: readonly number[],
  begin: number,
  end: number,
): Placement {
  const size = parts.limits.blockSize
  const positions = Int32Array.from({ length: end - begin }, (_, i) => begin + i)
  return {
    ids: ids.subarray(begin, end),
    positions,
    slots: positions.map((p) => (blocks[Math.floor(p / size)] as number) * size + (p % size)),
    tokenSeq: new Int32Array(end - begin),
    blocks: [blocks],
    rows: new Int32Array(0),
  }
}

async function forwardChunk(
  parts: ModelParts,
  ids: Int32Array,
  blocks: readonly number[],
  span: Span,
  out: Collected,
  options: ForwardOptions,
): Promise<void> {
  const { device, programs, io } = parts
  const { begin, end } = span
  const count = end - begin
  const { signal } = options
  writePlacement(device, io.inputs, placement(parts, ids, blocks, begin, end), parts.limits)
  const traced = out.hiddenStates || out.routing ? programs.traced() : undefined
  await (traced?.body ?? programs.body).run({ T: count, S: 1, N: 0 }, signal)
  const D = parts.hiddenSize
  out.hiddenStates?.forEach((state, i) => {
    // The last entry is the final norm's output, as the reference implementation reports it.
    const tensor = i === parts.decoder.layers ? programs.hidden : traced?.residuals[i]
    if (tensor) device.read(tensor, state.subarray(begin * D, end * D))
  })
  out.routing?.forEach((chosen, i) => {
    const tensor = traced?.routing[i]
    const K = parts.expertsPerToken
    if (tensor) device.read(tensor, chosen.subarray(begin * K, end * K))
  })
  await readLogits(parts, programs.head, { begin, end, first: span.first }, out.logits, signal)
  if (!out.mtpLogits || !programs.mtp) return
  const last = Math.min(end, ids.length - 1)
  if (last <= begin) return
  device.write(io.inputs.nextIds, ids.subarray(begin + 1, last + 1))
  await programs.mtp.body.run({ T: last - begin, S: 1, N: 0 }, signal)
  await readLogits(
    parts,
    programs.mtp.head,
    { begin, end: last, first: span.mtpFirst },
    out.mtpLogits,
    signal,
  )
}

/** Runs the head over [max(begin, first), end) in slices of maxRows. */
async function readLogits(
  parts: ModelParts,
  head: Program,
  span: { begin: number; end: number; first: number },
  into: Float32Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { device, io, limits, programs } = parts
  const V = parts.info.vocabularySize
  for (let p = Math.max(span.begin, span.first); p < span.end; p += limits.maxRows) {
    const rows = Math.min(limits.maxRows, span.end - p)
    device.write(
      io.inputs.rows,
      Int32Array.from({ length: rows }, (_, i) => p - span.begin + i),
    )
    await head.run({ T: span.end - span.begin, S: 1, N: rows }, signal)
    device.read(programs.logits, into.subarray((p - span.first) * V, (p - span.first + rows) * V))
  }
}
