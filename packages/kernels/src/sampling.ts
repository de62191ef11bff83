// The last op of a step: ids from logits.
import type { Encoder } from './encoder.ts'
import type { Tensor } from './tensor.ts'

/** Most alternatives that a row can report. */
export const maxTopLogprobs = 20

export interface SampleOutputs {
  /** `[N]` I32 */
  readonly ids: Tensor
  /** `[N]` */
  readonly logprobs: Tensor
  /** `[N, 20]` I32 */
  readonly topIds: Tensor
  /** `[N, 20]` */
  readonly topLogprobs: Tensor
}

export interface SampleInputs {
  /** `[N, 8]`: temperature, top_p, top_k, min_p, repetition, presence, frequency, top logprobs. */
  readonly params: Tensor
  /** `[N, 4]` I32: seed low, seed high, counter low, counter high. */
  readonly seeds: Tensor
  readonly historyOffsets: Tensor
  readonly historyIds: Tensor
  readonly biasOffsets: Tensor
  readonly biasIds: Tensor
  readonly biasValues: Tensor
  /** `[N]` I32: whether the row's mask holds. */
  readonly masked?: Tensor
  /** `[N, ceil(V/32)]` I32: bit id % 32 of word id / 32, the ids that may be chosen. */
  readonly masks?: Tensor
}

/** Chooses one id per row of logits `[N, V]`; see the op table for the order of the rules. */
export function sample(k: Encoder, out: SampleOutputs, logits: Tensor, io: SampleInputs): void {
  const outputs = [out.ids, out.logprobs, out.topIds, out.topLogprobs]
  const lists = [io.historyOffsets, io.historyIds, io.biasOffsets, io.biasIds, io.biasValues]
  const masks = io.masked && io.masks ? [io.masked, io.masks] : []
  k.append('sample', [...outputs, logits, io.params, io.seeds, ...lists, ...masks])
}
