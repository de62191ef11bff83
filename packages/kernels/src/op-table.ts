// Every op that the addon must have, as ARCHITECTURE.md lists them; compared at Device.open.
export const opNames = [
  'embed_tokens',
  'rms_norm',
  'add_rms_norm',
  'add',
  'copy',
  'matmul',
  'fp8_matmul',
  'swiglu',
  'rope',
  'write_kv',
  'mla_absorb_query',
  'mla_expand_value',
  'mla_attention',
  'gqa_attention',
  'gated_top_k',
  'permute_tokens',
  'grouped_gemm',
  'combine_experts',
  'gather_rows',
  'sample',
] as const

export type OpName = (typeof opNames)[number]
