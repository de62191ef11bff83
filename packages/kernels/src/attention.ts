// Rotary embedding, the paged cache, and attention over it.
import { check, is, type Weight } from './dense.ts'
import type { Encoder } from './encoder.ts'
import type { DType, Tensor } from './tensor.ts'

const i32: readonly DType[] = ['I32']
const cacheTypes: readonly DType[] = ['F32', 'BF16', 'F16']
const weights: readonly DType[] = ['F32', 'BF16', 'F16', 'F8_E4M3']

/** Where each token stands: the same four tensors for every layer of a step. */
export interface AttentionInputs {
  /** `[T]` position in its sequence. */
  readonly positions: Tensor
  /** `[T]` cache slot to write: block · 64 + offset. */
  readonly slots: Tensor
  /** `[T]` row of the block table. */
  readonly tokenSeq: Tensor
  /** `[S, M]` cache blocks of each sequence. */
  readonly blockTable: Tensor
}

export interface Rope {
  /** `[R/2]` F32 angles per position. */
  readonly invFreq: Tensor
  /** Neighbouring pairs (DeepSeek) or halves (Llama, Qwen). */
  readonly style: 'interleaved' | 'halves'
  /** Multiplies cos and sin (YaRN's attention factor; 1 otherwise). */
  readonly factor: number
}

/** Rotates x `[T, H, R]` in place by position. */
export function rope(k: Encoder, x: Tensor, positions: Tensor, r: Rope): void {
  check(
    'rope',
    [x, is('x', ['T', 'H', 'R'])],
    [positions, is('positions', ['T'], i32)],
    [r.invFreq, is('invFreq', [(x.shape[2] ?? 0) / 2])],
  )
  k.append('rope', [x, positions, r.invFreq], [r.style === 'halves' ? 1 : 0, r.factor])
}

/** cache[slots[t]] = src[t]; cache `[B, 64, C]` F32, BF16 or F16, src `[T, C]`. */
export function writeKv(k: Encoder, cache: Tensor, src: Tensor, slots: Tensor): void {
  check(
    'writeKv',
    [src, is('src', ['T', 'C'])],
    [cache, is('cache', ['B', 64, 'C'], cacheTypes)],
    [slots, is('slots', ['T'], i32)],
  )
  k.append('write_kv', [cache, src, slots])
}

/** out[T, H, L] = qNope[T, H, dn] · the key half of kv_b `[H·(dn+dv), L]`. */
export function mlaAbsorbQuery(
  k: Encoder,
  out: Tensor,
  qNope: Tensor,
  kvB: Weight,
  dn: number,
  dv: number,
): void {
  check(
    'mlaAbsorbQuery',
    [qNope, is('qNope', ['T', 'H', dn])],
    [out, is('out', ['T', 'H', 'L'])],
    [kvB.tensor, is('kvB', [(qNope.shape[1] ?? 0) * (dn + dv), 'L'], weights)],
  )
  k.append(
    'mla_absorb_query',
    [out, qNope, kvB.tensor, kvB.scale],
    [dn, dv, ...(kvB.block ?? [128, 128])],
  )
}

/** out[T, H, dv] = the value half of kv_b `[H·(dn+dv), L]` · u[T, H, L]. */
export function mlaExpandValue(
  k: Encoder,
  out: Tensor,
  u: Tensor,
  kvB: Weight,
  dn: number,
  dv: number,
): void {
  check(
    'mlaExpandValue',
    [u, is('u', ['T', 'H', 'L'])],
    [out, is('out', ['T', 'H', dv])],
    [kvB.tensor, is('kvB', [(u.shape[1] ?? 0) * (dn + dv), 'L'], weights)],
  )
  k.append(
    'mla_expand_value',
    [out, u, kvB.tensor, kvB.scale],
    [dn, dv, ...(kvB.block ?? [128, 128])],
  )
}

/** Absorbed MLA: out[T, H, L] over cache `[B, 64, L+R]`; q `[T, H, L]`, qPe `[T, H, R]`. */
export function mlaAttention(
  k: Encoder,
  out: Tensor,
  q: Tensor,
  qPe: Tensor,
  cache: Tensor,
  io: AttentionInputs,
  scale: number,
): void {
  check(
    'mlaAttention',
    [q, is('q', ['T', 'H', 'L'])],
    [qPe, is('qPe', ['T', 'H', 'R'])],
    [out, is('out', ['T', 'H', 'L'])],
    [cache, is('cache', ['B', 64, (q.shape[2] ?? 0) + (qPe.shape[2] ?? 0)], cacheTypes)],
    [io.positions, is('positions', ['T'], i32)],
    [io.tokenSeq, is('tokenSeq', ['T'], i32)],
    [io.blockTable, is('blockTable', ['S', 'M'], i32)],
  )
  k.append('mla_attention', [out, q, qPe, cache, io.positions, io.tokenSeq, io.blockTable], [scale])
}

/** Grouped-query attention: out `[T, H, dv]`, q `[T, H, d]`, caches `[B, 64, G·d]` and `[B, 64, G·dv]`. */
export function gqaAttention(
  k: Encoder,
  out: Tensor,
  q: Tensor,
  cache: { readonly k: Tensor; readonly v: Tensor },
  io: AttentionInputs,
  kvHeads: number,
  scale: number,
): void {
  check(
    'gqaAttention',
    [q, is('q', ['T', 'H', 'd'])],
    [out, is('out', ['T', 'H', 'dv'])],
    [cache.k, is('kCache', ['B', 64, kvHeads * (q.shape[2] ?? 0)], cacheTypes)],
    [cache.v, is('vCache', ['B', 64, kvHeads * (out.shape[2] ?? 0)], cacheTypes)],
  )
  const inputs = [io.positions, io.tokenSeq, io.blockTable]
  k.append('gqa_attention', [out, q, cache.k, cache.v, ...inputs], [kvHeads, scale])
}
