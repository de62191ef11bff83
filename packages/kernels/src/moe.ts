// Routing and the experts' products.
import { check, is, type Weight } from './dense.ts'
import type { Encoder } from './encoder.ts'
import type { DType, Tensor } from './tensor.ts'

const i32: readonly DType[] = ['I32']

export interface Gating {
  readonly scoring: 'sigmoid' | 'softmax'
  readonly groups: number
  readonly groupsKept: number
  /** How a group is scored: not at all, by its best, or by the sum of its two best. */
  readonly groupScore: 'none' | 'max' | 'top-two'
  /** Weights sum to one before the scale. */
  readonly normalise: boolean
  readonly scale: number
}

const groupScores = { none: 0, max: 1, 'top-two': 2 } as const

/** ids, weights `[T, K]` of the chosen experts from logits `[T, E]`; bias `[E]` moves the choice only. */
export function gatedTopK(
  k: Encoder,
  ids: Tensor,
  weights: Tensor,
  logits: Tensor,
  bias: Tensor | undefined,
  g: Gating,
): void {
  check(
    'gatedTopK',
    [logits, is('logits', ['T', 'E'])],
    [ids, is('ids', ['T', 'K'], i32)],
    [weights, is('weights', ['T', 'K'])],
    ...(bias ? [[bias, is('bias', [logits.shape[1] ?? 0])] as const] : []),
  )
  const scoring = g.scoring === 'softmax' ? 1 : 0
  const rule = [scoring, g.groups, g.groupsKept, groupScores[g.groupScore], g.normalise ? 1 : 0]
  k.append('gated_top_k', [ids, weights, logits, bias], [...rule, g.scale])
}

/** Pairs of token and expert sorted by expert: offsets `[E+1]`, rows `[T, K]`, from ids `[T, K]`. */
export function permuteTokens(k: Encoder, offsets: Tensor, rows: Tensor, ids: Tensor): void {
  check(
    'permuteTokens',
    [ids, is('ids', ['T', 'K'], i32)],
    [rows, is('rows', ['T', 'K'], i32)],
    [offsets, is('offsets', ['E+1'], i32)],
  )
  k.append('permute_tokens', [offsets, rows, ids])
}

/** out[T, K, n] = x·W_eᵀ for each pair's expert; x `[T, k]` or `[T, K, k]`, one weight `[n, k]` per expert. */
export function groupedGemm(
  k: Encoder,
  out: Tensor,
  x: Tensor,
  offsets: Tensor,
  rows: Tensor,
  experts: readonly Weight[],
): void {
  check('groupedGemm', [out, is('out', ['T', 'K', 'n'])], [rows, is('rows', ['T', 'K'], i32)])
  const scales = experts.flatMap((e) => (e.scale ? [e.scale] : []))
  const weights = experts.map((e) => e.tensor)
  const block = experts[0]?.block ?? [128, 128]
  k.append(
    'grouped_gemm',
    [out, x, offsets, rows, weights, scales.length > 0 ? scales : undefined],
    block,
  )
}

/** out[T, D] = Σ_k weights[T, K]·y[T, K, D] + add. */
export function combineExperts(
  k: Encoder,
  out: Tensor,
  y: Tensor,
  weights: Tensor,
  add?: Tensor,
): void {
  check(
    'combineExperts',
    [y, is('y', ['T', 'K', 'D'])],
    [weights, is('weights', ['T', 'K'])],
    [out, is('out', ['T', 'D'])],
    ...(add ? [[add, is('add', ['T', 'D'])] as const] : []),
  )
  k.append('combine_experts', [out, y, weights, add])
}
