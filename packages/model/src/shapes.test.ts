// Shapes that no published model has, random weights: fast against reference on every instruction set.
// The fixtures hold the architecture; these hold the edges of tiles, blocks, groups and heads.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type JsonObject, openCheckpoint, preset, synthCheckpoint } from '@hadal/checkpoint'
import { relativeError } from '@hadal/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { type Forward, type LoadModelOptions, loadModel } from './index.ts'

const v3 = preset('r1-tiny')
const v2 = preset('v2-lite-tiny')
const qwen = preset('qwen2-tiny')
const llama = preset('llama-tiny')

interface Shape {
  readonly what: string
  readonly config: JsonObject
  readonly dtype: 'fp8' | 'bf16'
  readonly lengths: readonly number[]
}

const shapes: readonly Shape[] = [
  {
    what: 'seven heads, no dimension a multiple of 16, FP8 edge blocks',
    config: {
      ...v3,
      ...{ num_attention_heads: 7, num_key_value_heads: 7, hidden_size: 140, vocab_size: 389 },
      ...{ q_lora_rank: 130, kv_lora_rank: 134, qk_nope_head_dim: 22, qk_rope_head_dim: 10 },
      ...{ v_head_dim: 19, intermediate_size: 201, moe_intermediate_size: 131 },
    },
    dtype: 'fp8',
    lengths: [1, 65],
  },
  {
    what: 'one head, the smallest dimensions',
    config: {
      ...v3,
      ...{ num_attention_heads: 1, num_key_value_heads: 1, hidden_size: 10, vocab_size: 384 },
      ...{ q_lora_rank: 3, kv_lora_rank: 5, qk_nope_head_dim: 1, qk_rope_head_dim: 2 },
      ...{ v_head_dim: 1, intermediate_size: 7, moe_intermediate_size: 3 },
    },
    dtype: 'bf16',
    lengths: [1, 2, 130],
  },
  {
    what: 'one expert per token of one group',
    config: { ...v3, num_experts_per_tok: 1, n_group: 1, topk_group: 1, n_routed_experts: 5 },
    dtype: 'bf16',
    lengths: [63, 64],
  },
  {
    what: 'all experts of all groups, 513 tokens',
    config: {
      ...v3,
      ...{ n_routed_experts: 6, n_group: 3, topk_group: 3, num_experts_per_tok: 6 },
      ...{ hidden_size: 72, q_lora_rank: 40, kv_lora_rank: 40, num_hidden_layers: 2 },
      ...{ intermediate_size: 100, moe_intermediate_size: 24 },
    },
    dtype: 'fp8',
    lengths: [513],
  },
  {
    what: 'experts in every layer, none shared, no MTP module, no query compression',
    config: {
      ...v3,
      ...{ first_k_dense_replace: 0, n_shared_experts: 0, num_nextn_predict_layers: 0 },
      q_lora_rank: null,
    },
    dtype: 'fp8',
    lengths: [33],
  },
  {
    what: 'dense layers only, with the MTP module',
    config: { ...v3, first_k_dense_replace: 3, moe_layer_freq: 1 },
    dtype: 'bf16',
    lengths: [20],
  },
  {
    what: 'Moonlight: one group, no RoPE scaling',
    config: { ...v3, n_group: 1, topk_group: 1, rope_scaling: null, q_lora_rank: null },
    dtype: 'bf16',
    lengths: [70],
  },
  {
    what: 'Kimi-K2: beta_fast = beta_slow = 1, one group, 9 experts',
    config: {
      ...v3,
      ...{ model_type: 'kimi_k2', n_group: 1, topk_group: 1, n_routed_experts: 9 },
      rope_scaling: {
        ...(v3.rope_scaling as JsonObject),
        ...{ beta_fast: 1, beta_slow: 1, factor: 32 },
      },
    },
    dtype: 'fp8',
    lengths: [70],
  },
  {
    what: 'V2: softmax over groups, the best of each',
    config: {
      ...v2,
      ...{ topk_method: 'group_limited_greedy', n_group: 4, topk_group: 2, num_experts_per_tok: 3 },
      ...{ routed_scaling_factor: 16, q_lora_rank: 48 },
    },
    dtype: 'bf16',
    lengths: [65],
  },
  {
    what: 'V2-Lite with three heads',
    config: { ...v2, num_attention_heads: 3, num_key_value_heads: 3, kv_lora_rank: 33 },
    dtype: 'fp8',
    lengths: [5, 129],
  },
  {
    what: 'Qwen2 with five heads of one KV head, tied',
    config: {
      ...qwen,
      ...{ num_attention_heads: 5, num_key_value_heads: 1, hidden_size: 150, vocab_size: 401 },
      ...{ intermediate_size: 77, tie_word_embeddings: true },
    },
    dtype: 'bf16',
    lengths: [1, 65, 513],
  },
  {
    what: 'Llama with 21 heads in 7 groups and heads of 10',
    config: { ...llama, num_attention_heads: 21, num_key_value_heads: 7, head_dim: 10 },
    dtype: 'bf16',
    lengths: [300],
  },
]

const folder = mkdtempSync(path.join(tmpdir(), 'hadal-shapes-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const someIds = (length: number): Int32Array =>
  Int32Array.from({ length }, (_, i) => (i * 7919 + 17) % 380)

async function forward(at: string, length: number, options: LoadModelOptions): Promise<Forward> {
  const model = await loadModel(await openCheckpoint(at), {
    ...{ maxSequences: 1, contextLength: 576, threads: 2 },
    ...options,
  })
  try {
    const blocks = Array.from({ length: 9 }, (_, i) => 8 - i)
    const mtp = model.info.hasMtp && length > 1
    const routed = model.info.activeParameters < model.info.parameters
    return await model.forward(someIds(length), blocks, { mtp, routing: routed })
  } finally {
    await model.dispose()
  }
}

const sameExperts = (a: Forward, b: Forward): boolean =>
  (a.routing ?? []).every((layer, i) => layer.every((e, j) => e === b.routing?.[i]?.[j]))

// The KV cache in F16 rounds by up to 2^-11, which a random model's layers carry on; near-ties of experts may
// then fall the other way, which changes whole rows. Where the CPU multiplies BF16, the experts' inputs are
// rounded by up to 2^-9 besides.
const bounds = (isa: string) =>
  isa === 'avx512bf16' ? { same: 6e-3, other: 0.1 } : { same: 3e-3, other: 5e-2 }

describe.each(shapes)('$what', ({ what, config, dtype, lengths }) => {
  const at = path.join(folder, what.replaceAll(/\W+/g, '-'))
  const made = synthCheckpoint(at, { config, dtype, seed: 3 })
  it.each(lengths)('fast is close to reference at %i tokens', async (length) => {
    await made
    const expected = await forward(at, length, { precision: 'reference' })
    expect(expected.logits.length).toBe(length * (config.vocab_size as number))
    for (const isa of ['avx512bf16', 'avx512vbmi', 'avx512', 'avx2', 'portable']) {
      const got = await forward(at, length, { isa }).catch((error) => {
        if (error.code !== 'ERR_HADAL_UNSUPPORTED') throw error
      })
      if (!got) continue // this CPU lacks it
      const { same, other } = bounds(isa)
      const most = sameExperts(got, expected) ? same : other
      expect(relativeError(got.logits, expected.logits), `${isa} logits`).toBeLessThan(most)
      if (expected.mtpLogits)
        expect(
          relativeError(got.mtpLogits ?? [], expected.mtpLogits),
          `${isa} MTP logits`,
        ).toBeLessThan(other)
    }
  })
})
