// What a config amounts to, computed from it alone: parameters, active parameters, KV bytes a token.
import type { ModelConfig } from './config.ts'
import type { DeepseekConfig } from './deepseek/config.ts'
import type { DenseConfig } from './dense/config.ts'

export interface ModelSize {
  /** All weights, without the MTP module. */
  readonly parameters: number
  /** Those that one token uses: embedding, head, and of the experts only the chosen and shared ones. */
  readonly activeParameters: number
  /** The MTP module with its copies of embedding and head. */
  readonly mtpParameters: number
  /** Values that the cache keeps of one token, all layers. */
  readonly kvValuesPerToken: number
}

function attention(c: DeepseekConfig): number {
  const query = c.heads * (c.nopeDim + c.ropeDim)
  const q = c.qLoraRank
    ? c.hiddenSize * c.qLoraRank + c.qLoraRank + c.qLoraRank * query
    : c.hiddenSize * query
  const kv = c.hiddenSize * (c.kvLoraRank + c.ropeDim) + c.kvLoraRank
  const expand = c.kvLoraRank * c.heads * (c.nopeDim + c.valueDim)
  return q + kv + expand + c.heads * c.valueDim * c.hiddenSize
}

/** [all, active] parameters of one DeepSeek layer. */
function deepseekLayer(c: DeepseekConfig, moe: boolean): [number, number] {
  const D = c.hiddenSize
  const shared = attention(c) + 2 * D
  if (!moe) {
    const all = shared + 3 * D * c.intermediateSize
    return [all, all]
  }
  const expert = 3 * D * c.expertSize
  const router = D * c.experts + (c.routingBias ? c.experts : 0)
  const fixed = shared + router + expert * c.sharedExperts
  return [fixed + expert * c.experts, fixed + expert * c.expertsPerToken]
}

function deepseekSize(c: DeepseekConfig): ModelSize {
  const ends = c.vocabSize * c.hiddenSize * (c.tied ? 1 : 2) + c.hiddenSize
  let [parameters, active] = [ends, ends]
  for (const moe of c.moeLayers) {
    const [all, used] = deepseekLayer(c, moe)
    parameters += all
    active += used
  }
  const D = c.hiddenSize
  const module = deepseekLayer(c, c.experts > 0)[0] + 2 * D * D + 3 * D + 2 * c.vocabSize * D
  return {
    parameters,
    activeParameters: active,
    mtpParameters: c.mtpLayers * module,
    kvValuesPerToken: c.layers * (c.kvLoraRank + c.ropeDim),
  }
}

function denseSize(c: DenseConfig): ModelSize {
  const D = c.hiddenSize
  const [width, kvWidth] = [c.heads * c.headDim, c.kvHeads * c.headDim]
  const bias = c.qkvBias ? width + 2 * kvWidth : 0
  const layer = 2 * D * width + 2 * D * kvWidth + bias + 3 * D * c.intermediateSize + 2 * D
  const parameters = c.vocabSize * D * (c.tied ? 1 : 2) + D + c.layers * layer
  return {
    parameters,
    activeParameters: parameters,
    mtpParameters: 0,
    kvValuesPerToken: c.layers * 2 * kvWidth,
  }
}

export function modelSize(config: ModelConfig): ModelSize {
  return config.family === 'deepseek' ? deepseekSize(config) : denseSize(config)
}
