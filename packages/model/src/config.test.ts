// The configs that were published, field by field as their files have them, and what each must come to: sizes
// and softmax scales from the research notes (computed there from the same shapes). Then odd fields: what is
// understood must change the model, what is not must be refused by name.
import type { JsonObject } from '@hadal/checkpoint'
import { tensorTable } from '@hadal/checkpoint'
import { describe, expect, it } from 'vitest'
import {
  inverseFrequencies,
  type ModelConfig,
  modelSize,
  parseConfig,
  ropeFactor,
  softmaxScale,
} from './index.ts'

const fp8 = {
  activation_scheme: 'dynamic',
  fmt: 'e4m3',
  quant_method: 'fp8',
  weight_block_size: [128, 128],
}
const yarn = {
  ...{ type: 'yarn', factor: 40, beta_fast: 32, beta_slow: 1, mscale: 1.0, mscale_all_dim: 1.0 },
  original_max_position_embeddings: 4096,
}

const r1: JsonObject = {
  ...{ architectures: ['DeepseekV3ForCausalLM'], model_type: 'deepseek_v3', ep_size: 1 },
  ...{ attention_bias: false, attention_dropout: 0.0, bos_token_id: 0, eos_token_id: 1 },
  ...{ first_k_dense_replace: 3, hidden_act: 'silu', hidden_size: 7168, initializer_range: 0.02 },
  ...{ intermediate_size: 18432, kv_lora_rank: 512, max_position_embeddings: 163840 },
  ...{ moe_intermediate_size: 2048, moe_layer_freq: 1, n_group: 8, n_routed_experts: 256 },
  ...{ n_shared_experts: 1, norm_topk_prob: true, num_attention_heads: 128 },
  ...{ num_experts_per_tok: 8, num_hidden_layers: 61, num_key_value_heads: 128 },
  ...{ num_nextn_predict_layers: 1, q_lora_rank: 1536, qk_nope_head_dim: 128 },
  ...{ qk_rope_head_dim: 64, quantization_config: fp8, rms_norm_eps: 1e-6, rope_scaling: yarn },
  ...{ rope_theta: 10000, routed_scaling_factor: 2.5, scoring_func: 'sigmoid' },
  ...{ tie_word_embeddings: false, topk_group: 4, topk_method: 'noaux_tc' },
  ...{ torch_dtype: 'bfloat16', use_cache: true, v_head_dim: 128, vocab_size: 129280 },
}
const v2: JsonObject = {
  ...r1,
  ...{ architectures: ['DeepseekV2ForCausalLM'], model_type: 'deepseek_v2' },
  ...{ aux_loss_alpha: 0.001, seq_aux: true, bos_token_id: 100000, eos_token_id: 100001 },
  ...{ first_k_dense_replace: 1, hidden_size: 5120, intermediate_size: 12288 },
  ...{ moe_intermediate_size: 1536, n_group: 8, n_routed_experts: 160, n_shared_experts: 2 },
  ...{ norm_topk_prob: false, num_experts_per_tok: 6, num_hidden_layers: 60, topk_group: 3 },
  ...{ routed_scaling_factor: 16.0, scoring_func: 'softmax', vocab_size: 102400 },
  ...{ topk_method: 'group_limited_greedy', quantization_config: null },
  // biome-ignore lint/suspicious/noApproximativeNumericConstant: the published value
  rope_scaling: { ...yarn, mscale: 0.707, mscale_all_dim: 0.707 },
  num_nextn_predict_layers: null,
}
const v2Lite: JsonObject = {
  ...v2,
  ...{ hidden_size: 2048, intermediate_size: 10944, moe_intermediate_size: 1408, n_group: 1 },
  ...{ n_routed_experts: 64, num_attention_heads: 16, num_hidden_layers: 27, topk_group: 1 },
  ...{ num_key_value_heads: 16, q_lora_rank: null, routed_scaling_factor: 1.0 },
  topk_method: 'greedy',
}
const moonlight: JsonObject = {
  ...r1,
  ...{ first_k_dense_replace: 1, hidden_size: 2048, intermediate_size: 11264, topk_group: 1 },
  ...{ max_position_embeddings: 8192, moe_intermediate_size: 1408, n_group: 1 },
  ...{ n_routed_experts: 64, n_shared_experts: 2, num_attention_heads: 16 },
  ...{ num_experts_per_tok: 6, num_hidden_layers: 27, num_key_value_heads: 16 },
  ...{ num_nextn_predict_layers: 0, q_lora_rank: null, quantization_config: null },
  ...{ rms_norm_eps: 1e-5, rope_scaling: null, rope_theta: 50000.0, vocab_size: 163840 },
  routed_scaling_factor: 2.446,
}
const kimi: JsonObject = {
  ...r1,
  ...{ model_type: 'kimi_k2', first_k_dense_replace: 1, max_position_embeddings: 131072 },
  ...{ n_group: 1, topk_group: 1, n_routed_experts: 384, num_attention_heads: 64 },
  ...{ num_key_value_heads: 64, num_nextn_predict_layers: 0, rope_theta: 50000.0 },
  ...{ routed_scaling_factor: 2.827, vocab_size: 163840, bos_token_id: 163584 },
  rope_scaling: { ...yarn, factor: 32.0, beta_fast: 1.0, beta_slow: 1.0 },
}
const glm: JsonObject = {
  ...{ architectures: ['Glm4MoeLiteForCausalLM'], model_type: 'glm4_moe_lite' },
  ...{ attention_bias: false, attention_dropout: 0.0, pad_token_id: 154820 },
  ...{ eos_token_id: [154820, 154827, 154829], hidden_act: 'silu', hidden_size: 2048 },
  ...{ intermediate_size: 10240, max_position_embeddings: 202752, moe_intermediate_size: 1536 },
  ...{ topk_method: 'noaux_tc', norm_topk_prob: true, num_attention_heads: 20, n_group: 1 },
  ...{ topk_group: 1, n_routed_experts: 64, n_shared_experts: 1, routed_scaling_factor: 1.8 },
  ...{ num_experts_per_tok: 4, first_k_dense_replace: 1, num_hidden_layers: 47 },
  ...{ num_key_value_heads: 20, num_nextn_predict_layers: 1, partial_rotary_factor: 1.0 },
  ...{ rms_norm_eps: 1e-5, rope_scaling: null, rope_theta: 1000000, dtype: 'bfloat16' },
  ...{ tie_word_embeddings: false, q_lora_rank: 768, kv_lora_rank: 512, qk_nope_head_dim: 192 },
  ...{ qk_rope_head_dim: 64, v_head_dim: 256, vocab_size: 154880 },
}
const qwen: JsonObject = {
  ...{ architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2', attention_dropout: 0.0 },
  ...{ bos_token_id: 151643, eos_token_id: 151643, hidden_act: 'silu', hidden_size: 1536 },
  ...{ initializer_range: 0.02, intermediate_size: 8960, max_position_embeddings: 131072 },
  ...{ max_window_layers: 21, num_attention_heads: 12, num_hidden_layers: 28 },
  ...{ num_key_value_heads: 2, rms_norm_eps: 1e-6, rope_theta: 10000, sliding_window: 4096 },
  ...{ tie_word_embeddings: false, torch_dtype: 'bfloat16', use_cache: true, use_mrope: false },
  ...{ use_sliding_window: false, vocab_size: 151936 },
}
const llama: JsonObject = {
  ...{ architectures: ['LlamaForCausalLM'], model_type: 'llama', attention_bias: false },
  ...{ attention_dropout: 0.0, bos_token_id: 128000, eos_token_id: 128001, hidden_act: 'silu' },
  ...{ hidden_size: 4096, initializer_range: 0.02, intermediate_size: 14336, mlp_bias: false },
  ...{ max_position_embeddings: 131072, num_attention_heads: 32, num_hidden_layers: 32 },
  ...{ num_key_value_heads: 8, pretraining_tp: 1, rms_norm_eps: 1e-5, rope_theta: 500000.0 },
  rope_scaling: {
    ...{ factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, rope_type: 'llama3' },
    original_max_position_embeddings: 8192,
  },
  ...{ tie_word_embeddings: false, torch_dtype: 'bfloat16', vocab_size: 128256 },
}

const parse = (config: JsonObject): ModelConfig => parseConfig(config, 'config.json')

describe('published configs', () => {
  // Billions of all and of active parameters, KV values a token, softmax scale.
  const published: [string, JsonObject, number, number, number, number][] = [
    ['DeepSeek-R1', r1, 671.026, 37.55, 35_136, 0.1352337789],
    [
      'DeepSeek-V3.1 with its scale_fmt',
      { ...r1, quantization_config: { ...fp8, scale_fmt: 'ue8m0' } },
      671.026,
      37.55,
      35_136,
      0.1352337789,
    ],
    ['DeepSeek-V2', v2, 235.74, 21.38, 34_560, 0.1147213868],
    ['DeepSeek-V2-Lite and Coder-V2-Lite', v2Lite, 15.706, 2.66, 15_552, 0.1147213868],
    ['Moonlight-16B-A3B', moonlight, 15.96, 2.91, 15_552, 0.0721687836],
    ['Kimi-K2', kimi, 1026.4, 32.86, 35_136, 0.1308607998],
    ['GLM-4.7-Flash', glm, 29.94, 3.9, 27_072, 0.0625],
    ['R1-Distill-Qwen-1.5B', qwen, 1.777, 1.777, 14_336, 128 ** -0.5],
    ['R1-Distill-Llama-8B', llama, 8.03, 8.03, 65_536, 128 ** -0.5],
  ]
  it.each(published)(
    '%s',
    (_, config, all, active, kv, scale) => {
      const c = parse(config)
      const size = modelSize(c)
      expect(size.parameters / 1e9 / all).toBeCloseTo(1, 3)
      expect(size.activeParameters / 1e9 / active).toBeCloseTo(1, 2)
      expect(size.kvValuesPerToken).toBe(kv)
      const width = c.family === 'deepseek' ? c.nopeDim + c.ropeDim : c.headDim
      expect(softmaxScale(c.rope, width)).toBeCloseTo(scale, 9)
      expect(ropeFactor(c.rope)).toBe(1)
      // The table of tensors, which other code writes checkpoints by, has as many values as the config says.
      const values = tensorTable(config).map(({ shape }) => shape.reduce((p, n) => p * n, 1))
      const sum = values.reduce((a, b) => a + b, 0)
      expect(sum).toBe(size.parameters + size.mtpParameters)
    },
    60_000,
  )

  it('keep their experts, groups and ends', () => {
    expect(parse(r1)).toMatchObject({
      ...{ qLoraRank: 1536, experts: 256, expertsPerToken: 8, routingBias: true, mtpLayers: 1 },
      gating: {
        ...{ scoring: 'sigmoid', groups: 8, groupsKept: 4, groupScore: 'top-two' },
        ...{ normalise: true, scale: 2.5 },
      },
    })
    expect(parse(v2)).toMatchObject({
      ...{ routingBias: false, mtpLayers: 0 },
      gating: {
        ...{ scoring: 'softmax', groups: 8, groupsKept: 3, groupScore: 'max' },
        ...{ normalise: false, scale: 16 },
      },
    })
    expect(parse(v2Lite)).toMatchObject({
      qLoraRank: undefined,
      gating: { groups: 1, groupScore: 'none', normalise: false, scale: 1 },
    })
    expect(parse(moonlight)).toMatchObject({ eps: 1e-5, latentEps: 1e-6, qLoraRank: undefined })
    expect(parse(glm)).toMatchObject({ eps: 1e-5, latentEps: 1e-6, mtpLayers: 1 })
    expect(parse(qwen)).toMatchObject({ qkvBias: true, kvHeads: 2, headDim: 128, tied: false })
    expect(parse(llama)).toMatchObject({ qkvBias: false, kvHeads: 8, headDim: 128 })
  })

  it('3 V3.2, whose sparse attention is not built, is refused under either name', () => {
    expect(() => parse({ ...r1, model_type: 'deepseek_v32' })).toThrow(/model_type: .*Supported/)
    expect(() => parse({ ...r1, index_topk: 2048 })).toThrow(/index_topk: expected nothing/)
  })
})

const denseLayers = (config: JsonObject) => {
  const c = parse(config)
  return c.family === 'deepseek' ? c.moeLayers.map((moe) => (moe ? 0 : 1)) : []
}
const without = (config: JsonObject, ...names: string[]): JsonObject =>
  Object.fromEntries(Object.entries(config).filter(([name]) => !names.includes(name)))

describe('which layers have experts', () => {
  it('comes from mlp_layer_types, as transformers 5 writes it, or from first_k_dense_replace', () => {
    const small = { ...glm, num_hidden_layers: 4 }
    const bare = without(small, 'first_k_dense_replace')
    expect(denseLayers(small)).toEqual([1, 0, 0, 0])
    expect(denseLayers(bare), 'the class default of GLM').toEqual([1, 0, 0, 0])
    const types = ['dense', 'dense', 'sparse', 'dense']
    expect(denseLayers({ ...bare, mlp_layer_types: types })).toEqual([1, 1, 0, 1])
    const names = tensorTable({ ...bare, mlp_layer_types: types }).map((row) => row.name)
    expect(names.filter((n) => n.endsWith('mlp.gate.weight'))).toEqual([
      'model.layers.2.mlp.gate.weight',
      'model.layers.4.mlp.gate.weight',
    ])
    expect(denseLayers({ ...r1, num_hidden_layers: 4, moe_layer_freq: 2 })).toEqual([1, 1, 1, 1])
    expect(denseLayers({ ...r1, num_hidden_layers: 5, moe_layer_freq: 2 })).toEqual([1, 1, 1, 1, 0])
    // The first layers of R1 alone, as people cut it for tests.
    expect(denseLayers({ ...r1, num_hidden_layers: 2 })).toEqual([1, 1])
  })

  it.each([[['dense']], [['dense', 'moe', 'sparse', 'sparse']], ['dense'], [[1, 2, 3, 4]]])(
    'is refused as %j of four layers',
    (types) => {
      expect(() => parse({ ...glm, num_hidden_layers: 4, mlp_layer_types: types })).toThrow(
        /mlp_layer_types: expected 4 of dense, sparse/,
      )
    },
  )
})

describe('RoPE', () => {
  const qwenYarn = (extra: JsonObject) =>
    parse({
      ...qwen,
      rope_scaling: { ...yarn, factor: 4, mscale: null, mscale_all_dim: null, ...extra },
    })

  it('YaRN scales cos and sin by 0.1 ln factor + 1, or by attention_factor', () => {
    expect(ropeFactor(qwenYarn({}).rope)).toBeCloseTo(0.1 * Math.log(4) + 1, 12)
    expect(ropeFactor(qwenYarn({ attention_factor: 1.25 }).rope)).toBe(1.25)
    expect(
      ropeFactor(parse({ ...r1, rope_scaling: { ...yarn, attention_factor: 1.5 } }).rope),
    ).toBe(1.5)
  })

  it('has the same meaning in rope_parameters, with theta inside', () => {
    const bare = without(r1, 'rope_theta', 'rope_scaling')
    const both = { ...yarn, rope_type: 'yarn', rope_theta: 10000.0 }
    expect(parse({ ...bare, rope_parameters: both }).rope).toEqual(parse(r1).rope)
  })

  it('llama3 keeps the fast, slows the slow by the factor, and joins them smoothly', () => {
    const f = inverseFrequencies(parse(llama).rope, 128)
    const plain = (i: number) => 500_000 ** (-i / 64)
    expect((f[0] as number) / plain(0)).toBeCloseTo(1, 6)
    expect((f[63] as number) / plain(63)).toBeCloseTo(1 / 8, 6)
    // Dimension 32: 8192 · 500000^(-1/2) / 2π = 1.8438 turns, (1.8438 − 1) / 3 of the way.
    const smooth = ((8192 * plain(32)) / (2 * Math.PI) - 1) / 3
    expect((f[32] as number) / plain(32)).toBeCloseTo((1 - smooth) / 8 + smooth, 6)
  })

  it('turns halves where the config says so', () => {
    expect(parse(r1)).toMatchObject({ ropeStyle: 'interleaved' })
    expect(parse({ ...r1, rope_interleave: false })).toMatchObject({ ropeStyle: 'halves' })
  })

  it.each([
    [{ rope_scaling: { type: 'linear', factor: 2 } }, /rope_scaling.type: expected one of yarn/],
    [{ rope_scaling: { type: 'dynamic', factor: 2 } }, /rope_scaling.type: expected one of yarn/],
    [{ rope_scaling: { ...yarn, truncate: false } }, /rope_scaling.truncate: expected true/],
    [{ rope_scaling: { ...yarn, factor: 0.5 } }, /rope_scaling.factor: expected a number from 1/],
    [{ rope_scaling: { ...yarn, attention_factor: 0 } }, /attention_factor: expected a number/],
    [{ rope_scaling: 'yarn' }, /rope_scaling: expected an object, got "yarn"/],
    [{ rope_theta: 1 }, /rope_theta: expected more than 1, got 1/],
    [{ rope_theta: 0 }, /rope_theta: expected a number/],
    [{ partial_rotary_factor: 0.5 }, /partial_rotary_factor: expected 1, got 0.5/],
    [{ rope_parameters: { rope_theta: 1e4, partial_rotary_factor: 0.5 } }, /partial_rotary_factor/],
  ] as [JsonObject, RegExp][])('%j is refused', (extra, message) => {
    expect(() => parse({ ...r1, ...extra })).toThrow(message)
    expect(() => parse({ ...llama, ...extra })).toThrow(message)
  })
})

describe('a config that nobody can mean', () => {
  it.each([
    [{ hidden_size: 0 }, /hidden_size: expected a whole number from 1/],
    [{ hidden_size: '7168' }, /hidden_size: expected a whole number/],
    [{ num_hidden_layers: 1e9 }, /num_hidden_layers: expected a whole number from 1 to 1024/],
    [{ n_group: 7 }, /n_group: expected a divisor of n_routed_experts 256, got 7/],
    [{ topk_group: 9 }, /topk_group: expected a whole number from 1 to 8, got 9/],
    [{ num_experts_per_tok: 129 }, /num_experts_per_tok: expected a whole number from 1 to 128/],
    [{ qk_rope_head_dim: 63 }, /qk_rope_head_dim: expected an even number, got 63/],
    [{ scoring_func: 'sqrtsoftplus' }, /scoring_func: expected one of sigmoid, softmax/],
    [{ topk_method: 'best' }, /topk_method: expected one of noaux_tc/],
    [{ attention_bias: true }, /attention_bias: expected false/],
    [{ hidden_act: 'gelu' }, /hidden_act: expected "silu"/],
    [{ kv_lora_rank: null }, /kv_lora_rank: expected a whole number/],
    [{ rms_norm_eps: -1 }, /rms_norm_eps: expected a number from 0/],
    [
      { quantization_config: { quant_method: 'gptq' } },
      /quant_method: expected one of fp8, got "gptq"/,
    ],
    [{ quantization_config: { ...fp8, fmt: 'e5m2' } }, /fmt: expected one of e4m3/],
    [{ quantization_config: [] }, /quantization_config: expected an object/],
  ] as [JsonObject, RegExp][])('%j is refused by name', (extra, message) => {
    expect(() => parse({ ...r1, ...extra })).toThrow(message)
  })
})
