// What every supported config says in common, and which family it belongs to: decided by its fields.
import { CheckpointError, type Fields, fields, type JsonObject } from '@hadal/checkpoint'
import { type DeepseekConfig, readDeepseekConfig } from './deepseek/config.ts'
import { type DenseConfig, readDenseConfig } from './dense/config.ts'

export type ModelConfig = DeepseekConfig | DenseConfig

/** What can be loaded, for messages and documentation. */
export const supportedModels: readonly string[] = [
  'deepseek_v3 (DeepSeek-V3, R1, R1-Zero, V3-0324, R1-0528, V3.1; Moonlight)',
  'deepseek_v2 (DeepSeek-V2, V2-Lite, Coder-V2)',
  'kimi_k2 (Kimi-K2)',
  'glm4_moe_lite (GLM-4.7-Flash)',
  'qwen2 (R1-Distill-Qwen)',
  'llama (R1-Distill-Llama)',
]

const latent = ['deepseek_v3', 'deepseek_v2', 'kimi_k2', 'glm4_moe_lite']
const dense = ['qwen2', 'llama']

/** Parses a config; an unsupported one gives an error that lists what is supported. */
export function parseConfig(config: JsonObject, file: string): ModelConfig {
  const f = fields(config, file)
  const type = f.string('model_type', '')
  if (latent.includes(type)) return readDeepseekConfig(f)
  if (dense.includes(type)) return readDenseConfig(f)
  throw new CheckpointError(
    `${file}: model_type: expected a supported model, got ${JSON.stringify(type)}. Supported: ${supportedModels.join('; ')}`,
    { file, field: 'model_type' },
  )
}

export interface CommonConfig {
  readonly architecture: string
  readonly modelType: string
  readonly vocabSize: number
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly layers: number
  readonly heads: number
  readonly eps: number
  readonly tied: boolean
  readonly maxPositions: number
}

const size = { min: 1, max: 1 << 24 }

export function readCommon(f: Fields): CommonConfig {
  const names = f.raw('architectures')
  const architecture =
    Array.isArray(names) && typeof names[0] === 'string' ? names[0] : f.string('model_type')
  if (f.string('hidden_act', 'silu') !== 'silu') f.fail('hidden_act', '"silu"')
  return {
    architecture,
    modelType: f.string('model_type'),
    vocabSize: f.int('vocab_size', size),
    hiddenSize: f.int('hidden_size', { min: 1, max: 1 << 18 }),
    intermediateSize: f.int('intermediate_size', size),
    layers: f.int('num_hidden_layers', { min: 1, max: 1024 }),
    heads: f.int('num_attention_heads', { min: 1, max: 4096 }),
    eps: f.number('rms_norm_eps', { min: 0, max: 1 }, 1e-6),
    tied: f.bool('tie_word_embeddings', false),
    maxPositions: f.int('max_position_embeddings', { min: 1, max: 1 << 30 }, 2048),
  }
}

/** FP8 in blocks, or no quantisation; anything else is named in the error. */
export function checkQuantization(f: Fields): void {
  const q = f.object('quantization_config')
  if (!q) return
  q.oneOf('quant_method', ['fp8'])
  q.oneOf('fmt', ['e4m3'], 'e4m3')
}
