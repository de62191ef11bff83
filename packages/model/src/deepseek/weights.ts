// Names and shapes of a DeepSeek checkpoint's tensors, as README_WEIGHTS.md of DeepSeek-V3 lists them.
import type { Tensor, Weight } from '@hadal/kernels'
import type { Weights } from '../weights.ts'
import type { DeepseekConfig } from './config.ts'

export interface MlaWeights {
  readonly inputNorm: Tensor
  /** Two steps through the query's low rank, or one. */
  readonly query:
    | { readonly down: Weight; readonly norm: Tensor; readonly up: Weight }
    | { readonly direct: Weight }
  readonly kvA: Weight
  readonly kvNorm: Tensor
  readonly kvB: Weight
  readonly output: Weight
}

export interface MlpWeights {
  readonly gate: Weight
  readonly up: Weight
  readonly down: Weight
}

export interface MoeWeights {
  readonly router: Tensor
  readonly bias: Tensor | undefined
  readonly gate: readonly Weight[]
  readonly up: readonly Weight[]
  readonly down: readonly Weight[]
  readonly shared: MlpWeights | undefined
}

export interface LayerWeights {
  readonly mla: MlaWeights
  readonly postNorm: Tensor
  readonly ffn:
    | { readonly type: 'mlp'; readonly mlp: MlpWeights }
    | { readonly type: 'moe'; readonly moe: MoeWeights }
}

async function readMla(w: Weights, c: DeepseekConfig, prefix: string): Promise<MlaWeights> {
  const a = `${prefix}self_attn.`
  const queryWidth = c.heads * (c.nopeDim + c.ropeDim)
  const query = c.qLoraRank
    ? {
        down: await w.matrix(`${a}q_a_proj.weight`, c.qLoraRank, c.hiddenSize),
        norm: await w.vector(`${a}q_a_layernorm.weight`, c.qLoraRank),
        up: await w.matrix(`${a}q_b_proj.weight`, queryWidth, c.qLoraRank),
      }
    : { direct: await w.matrix(`${a}q_proj.weight`, queryWidth, c.hiddenSize) }
  return {
    inputNorm: await w.vector(`${prefix}input_layernorm.weight`, c.hiddenSize),
    query,
    kvA: await w.matrix(`${a}kv_a_proj_with_mqa.weight`, c.kvLoraRank + c.ropeDim, c.hiddenSize),
    kvNorm: await w.vector(`${a}kv_a_layernorm.weight`, c.kvLoraRank),
    kvB: await w.matrix(`${a}kv_b_proj.weight`, c.heads * (c.nopeDim + c.valueDim), c.kvLoraRank),
    output: await w.matrix(`${a}o_proj.weight`, c.hiddenSize, c.heads * c.valueDim),
  }
}

async function readMlp(
  w: Weights,
  prefix: string,
  hidden: number,
  inner: number,
): Promise<MlpWeights> {
  return {
    gate: await w.matrix(`${prefix}gate_proj.weight`, inner, hidden),
    up: await w.matrix(`${prefix}up_proj.weight`, inner, hidden),
    down: await w.matrix(`${prefix}down_proj.weight`, hidden, inner),
  }
}

async function readMoe(w: Weights, c: DeepseekConfig, prefix: string): Promise<MoeWeights> {
  const m = `${prefix}mlp.`
  const experts: MlpWeights[] = []
  for (let e = 0; e < c.experts; e++)
    experts.push(await readMlp(w, `${m}experts.${e}.`, c.hiddenSize, c.expertSize))
  const shared = c.sharedExperts * c.expertSize
  return {
    router: await w.plain(`${m}gate.weight`, c.experts, c.hiddenSize),
    bias: c.routingBias ? await w.vector(`${m}gate.e_score_correction_bias`, c.experts) : undefined,
    gate: experts.map((e) => e.gate),
    up: experts.map((e) => e.up),
    down: experts.map((e) => e.down),
    shared: shared > 0 ? await readMlp(w, `${m}shared_experts.`, c.hiddenSize, shared) : undefined,
  }
}

/** One decoder layer; the MTP module's layer always has experts. */
export async function readLayer(
  w: Weights,
  c: DeepseekConfig,
  layer: number,
): Promise<LayerWeights> {
  const prefix = `model.layers.${layer}.`
  const moe = c.moeLayers[layer] ?? c.experts > 0
  return {
    mla: await readMla(w, c, prefix),
    postNorm: await w.vector(`${prefix}post_attention_layernorm.weight`, c.hiddenSize),
    ffn: moe
      ? { type: 'moe', moe: await readMoe(w, c, prefix) }
      : { type: 'mlp', mlp: await readMlp(w, `${prefix}mlp.`, c.hiddenSize, c.intermediateSize) },
  }
}
