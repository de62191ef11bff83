// The layers of Qwen2 and Llama as kernel calls: grouped-query attention and a dense MLP.
import {
  add,
  addRmsNorm,
  type Device,
  type Encoder,
  gqaAttention,
  linear,
  mergeLast,
  rmsNorm,
  rope,
  splitLast,
  swiglu,
  T,
  type Tensor,
  type Weight,
  writeKv,
} from '@hadal/kernels'
import type { Decoder, KvCache } from '../decoder.ts'
import { type DecoderOptions, readHead } from '../deepseek/decoder.ts'
import type { StepInputs } from '../inputs.ts'
import { inverseFrequencies, ropeFactor } from '../rope.ts'
import type { Weights } from '../weights.ts'
import type { DenseConfig } from './config.ts'

interface LayerWeights {
  readonly inputNorm: Tensor
  readonly q: Weight
  readonly k: Weight
  readonly v: Weight
  readonly output: Weight
  readonly bias: { readonly q: Tensor; readonly k: Tensor; readonly v: Tensor } | undefined
  readonly postNorm: Tensor
  readonly gate: Weight
  readonly up: Weight
  readonly down: Weight
}

async function readLayer(w: Weights, c: DenseConfig, i: number): Promise<LayerWeights> {
  const [p, D, F] = [`model.layers.${i}.`, c.hiddenSize, c.intermediateSize]
  const [width, kvWidth] = [c.heads * c.headDim, c.kvHeads * c.headDim]
  const a = `${p}self_attn.`
  return {
    inputNorm: await w.vector(`${p}input_layernorm.weight`, D),
    q: await w.matrix(`${a}q_proj.weight`, width, D),
    k: await w.matrix(`${a}k_proj.weight`, kvWidth, D),
    v: await w.matrix(`${a}v_proj.weight`, kvWidth, D),
    output: await w.matrix(`${a}o_proj.weight`, D, width),
    bias: c.qkvBias
      ? {
          q: await w.vector(`${a}q_proj.bias`, width),
          k: await w.vector(`${a}k_proj.bias`, kvWidth),
          v: await w.vector(`${a}v_proj.bias`, kvWidth),
        }
      : undefined,
    postNorm: await w.vector(`${p}post_attention_layernorm.weight`, D),
    gate: await w.matrix(`${p}mlp.gate_proj.weight`, F, D),
    up: await w.matrix(`${p}mlp.up_proj.weight`, F, D),
    down: await w.matrix(`${p}mlp.down_proj.weight`, D, F),
  }
}

/** One set of scratch tensors serves all layers. */
function makeScratch(c: DenseConfig, device: Device, maxTokens: number) {
  const f32 = (...shape: number[]) => device.tensor('F32', [T, ...shape], maxTokens)
  const kvWidth = c.kvHeads * c.headDim
  return {
    normed: f32(c.hiddenSize),
    mixed: f32(c.hiddenSize),
    q: f32(c.heads * c.headDim),
    k: f32(kvWidth),
    v: f32(kvWidth),
    attended: f32(c.heads, c.headDim),
    gate: f32(c.intermediateSize),
    up: f32(c.intermediateSize),
  }
}

export async function denseDecoder(
  c: DenseConfig,
  w: Weights,
  device: Device,
  options: DecoderOptions,
): Promise<Decoder> {
  const s = makeScratch(c, device, options.maxTokens)
  const turn = {
    invFreq: device.constant(inverseFrequencies(c.rope, c.headDim)),
    style: 'halves',
    factor: ropeFactor(c.rope),
  } as const
  const scale = c.headDim ** -0.5 // YaRN's mscale² is MLA's alone
  const kvWidth = c.kvHeads * c.headDim
  const cache = () => device.tensor(options.kvDtype, [options.blockCount, 64, kvWidth])
  const caches = Array.from({ length: c.layers }, (): KvCache => ({ tensors: [cache(), cache()] }))
  const layers: LayerWeights[] = []
  for (let i = 0; i < c.layers; i++) {
    layers.push(await readLayer(w, c, i))
    options.onLayer?.(i + 1, c.layers)
  }

  const block = (
    k: Encoder,
    w: LayerWeights,
    kv: KvCache,
    residual: Tensor,
    io: StepInputs,
  ): void => {
    const [kCache, vCache] = kv.tensors as [Tensor, Tensor]
    rmsNorm(k, s.normed, residual, w.inputNorm, c.eps)
    linear(k, s.q, s.normed, w.q, w.bias?.q)
    linear(k, s.k, s.normed, w.k, w.bias?.k)
    linear(k, s.v, s.normed, w.v, w.bias?.v)
    rope(k, splitLast(s.q, c.headDim), io.positions, turn)
    rope(k, splitLast(s.k, c.headDim), io.positions, turn)
    writeKv(k, kCache, s.k, io.slots)
    writeKv(k, vCache, s.v, io.slots)
    const paged = { k: kCache, v: vCache }
    gqaAttention(k, s.attended, splitLast(s.q, c.headDim), paged, io, c.kvHeads, scale)
    linear(k, s.mixed, mergeLast(s.attended), w.output)
    addRmsNorm(k, s.normed, residual, s.mixed, w.postNorm, c.eps)
    linear(k, s.gate, s.normed, w.gate)
    linear(k, s.up, s.normed, w.up)
    swiglu(k, s.gate, s.gate, s.up)
    linear(k, s.mixed, s.gate, w.down)
    add(k, residual, residual, s.mixed)
  }

  const headName = c.tied ? 'model.embed_tokens.weight' : 'lm_head.weight'
  return {
    layers: c.layers,
    embedding: await w.plain('model.embed_tokens.weight', c.vocabSize, c.hiddenSize),
    finalNorm: await w.vector('model.norm.weight', c.hiddenSize),
    head: await readHead(w, headName, c.vocabSize, c.hiddenSize),
    caches,
    mtp: undefined,
    layer(k, i, residual, io) {
      block(k, layers[i] as LayerWeights, caches[i] as KvCache, residual, io)
      return undefined
    },
  }
}
