// The programs of a model, each recorded once: the step (layers, head, sampler), the layers alone, the head
// alone, and the same with taps for tests.
import {
  copy,
  type Device,
  Encoder,
  embedTokens,
  gatherRows,
  N,
  type Precision,
  type Program,
  rmsNorm,
  type StepCapacity,
  sample,
  T,
  type Tensor,
} from '@hadal/kernels'
import type { ModelConfig } from './config.ts'
import type { Decoder, Head } from './decoder.ts'
import type { StepTensors } from './inputs.ts'

export interface Programs {
  readonly step: Program
  /** Layers and final norm; leaves `hidden`. */
  readonly body: Program
  /** logits `[N, V]` from rows of `hidden`. */
  readonly head: Program
  readonly mtp: { readonly body: Program; readonly head: Program } | undefined
  /** `[T, D]` after the final norm. */
  readonly hidden: Tensor
  /** `[T, D]` after the MTP module's norm. */
  readonly mtpHidden: Tensor | undefined
  /** `[N, V]` */
  readonly logits: Tensor
  /** Recorded at first use: the body with copies of every layer's output and routing. */
  traced(): Traced
}

export interface Traced {
  readonly body: Program
  /** `[T, D]` after the embedding, then after each layer. */
  readonly residuals: readonly Tensor[]
  /** `[T, K]` of each layer that routes. */
  readonly routing: readonly Tensor[]
}

interface Recording {
  readonly device: Device
  readonly precision: Precision
  readonly capacity: StepCapacity
  readonly config: ModelConfig
  readonly decoder: Decoder
  readonly io: StepTensors
}

interface Taps {
  residual(k: Encoder, residual: Tensor): void
  routing(k: Encoder, ids: Tensor): void
}

function recordBody(r: Recording, k: Encoder, hidden: Tensor, residual: Tensor, taps?: Taps): void {
  const { decoder, io, config } = r
  embedTokens(k, residual, io.inputs.ids, decoder.embedding)
  taps?.residual(k, residual)
  for (let i = 0; i < decoder.layers; i++) {
    const routed = decoder.layer(k, i, residual, io.inputs)
    taps?.residual(k, residual)
    if (routed) taps?.routing(k, routed)
  }
  rmsNorm(k, hidden, residual, decoder.finalNorm, config.eps)
}

export function recordPrograms(r: Recording): Programs {
  const { device, capacity, config, decoder, io } = r
  const wide = () => device.tensor('F32', [T, config.hiddenSize], capacity.T)
  const [hidden, residual] = [wide(), wide()]
  const gathered = device.tensor('F32', [N, config.hiddenSize], capacity.N)
  const logits = device.tensor('F32', [N, config.vocabSize], capacity.N)
  const record = (build: (k: Encoder) => void): Program => {
    const k = new Encoder(device, r.precision, capacity)
    build(k)
    return k.finish()
  }
  const recordHead = (k: Encoder, head: Head, from: Tensor) => {
    gatherRows(k, gathered, from, io.inputs.rows)
    head.record(k, logits, gathered)
  }
  const module = decoder.mtp
  const mtpHidden = module && wide()
  let trace: Traced | undefined
  return {
    hidden,
    mtpHidden,
    logits,
    step: record((k) => {
      recordBody(r, k, hidden, residual)
      recordHead(k, decoder.head, hidden)
      sample(k, io.sampled, logits, io.sampling)
    }),
    body: record((k) => recordBody(r, k, hidden, residual)),
    head: record((k) => recordHead(k, decoder.head, hidden)),
    mtp: module &&
      mtpHidden && {
        body: record((k) => module.record(k, mtpHidden, hidden, io.inputs.nextIds, io.inputs)),
        head: record((k) => recordHead(k, module.head, mtpHidden)),
      },
    traced() {
      trace ??= recordTraced(r, record, hidden, residual)
      return trace
    },
  }
}

function recordTraced(
  r: Recording,
  record: (build: (k: Encoder) => void) => Program,
  hidden: Tensor,
  residual: Tensor,
): Traced {
  const residuals: Tensor[] = []
  const routing: Tensor[] = []
  const keep = (k: Encoder, list: Tensor[], tensor: Tensor) => {
    const kept = r.device.tensor(tensor.dtype, tensor.shape, r.capacity.T)
    copy(k, kept, tensor)
    list.push(kept)
  }
  const body = record((k) =>
    recordBody(r, k, hidden, residual, {
      residual: (encoder, tensor) => keep(encoder, residuals, tensor),
      routing: (encoder, ids) => keep(encoder, routing, ids),
    }),
  )
  return { body, residuals, routing }
}
