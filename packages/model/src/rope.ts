// Rotary frequencies: plain, YaRN (DeepSeek, Kimi) and llama3. Held against published values in the tests.
// Sources: YaRN paper §3; DeepSeek-V3 inference/model.py; Llama 3.1's config.
import type { Fields } from '@hadal/checkpoint'

export interface RopeConfig {
  readonly theta: number
  readonly scaling:
    | { readonly type: 'none' }
    | YarnScaling
    | {
        readonly type: 'llama3'
        readonly factor: number
        readonly lowFactor: number
        readonly highFactor: number
        readonly originalLength: number
      }
}

export interface YarnScaling {
  readonly type: 'yarn'
  readonly factor: number
  readonly betaFast: number
  readonly betaSlow: number
  readonly originalLength: number
  readonly mscale: number
  readonly mscaleAllDim: number
  /** What multiplies cos and sin, where the config says it; else it follows from the mscales. */
  readonly attentionFactor?: number
}

/** Reads rope_theta and rope_scaling, or rope_parameters that holds both. */
export function readRope(f: Fields): RopeConfig {
  const both = f.object('rope_parameters')
  const scaling = both ?? f.object('rope_scaling')
  const positive = { min: Number.MIN_VALUE, max: 1e12 }
  const theta = both?.has('rope_theta')
    ? both.number('rope_theta', positive)
    : f.number('rope_theta', positive, 10_000)
  if (theta <= 1) (both?.has('rope_theta') ? both : f).fail('rope_theta', 'more than 1')
  for (const part of [f, ...(both ? [both] : [])])
    if (part.number('partial_rotary_factor', {}, 1) !== 1) part.fail('partial_rotary_factor', '1')
  if (!scaling) return { theta, scaling: { type: 'none' } }
  const key = scaling.has('rope_type') ? 'rope_type' : 'type'
  const type = scaling.oneOf(key, ['yarn', 'llama3', 'default', 'none'], 'default')
  if (type === 'default' || type === 'none') return { theta, scaling: { type: 'none' } }
  const factor = scaling.number('factor', { min: 1, max: 1e6 })
  const originalLength = scaling.int('original_max_position_embeddings', { min: 1, max: 1 << 30 })
  if (type === 'llama3') {
    const lowFactor = scaling.number('low_freq_factor', positive)
    const highFactor = scaling.number('high_freq_factor', positive)
    if (highFactor <= lowFactor)
      scaling.fail('high_freq_factor', `more than low_freq_factor ${lowFactor}`)
    return { theta, scaling: { type, factor, lowFactor, highFactor, originalLength } }
  }
  if (factor === 1) return { theta, scaling: { type: 'none' } }
  return { theta, scaling: readYarn(scaling, factor, originalLength) }
}

function readYarn(f: Fields, factor: number, originalLength: number): YarnScaling {
  if (!f.bool('truncate', true)) f.fail('truncate', 'true')
  const positive = { min: Number.MIN_VALUE, max: 1e12 }
  return {
    type: 'yarn',
    factor,
    originalLength,
    betaFast: f.number('beta_fast', positive, 32),
    betaSlow: f.number('beta_slow', positive, 1),
    mscale: f.number('mscale', { min: 0, max: 100 }, 1),
    mscaleAllDim: f.number('mscale_all_dim', { min: 0, max: 100 }, 0),
    ...(f.has('attention_factor') && { attentionFactor: f.number('attention_factor', positive) }),
  }
}

/** `[dim/2]` angles per position. */
export function inverseFrequencies(rope: RopeConfig, dim: number): Float32Array {
  const plain = Array.from({ length: dim / 2 }, (_, i) => rope.theta ** ((-2 * i) / dim))
  const s = rope.scaling
  if (s.type === 'yarn') {
    const correction = (rotations: number) =>
      (dim * Math.log(s.originalLength / (rotations * 2 * Math.PI))) / (2 * Math.log(rope.theta))
    const low = Math.max(Math.floor(correction(s.betaFast)), 0)
    let high = Math.min(Math.ceil(correction(s.betaSlow)), dim - 1)
    if (low === high) high += 0.001
    return Float32Array.from(plain, (f, i) => {
      const smooth = 1 - Math.min(Math.max((i - low) / (high - low), 0), 1)
      return (f / s.factor) * (1 - smooth) + f * smooth
    })
  }
  if (s.type === 'llama3') {
    return Float32Array.from(plain, (f) => {
      const ratio = (s.originalLength * f) / (2 * Math.PI)
      const smooth = Math.min(Math.max((ratio - s.lowFactor) / (s.highFactor - s.lowFactor), 0), 1)
      return (1 - smooth) * (f / s.factor) + smooth * f
    })
  }
  return Float32Array.from(plain)
}

const yarnMscale = (factor: number, mscale: number): number =>
  factor > 1 && mscale > 0 ? 0.1 * mscale * Math.log(factor) + 1 : 1

/** Multiplies cos and sin: 1 unless YaRN's two mscales differ or the config names a factor. */
export function ropeFactor(rope: RopeConfig): number {
  const s = rope.scaling
  if (s.type !== 'yarn') return 1
  return s.attentionFactor ?? yarnMscale(s.factor, s.mscale) / yarnMscale(s.factor, s.mscaleAllDim)
}

/** Softmax scale of MLA's heads of width d: 1/√d, times mscale² under YaRN, for short prompts too. */
export function softmaxScale(rope: RopeConfig, d: number): number {
  const s = rope.scaling
  const mscale = s.type === 'yarn' ? yarnMscale(s.factor, s.mscaleAllDim) : 1
  return d ** -0.5 * mscale * mscale
}
