// Every tensor that a config of a supported family implies, by published name and shape. Source:
// README_WEIGHTS.md of DeepSeek-V3; the Qwen2 and Llama checkpoints.
import { type Fields, fields } from './fields.ts'
import type { JsonObject } from './json.ts'

export interface TableRow {
  readonly name: string
  readonly shape: readonly number[]
  /** Norm weights lie around one, biases around zero, matrices by their fan-in. */
  readonly kind: 'matrix' | 'norm' | 'bias'
}

const matrix = (name: string, ...shape: number[]): TableRow => ({ name, shape, kind: 'matrix' })
const norm = (name: string, n: number): TableRow => ({ name, shape: [n], kind: 'norm' })
const bias = (name: string, n: number): TableRow => ({ name, shape: [n], kind: 'bias' })

function mlp(prefix: string, D: number, inner: number): TableRow[] {
  return [
    matrix(`${prefix}gate_proj.weight`, inner, D),
    matrix(`${prefix}up_proj.weight`, inner, D),
    matrix(`${prefix}down_proj.weight`, D, inner),
  ]
}

function mlaRows(f: Fields, p: string): TableRow[] {
  const D = f.int('hidden_size')
  const H = f.int('num_attention_heads')
  const [dn, R, dv] = [f.int('qk_nope_head_dim'), f.int('qk_rope_head_dim'), f.int('v_head_dim')]
  const L = f.int('kv_lora_rank')
  const q = f.has('q_lora_rank') ? f.int('q_lora_rank') : 0
  const query = q
    ? [
        matrix(`${p}q_a_proj.weight`, q, D),
        norm(`${p}q_a_layernorm.weight`, q),
        matrix(`${p}q_b_proj.weight`, H * (dn + R), q),
      ]
    : [matrix(`${p}q_proj.weight`, H * (dn + R), D)]
  return [
    ...query,
    matrix(`${p}kv_a_proj_with_mqa.weight`, L + R, D),
    norm(`${p}kv_a_layernorm.weight`, L),
    matrix(`${p}kv_b_proj.weight`, H * (dn + dv), L),
    matrix(`${p}o_proj.weight`, D, H * dv),
  ]
}

function moeRows(f: Fields, p: string): TableRow[] {
  const D = f.int('hidden_size')
  const [E, width] = [f.int('n_routed_experts'), f.int('moe_intermediate_size')]
  const shared = f.int('n_shared_experts', {}, 0) * width
  const corrected =
    f.string('topk_method', 'noaux_tc') === 'noaux_tc' && f.string('model_type') !== 'deepseek_v2'
  return [
    matrix(`${p}gate.weight`, E, D),
    ...(corrected ? [bias(`${p}gate.e_score_correction_bias`, E)] : []),
    ...Array.from({ length: E }, (_, e) => mlp(`${p}experts.${e}.`, D, width)).flat(),
    ...(shared > 0 ? mlp(`${p}shared_experts.`, D, shared) : []),
  ]
}

/**
 * Which layers have experts, as the config says: mlp_layer_types of transformers 5, else all from
 * first_k_dense_replace on of which moe_layer_freq divides the number.
 */
export function moeLayers(f: Fields): boolean[] {
  const layers = f.int('num_hidden_layers', { min: 1, max: 1024 })
  const first = f.string('model_type', '') === 'glm4_moe_lite' ? 1 : 0
  const dense = f.int('first_k_dense_replace', { min: 0, max: 1024 }, first)
  const frequency = f.int('moe_layer_freq', { min: 1, max: 1024 }, 1)
  const types = f.raw('mlp_layer_types') ?? undefined
  if (f.int('n_routed_experts', { min: 0 }, 0) === 0) return Array(layers).fill(false)
  if (types === undefined)
    return Array.from({ length: layers }, (_, i) => i >= dense && i % frequency === 0)
  const known = (type: unknown) => type === 'dense' || type === 'sparse'
  if (!Array.isArray(types) || types.length !== layers || !types.every(known))
    return f.fail('mlp_layer_types', `${layers} of dense, sparse`)
  return types.map((type) => type === 'sparse')
}

function deepseekRows(f: Fields): TableRow[] {
  const [D, V, layers] = [f.int('hidden_size'), f.int('vocab_size'), f.int('num_hidden_layers')]
  const experts = f.int('n_routed_experts', {}, 0)
  const layer = (i: number, moe: boolean): TableRow[] => {
    const p = `model.layers.${i}.`
    return [
      norm(`${p}input_layernorm.weight`, D),
      ...mlaRows(f, `${p}self_attn.`),
      norm(`${p}post_attention_layernorm.weight`, D),
      ...(moe ? moeRows(f, `${p}mlp.`) : mlp(`${p}mlp.`, D, f.int('intermediate_size'))),
    ]
  }
  const p = `model.layers.${layers}.`
  const mtp = [
    ...layer(layers, experts > 0),
    norm(`${p}enorm.weight`, D),
    norm(`${p}hnorm.weight`, D),
    matrix(`${p}eh_proj.weight`, D, 2 * D),
    norm(`${p}shared_head.norm.weight`, D),
    matrix(`${p}embed_tokens.weight`, V, D),
    matrix(`${p}shared_head.head.weight`, V, D),
  ]
  return [
    ...moeLayers(f).flatMap((moe, i) => layer(i, moe)),
    ...(f.int('num_nextn_predict_layers', {}, 0) > 0 ? mtp : []),
  ]
}

function denseRows(f: Fields): TableRow[] {
  const D = f.int('hidden_size')
  const H = f.int('num_attention_heads')
  const d = f.int('head_dim', {}, D / H)
  const G = f.int('num_key_value_heads', {}, H)
  return Array.from({ length: f.int('num_hidden_layers') }, (_, i) => {
    const p = `model.layers.${i}.`
    const a = `${p}self_attn.`
    const biases = [
      bias(`${a}q_proj.bias`, H * d),
      bias(`${a}k_proj.bias`, G * d),
      bias(`${a}v_proj.bias`, G * d),
    ]
    return [
      norm(`${p}input_layernorm.weight`, D),
      matrix(`${a}q_proj.weight`, H * d, D),
      matrix(`${a}k_proj.weight`, G * d, D),
      matrix(`${a}v_proj.weight`, G * d, D),
      matrix(`${a}o_proj.weight`, D, H * d),
      ...(f.string('model_type') === 'qwen2' ? biases : []),
      norm(`${p}post_attention_layernorm.weight`, D),
      ...mlp(`${p}mlp.`, D, f.int('intermediate_size')),
    ]
  }).flat()
}

/** All tensors of a config, embedding first, head last (absent when tied). */
export function tensorTable(config: JsonObject, file = 'config.json'): TableRow[] {
  const f = fields(config, file)
  const [D, V] = [f.int('hidden_size'), f.int('vocab_size')]
  const rows = f.has('kv_lora_rank') ? deepseekRows(f) : denseRows(f)
  return [
    matrix('model.embed_tokens.weight', V, D),
    ...rows,
    norm('model.norm.weight', D),
    ...(f.bool('tie_word_embeddings', false) ? [] : [matrix('lm_head.weight', V, D)]),
  ]
}
