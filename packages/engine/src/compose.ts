// From shares to a step: the arrays that the model reads, and which row of its answer is whose.
import type { Batch, Sampled } from '@hadal/model'
import type { Chosen, Request } from './request.ts'

/** One request's part of a step. */
export interface Part {
  readonly request: Request
  /** Ids of this request in the step. */
  readonly count: number
  /** Row of `Sampled`, or −1 when more of the prompt is to come. */
  readonly row: number
}

export interface Step {
  readonly batch: Batch
  readonly parts: readonly Part[]
  /** Requests that decode in it, and ids that the others read. */
  readonly decoders: number
  readonly read: number
  /** The same in the words of the metrics: the last id of a prompt, left for a step of its own, was read too. */
  readonly prefilled: number
}

/** A step of `tokens` ids, by the share of each request. */
export function compose(running: readonly Request[], tokens: number, blockSize: number): Step {
  const ids = new Int32Array(tokens)
  const positions = new Int32Array(tokens)
  const slots = new Int32Array(tokens)
  const tokenSeq = new Int32Array(tokens)
  const batch = { blocks: [] as (readonly number[])[], rows: [] as number[] }
  const sampling: Batch['sampling'][number][] = []
  const parts: Part[] = []
  let [decoders, lastOfPrompts] = [0, 0]
  let t = 0
  for (const request of running) {
    const count = request.share
    if (count === 0) continue
    const { computed, ids: sequence, table, pending } = request
    const { blocks, shared } = table
    if (pending === 1) {
      decoders++
      if (computed < request.promptLength) lastOfPrompts++
    }
    for (let position = computed; position < computed + count; position++, t++) {
      const block = Math.floor(position / blockSize)
      ids[t] = sequence[position]!
      positions[t] = position
      // A shared block holds the id's KV already. That happens to the last id of a prompt that was
      // found whole: it is read again for its logits alone.
      slots[t] = block < shared ? -1 : blocks[block]! * blockSize + (position % blockSize)
      tokenSeq[t] = parts.length
    }
    const row = count === pending ? batch.rows.length : -1
    if (row >= 0) {
      batch.rows.push(t - 1)
      sampling.push(request.rowSampling())
    }
    batch.blocks.push(blocks)
    parts.push({ request, count, row })
  }
  const rows = Int32Array.from(batch.rows)
  return {
    batch: { ids, positions, slots, tokenSeq, blocks: batch.blocks, rows, sampling },
    ...{ parts, decoders, read: tokens - decoders },
    prefilled: tokens - decoders + lastOfPrompts,
  }
}

/** The model's choice in one row. */
export function chosen(sampled: Sampled, row: number, topLogprobs: number): Chosen {
  const id = sampled.ids[row]!
  const logprob = sampled.logprobs[row]!
  if (topLogprobs === 0) return { id, logprob, top: undefined }
  const width = sampled.topIds.length / sampled.ids.length
  const top: { id: number; logprob: number }[] = []
  for (let i = row * width; i < row * width + topLogprobs && sampled.topIds[i]! >= 0; i++) {
    top.push({ id: sampled.topIds[i]!, logprob: sampled.topLogprobs[i]! })
  }
  return { id, logprob, top }
}
