// Embedding, norms, matrix products and element-wise ops.
import { type Encoder, type Expected, expectShape } from './encoder.ts'
import type { DType, Extent, Tensor } from './tensor.ts'

/** A matrix `[out, in]` as the checkpoint holds it; FP8 comes with one F32 scale per block. */
export interface Weight {
  readonly tensor: Tensor
  readonly scale?: Tensor
  /** Rows and columns of a scale block. */
  readonly block?: readonly [number, number]
}

const plain: readonly DType[] = ['F32', 'BF16', 'F16']
const f32: readonly DType[] = ['F32']
const i32: readonly DType[] = ['I32']

/** A check of several arguments that share their letters. */
export function check(op: string, ...pairs: readonly (readonly [Tensor, Expected])[]): void {
  const bound = new Map<string, Extent>()
  for (const [tensor, expected] of pairs) expectShape(op, tensor, expected, bound)
}

export const is = (
  name: string,
  shape: readonly (Extent | string)[],
  dtypes: readonly DType[] = f32,
): Expected => ({ name, shape, dtypes })

/** out[T, D] = table[ids]; table `[V, D]`. */
export function embedTokens(k: Encoder, out: Tensor, ids: Tensor, table: Tensor): void {
  check(
    'embedTokens',
    [ids, is('ids', ['T'], i32)],
    [table, is('table', ['V', 'D'], plain)],
    [out, is('out', ['T', 'D'])],
  )
  k.append('embed_tokens', [out, ids, table])
}

/** out = x / √(mean(x²) + eps) · weight, per row of `[T, D]`. */
export function rmsNorm(k: Encoder, out: Tensor, x: Tensor, weight: Tensor, eps: number): void {
  check(
    'rmsNorm',
    [x, is('x', ['T', 'D'])],
    [weight, is('weight', ['D'], plain)],
    [out, is('out', ['T', 'D'])],
  )
  k.append('rms_norm', [out, x, weight], [eps])
}

/** residual += delta; out = rmsNorm(residual). All `[T, D]`. */
export function addRmsNorm(
  k: Encoder,
  out: Tensor,
  residual: Tensor,
  delta: Tensor,
  weight: Tensor,
  eps: number,
): void {
  check(
    'addRmsNorm',
    [residual, is('residual', ['T', 'D'])],
    [delta, is('delta', ['T', 'D'])],
    [weight, is('weight', ['D'], plain)],
    [out, is('out', ['T', 'D'])],
  )
  k.append('add_rms_norm', [out, residual, delta, weight], [eps])
}

/** out = a + b, `[T, D]`. */
export function add(k: Encoder, out: Tensor, a: Tensor, b: Tensor): void {
  check('add', [a, is('a', ['T', 'D'])], [b, is('b', ['T', 'D'])], [out, is('out', ['T', 'D'])])
  k.append('add', [out, a, b])
}

/** out = a, `[T, D]`, F32 or I32. */
export function copy(k: Encoder, out: Tensor, a: Tensor): void {
  check('copy', [a, is('a', ['T', 'D'], [a.dtype])], [out, is('out', ['T', 'D'], [a.dtype])])
  k.append('copy', [out, a])
}

/** out[T, n] = x[T, k]·wᵀ + bias; w `[n, k]` F32, BF16 or F16. */
export function matmul(k: Encoder, out: Tensor, x: Tensor, w: Tensor, bias?: Tensor): void {
  check(
    'matmul',
    [x, is('x', ['T', 'k'])],
    [w, is('w', ['n', 'k'], plain)],
    [out, is('out', ['T', 'n'])],
    ...(bias ? [[bias, is('bias', [w.shape[0] ?? 0], plain)] as const] : []),
  )
  k.append('matmul', [out, x, w, bias])
}

/** out[T, n] = x[T, k]·(w × scale)ᵀ + bias; w `[n, k]` E4M3, scale `[⌈n/bn⌉, ⌈k/bk⌉]`. */
export function fp8Matmul(k: Encoder, out: Tensor, x: Tensor, w: Weight, bias?: Tensor): void {
  check(
    'fp8Matmul',
    [x, is('x', ['T', 'k'])],
    [w.tensor, is('w', ['n', 'k'], ['F8_E4M3'])],
    [out, is('out', ['T', 'n'])],
  )
  k.append('fp8_matmul', [out, x, w.tensor, w.scale, bias], w.block ?? [128, 128])
}

/** out = x·wᵀ + bias by whichever product the weight's dtype asks for. */
export function linear(k: Encoder, out: Tensor, x: Tensor, w: Weight, bias?: Tensor): void {
  if (w.tensor.dtype === 'F8_E4M3') fp8Matmul(k, out, x, w, bias)
  else matmul(k, out, x, w.tensor, bias)
}

/** out = silu(gate) · up, `[T, F]` or `[T, K, F]`. */
export function swiglu(k: Encoder, out: Tensor, gate: Tensor, up: Tensor): void {
  const shape = gate.shape.length === 3 ? ['T', 'K', 'F'] : ['T', 'F']
  check('swiglu', [gate, is('gate', shape)], [up, is('up', shape)], [out, is('out', shape)])
  k.append('swiglu', [out, gate, up])
}

/** out[N, D] = x[rows]; x `[T, D]`. */
export function gatherRows(k: Encoder, out: Tensor, x: Tensor, rows: Tensor): void {
  check(
    'gatherRows',
    [x, is('x', ['T', 'D'])],
    [rows, is('rows', ['N'], i32)],
    [out, is('out', ['N', 'D'])],
  )
  k.append('gather_rows', [out, x, rows])
}
