// What the two families offer to the program that strings their layers together.
import type { Encoder, Tensor } from '@hadal/kernels'
import type { StepInputs } from './inputs.ts'

export interface KvCache {
  /** `[B, 64, C]` tensors of one layer: one for MLA, K and V for grouped-query attention. */
  readonly tensors: readonly Tensor[]
}

export interface Decoder {
  readonly layers: number
  readonly embedding: Tensor
  readonly finalNorm: Tensor
  readonly head: Head
  readonly caches: readonly KvCache[]
  /** Records layer i: residual `[T, D]` in and out. Returns the experts chosen `[T, K]`, if it routes. */
  layer(k: Encoder, i: number, residual: Tensor, io: StepInputs): Tensor | undefined
  /** The module of multi-token prediction, if the checkpoint has one. */
  readonly mtp: MtpModule | undefined
}

export interface Head {
  record(k: Encoder, logits: Tensor, hidden: Tensor): void
}

export interface MtpModule {
  readonly head: Head
  /** out `[T, D]` = the module's normed hidden state from the main hidden state and the next ids `[T]`. */
  record(k: Encoder, out: Tensor, hidden: Tensor, nextIds: Tensor, io: StepInputs): void
}
