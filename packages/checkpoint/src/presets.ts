// Configs to make random checkpoints of: tiny ones for tests, larger ones for benchmarks.
import type { JsonObject } from './json.ts'

const common = {
  hidden_act: 'silu',
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  attention_bias: false,
  bos_token_id: 0,
  eos_token_id: 1,
  torch_dtype: 'bfloat16',
}

const v3 = {
  ...common,
  architectures: ['DeepseekV3ForCausalLM'],
  model_type: 'deepseek_v3',
  topk_method: 'noaux_tc',
  scoring_func: 'sigmoid',
  norm_topk_prob: true,
  routed_scaling_factor: 2.5,
  n_shared_experts: 1,
  moe_layer_freq: 1,
  num_nextn_predict_layers: 1,
  rope_theta: 10_000,
  rope_scaling: {
    type: 'yarn',
    factor: 40,
    original_max_position_embeddings: 4096,
    beta_fast: 32,
    beta_slow: 1,
    mscale: 1,
    mscale_all_dim: 1,
  },
  max_position_embeddings: 163_840,
}

const realHeads = {
  kv_lora_rank: 512,
  qk_rope_head_dim: 64,
  qk_nope_head_dim: 128,
  v_head_dim: 128,
}
const smallHeads = { kv_lora_rank: 96, qk_rope_head_dim: 32, qk_nope_head_dim: 64, v_head_dim: 48 }

const tiny = {
  vocab_size: 384,
  hidden_size: 192,
  intermediate_size: 320,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 4,
}

const table: Readonly<Record<string, JsonObject>> = {
  'r1-tiny': {
    ...v3,
    ...tiny,
    ...smallHeads,
    q_lora_rank: 160,
    moe_intermediate_size: 96,
    n_routed_experts: 8,
    n_group: 4,
    topk_group: 2,
    num_experts_per_tok: 3,
    first_k_dense_replace: 1,
  },
  'v2-lite-tiny': {
    ...v3,
    ...tiny,
    ...smallHeads,
    architectures: ['DeepseekV2ForCausalLM'],
    model_type: 'deepseek_v2',
    q_lora_rank: null,
    moe_intermediate_size: 96,
    n_routed_experts: 8,
    n_shared_experts: 2,
    n_group: 1,
    topk_group: 1,
    num_experts_per_tok: 3,
    first_k_dense_replace: 1,
    num_nextn_predict_layers: 0,
    scoring_func: 'softmax',
    topk_method: 'greedy',
    norm_topk_prob: false,
    routed_scaling_factor: 1,
  },
  'qwen2-tiny': {
    ...common,
    ...tiny,
    architectures: ['Qwen2ForCausalLM'],
    model_type: 'qwen2',
    num_key_value_heads: 2,
    rope_theta: 10_000,
    max_position_embeddings: 2048,
  },
  'llama-tiny': {
    ...common,
    ...tiny,
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    num_key_value_heads: 2,
    rope_theta: 500_000,
    max_position_embeddings: 2048,
    rope_scaling: {
      rope_type: 'llama3',
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 256,
    },
  },
  'r1-0.3b': {
    ...v3,
    ...realHeads,
    vocab_size: 16_384,
    hidden_size: 1024,
    intermediate_size: 3072,
    moe_intermediate_size: 384,
    num_hidden_layers: 6,
    num_attention_heads: 8,
    num_key_value_heads: 8,
    q_lora_rank: 512,
    n_routed_experts: 32,
    n_group: 8,
    topk_group: 4,
    num_experts_per_tok: 8,
    first_k_dense_replace: 1,
  },
  'moe-2.8b': {
    ...v3,
    ...realHeads,
    vocab_size: 32_768,
    hidden_size: 2048,
    intermediate_size: 8192,
    moe_intermediate_size: 768,
    num_hidden_layers: 8,
    num_attention_heads: 16,
    num_key_value_heads: 16,
    q_lora_rank: 768,
    n_routed_experts: 64,
    n_group: 8,
    topk_group: 4,
    num_experts_per_tok: 8,
    first_k_dense_replace: 1,
  },
}

export const presetNames: readonly string[] = Object.keys(table)

export function preset(name: string): JsonObject {
  const found = Object.hasOwn(table, name) ? table[name] : undefined
  if (!found)
    throw new RangeError(`preset: expected one of ${presetNames.join(', ')}, got "${name}"`)
  return found
}
