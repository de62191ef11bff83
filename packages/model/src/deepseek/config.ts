// The configs of DeepSeek-V2, V3, R1 and their kin: multi-head latent attention and experts.
import { type Fields, moeLayers } from '@hadal/checkpoint'
import type { Gating, Rope } from '@hadal/kernels'
import { type CommonConfig, checkQuantization, readCommon } from '../config.ts'
import { type RopeConfig, readRope } from '../rope.ts'

export interface DeepseekConfig extends CommonConfig {
  readonly family: 'deepseek'
  /** Absent: queries are projected in one step. */
  readonly qLoraRank: number | undefined
  readonly kvLoraRank: number
  readonly nopeDim: number
  readonly ropeDim: number
  readonly valueDim: number
  readonly rope: RopeConfig
  /** Which dimensions turn together: neighbours in all that is published. */
  readonly ropeStyle: Rope['style']
  readonly experts: number
  readonly sharedExperts: number
  readonly expertsPerToken: number
  readonly expertSize: number
  /** Of every layer, whether it has experts. */
  readonly moeLayers: readonly boolean[]
  readonly gating: Gating
  /** Sigmoid routing comes with e_score_correction_bias. */
  readonly routingBias: boolean
  /** Modules of multi-token prediction after the last layer: 0 or 1. */
  readonly mtpLayers: number
  /** Epsilon of q_a_layernorm and kv_a_layernorm: the reference builds them with 1e-6 whatever the config says. */
  readonly latentEps: number
}

function readGating(f: Fields, experts: number): { gating: Gating; bias: boolean } {
  const softmax = f.string('model_type') === 'deepseek_v2'
  const scoring = f.oneOf('scoring_func', ['sigmoid', 'softmax'], softmax ? 'softmax' : 'sigmoid')
  const method = f.oneOf(
    'topk_method',
    ['noaux_tc', 'greedy', 'group_limited_greedy'],
    scoring === 'softmax' ? 'greedy' : 'noaux_tc',
  )
  const groups = f.int('n_group', { min: 1, max: Math.max(experts, 1) }, 1)
  const groupsKept = f.int('topk_group', { min: 1, max: groups }, 1)
  if (experts % groups !== 0) f.fail('n_group', `a divisor of n_routed_experts ${experts}`)
  const groupScore = method === 'greedy' ? 'none' : method === 'noaux_tc' ? 'top-two' : 'max'
  return {
    bias: method === 'noaux_tc',
    gating: {
      scoring,
      groups: method === 'greedy' ? 1 : groups,
      groupsKept: method === 'greedy' ? 1 : groupsKept,
      groupScore,
      normalise: f.bool('norm_topk_prob', scoring === 'sigmoid'),
      scale: f.number('routed_scaling_factor', { min: -1e6, max: 1e6 }, 1),
    },
  }
}

export function readDeepseekConfig(f: Fields): DeepseekConfig {
  const common = readCommon(f)
  checkQuantization(f)
  if (f.bool('attention_bias', false)) f.fail('attention_bias', 'false')
  if (f.has('index_topk')) f.fail('index_topk', 'nothing: sparse attention (V3.2) is not supported')
  const width = { min: 1, max: 1 << 16 }
  const experts = f.int('n_routed_experts', { min: 0, max: 65536 }, 0)
  const { gating, bias } = readGating(f, experts)
  const ropeDim = f.int('qk_rope_head_dim', width)
  if (ropeDim % 2 !== 0) f.fail('qk_rope_head_dim', 'an even number')
  const most = experts === 0 ? 0 : (experts / gating.groups) * gating.groupsKept
  return {
    ...common,
    family: 'deepseek',
    qLoraRank: f.has('q_lora_rank')
      ? f.int('q_lora_rank', { min: 0, max: 1 << 16 }) || undefined
      : undefined,
    kvLoraRank: f.int('kv_lora_rank', width),
    nopeDim: f.int('qk_nope_head_dim', width),
    ropeDim,
    valueDim: f.int('v_head_dim', width),
    rope: readRope(f),
    ropeStyle: f.bool('rope_interleave', true) ? 'interleaved' : 'halves',
    experts,
    sharedExperts: experts === 0 ? 0 : f.int('n_shared_experts', { min: 0, max: 1024 }, 0),
    expertsPerToken: experts === 0 ? 0 : f.int('num_experts_per_tok', { min: 1, max: most }),
    expertSize: experts === 0 ? 0 : f.int('moe_intermediate_size', { min: 1, max: 1 << 20 }),
    moeLayers: moeLayers(f),
    gating,
    routingBias: bias,
    mtpLayers: f.int('num_nextn_predict_layers', { min: 0, max: 1 }, 0),
    latentEps: 1e-6,
  }
}
