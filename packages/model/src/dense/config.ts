// The configs of the R1 distills: Qwen2 and Llama.
import type { Fields } from '@hadal/checkpoint'
import { type CommonConfig, checkQuantization, readCommon } from '../config.ts'
import { type RopeConfig, readRope } from '../rope.ts'

export interface DenseConfig extends CommonConfig {
  readonly family: 'dense'
  readonly kvHeads: number
  readonly headDim: number
  /** Qwen2 has biases on q, k and v. */
  readonly qkvBias: boolean
  readonly rope: RopeConfig
}

export function readDenseConfig(f: Fields): DenseConfig {
  const common = readCommon(f)
  checkQuantization(f)
  if (f.bool('use_sliding_window', false)) f.fail('use_sliding_window', 'false')
  if (f.bool('mlp_bias', false)) f.fail('mlp_bias', 'false')
  const qwen = common.modelType === 'qwen2'
  if (!qwen && f.bool('attention_bias', false)) f.fail('attention_bias', 'false')
  const kvHeads = f.int('num_key_value_heads', { min: 1, max: common.heads }, common.heads)
  if (common.heads % kvHeads !== 0) f.fail('num_key_value_heads', `a divisor of ${common.heads}`)
  if (!f.has('head_dim') && common.hiddenSize % common.heads !== 0)
    f.fail('num_attention_heads', `a divisor of hidden_size ${common.hiddenSize}`)
  const headDim = f.int('head_dim', { min: 2, max: 1 << 16 }, common.hiddenSize / common.heads)
  if (headDim % 2 !== 0) f.fail('head_dim', 'an even number')
  return { ...common, family: 'dense', kvHeads, headDim, qkvBias: qwen, rope: readRope(f) }
}
