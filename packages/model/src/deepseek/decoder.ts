// The layers of DeepSeek as kernel calls: latent attention, dense MLP or experts, and the MTP module.
// One set of scratch tensors serves all layers. Source: V3 inference/model.py; V3 paper §2.
import {
  add,
  addRmsNorm,
  columns,
  combineExperts,
  type Device,
  type Encoder,
  embedTokens,
  gatedTopK,
  groupedGemm,
  linear,
  matmul,
  mergeLast,
  mlaAbsorbQuery,
  mlaAttention,
  mlaExpandValue,
  permuteTokens,
  type Rope,
  rmsNorm,
  rope,
  splitLast,
  swiglu,
  T,
  type Tensor,
  writeKv,
} from '@hadal/kernels'
import type { Decoder, Head, KvCache, MtpModule } from '../decoder.ts'
import type { StepInputs } from '../inputs.ts'
import { inverseFrequencies, ropeFactor, softmaxScale } from '../rope.ts'
import type { Weights } from '../weights.ts'
import type { DeepseekConfig } from './config.ts'
import {
  type LayerWeights,
  type MlaWeights,
  type MlpWeights,
  type MoeWeights,
  readLayer,
} from './weights.ts'

interface Scratch {
  readonly normed: Tensor
  readonly mixed: Tensor
  readonly qLatent: Tensor | undefined
  readonly q: Tensor
  readonly kv: Tensor
  readonly absorbed: Tensor
  readonly attended: Tensor
  readonly values: Tensor
  readonly gate: Tensor
  readonly up: Tensor
  readonly moe: MoeScratch | undefined
}

interface MoeScratch {
  readonly logits: Tensor
  readonly ids: Tensor
  readonly weights: Tensor
  readonly offsets: Tensor
  readonly rows: Tensor
  readonly gate: Tensor
  readonly up: Tensor
  readonly out: Tensor
  readonly shared: Tensor
}

interface Layers {
  readonly config: DeepseekConfig
  readonly scratch: Scratch
  readonly rope: Rope
  readonly scale: number
}

function makeScratch(c: DeepseekConfig, device: Device, maxTokens: number): Scratch {
  const f32 = (...shape: number[]) => device.tensor('F32', [T, ...shape], maxTokens)
  const i32 = (...shape: number[]) => device.tensor('I32', [T, ...shape], maxTokens)
  const K = c.expertsPerToken
  const inner = Math.max(c.intermediateSize, c.sharedExperts * c.expertSize)
  return {
    normed: f32(c.hiddenSize),
    mixed: f32(c.hiddenSize),
    qLatent: c.qLoraRank ? f32(c.qLoraRank) : undefined,
    q: f32(c.heads * (c.nopeDim + c.ropeDim)),
    kv: f32(c.kvLoraRank + c.ropeDim),
    absorbed: f32(c.heads, c.kvLoraRank),
    attended: f32(c.heads, c.kvLoraRank),
    values: f32(c.heads, c.valueDim),
    gate: f32(inner),
    up: f32(inner),
    moe:
      c.experts === 0
        ? undefined
        : {
            logits: f32(c.experts),
            ids: i32(K),
            weights: f32(K),
            offsets: device.tensor('I32', [c.experts + 1]),
            rows: i32(K),
            gate: f32(K, c.expertSize),
            up: f32(K, c.expertSize),
            out: f32(K, c.hiddenSize),
            shared: f32(c.hiddenSize),
          },
  }
}

/** s.mixed = attention over the normed residual. */
function mla(k: Encoder, l: Layers, w: MlaWeights, cache: Tensor, io: StepInputs): void {
  const { config: c, scratch: s } = l
  if ('direct' in w.query) linear(k, s.q, s.normed, w.query.direct)
  else {
    const latent = s.qLatent as Tensor
    linear(k, latent, s.normed, w.query.down)
    rmsNorm(k, latent, latent, w.query.norm, c.latentEps)
    linear(k, s.q, latent, w.query.up)
  }
  linear(k, s.kv, s.normed, w.kvA)
  const heads = splitLast(s.q, c.nopeDim + c.ropeDim)
  const [qNope, qPe] = [columns(heads, 0, c.nopeDim), columns(heads, c.nopeDim, c.ropeDim)]
  const [latentKv, kPe] = [columns(s.kv, 0, c.kvLoraRank), columns(s.kv, c.kvLoraRank, c.ropeDim)]
  rmsNorm(k, latentKv, latentKv, w.kvNorm, c.latentEps)
  rope(k, qPe, io.positions, l.rope)
  rope(k, splitLast(kPe, c.ropeDim), io.positions, l.rope)
  writeKv(k, cache, s.kv, io.slots)
  mlaAbsorbQuery(k, s.absorbed, qNope, w.kvB, c.nopeDim, c.valueDim)
  mlaAttention(k, s.attended, s.absorbed, qPe, cache, io, l.scale)
  mlaExpandValue(k, s.values, s.attended, w.kvB, c.nopeDim, c.valueDim)
  linear(k, s.mixed, mergeLast(s.values), w.output)
}

/** out = down(silu(gate x) · up x). */
function mlp(k: Encoder, s: Scratch, out: Tensor, w: MlpWeights): void {
  const inner = w.gate.tensor.shape[0] ?? 0
  const [gate, up] = [columns(s.gate, 0, inner), columns(s.up, 0, inner)]
  linear(k, gate, s.normed, w.gate)
  linear(k, up, s.normed, w.up)
  swiglu(k, gate, gate, up)
  linear(k, out, gate, w.down)
}

/** s.mixed = Σ weight · expert(x) + shared(x). */
function moe(k: Encoder, l: Layers, w: MoeWeights): Tensor {
  const s = l.scratch
  const m = s.moe as MoeScratch
  matmul(k, m.logits, s.normed, w.router)
  gatedTopK(k, m.ids, m.weights, m.logits, w.bias, l.config.gating)
  permuteTokens(k, m.offsets, m.rows, m.ids)
  groupedGemm(k, m.gate, s.normed, m.offsets, m.rows, w.gate)
  groupedGemm(k, m.up, s.normed, m.offsets, m.rows, w.up)
  swiglu(k, m.gate, m.gate, m.up)
  groupedGemm(k, m.out, m.gate, m.offsets, m.rows, w.down)
  if (w.shared) mlp(k, s, m.shared, w.shared)
  combineExperts(k, s.mixed, m.out, m.weights, w.shared ? m.shared : undefined)
  return m.ids
}

function block(
  k: Encoder,
  l: Layers,
  w: LayerWeights,
  cache: Tensor,
  residual: Tensor,
  io: StepInputs,
): Tensor | undefined {
  const s = l.scratch
  rmsNorm(k, s.normed, residual, w.mla.inputNorm, l.config.eps)
  mla(k, l, w.mla, cache, io)
  addRmsNorm(k, s.normed, residual, s.mixed, w.postNorm, l.config.eps)
  const routed = w.ffn.type === 'moe' ? moe(k, l, w.ffn.moe) : mlp(k, s, s.mixed, w.ffn.mlp)
  add(k, residual, residual, s.mixed)
  return routed ?? undefined
}

async function readMtp(
  w: Weights,
  l: Layers,
  device: Device,
  maxTokens: number,
  cache: Tensor,
  main: { embedding: Tensor; head: Head },
): Promise<MtpModule> {
  const c = l.config
  const [D, V, prefix] = [c.hiddenSize, c.vocabSize, `model.layers.${c.layers}.`]
  const layer = await readLayer(w, c, c.layers)
  const embeddingNorm = await w.vector(`${prefix}enorm.weight`, D)
  const hiddenNorm = await w.vector(`${prefix}hnorm.weight`, D)
  const join = await w.matrix(`${prefix}eh_proj.weight`, D, 2 * D)
  const outNorm = await w.vector(`${prefix}shared_head.norm.weight`, D)
  const embedding = w.has(`${prefix}embed_tokens.weight`)
    ? await w.plain(`${prefix}embed_tokens.weight`, V, D)
    : main.embedding
  const head = w.has(`${prefix}shared_head.head.weight`)
    ? await readHead(w, `${prefix}shared_head.head.weight`, V, D)
    : main.head
  const [residual, joined] = [
    device.tensor('F32', [T, D], maxTokens),
    device.tensor('F32', [T, 2 * D], maxTokens),
  ]
  return {
    head,
    record(k, out, hidden, nextIds, io) {
      // The embedding comes first, as the released code has it; equation 21 of the paper writes it second.
      embedTokens(k, residual, nextIds, embedding)
      rmsNorm(k, columns(joined, 0, D), residual, embeddingNorm, c.eps)
      rmsNorm(k, columns(joined, D, D), hidden, hiddenNorm, c.eps)
      linear(k, residual, joined, join)
      block(k, l, layer, cache, residual, io)
      rmsNorm(k, out, residual, outNorm, c.eps)
    },
  }
}

export async function readHead(w: Weights, name: string, V: number, D: number): Promise<Head> {
  const weight = await w.matrix(name, V, D)
  return { record: (k, logits, hidden) => linear(k, logits, hidden, weight) }
}

export interface DecoderOptions {
  readonly maxTokens: number
  readonly blockCount: number
  readonly kvDtype: 'F32' | 'F16'
  readonly onLayer?: (done: number, total: number) => void
}

export async function deepseekDecoder(
  c: DeepseekConfig,
  w: Weights,
  device: Device,
  options: DecoderOptions,
): Promise<Decoder> {
  const l: Layers = {
    config: c,
    scratch: makeScratch(c, device, options.maxTokens),
    rope: {
      invFreq: device.constant(inverseFrequencies(c.rope, c.ropeDim)),
      style: c.ropeStyle,
      factor: ropeFactor(c.rope),
    },
    scale: softmaxScale(c.rope, c.nopeDim + c.ropeDim),
  }
  const hasMtp = c.mtpLayers > 0 && w.has(`model.layers.${c.layers}.eh_proj.weight`)
  const total = c.layers + (hasMtp ? 1 : 0)
  const caches = Array.from({ length: total }, (): KvCache => {
    return {
      tensors: [device.tensor(options.kvDtype, [options.blockCount, 64, c.kvLoraRank + c.ropeDim])],
    }
  })
  const cacheOf = (i: number) => caches[i]?.tensors[0] as Tensor
  const embedding = await w.plain('model.embed_tokens.weight', c.vocabSize, c.hiddenSize)
  const headName = c.tied ? 'model.embed_tokens.weight' : 'lm_head.weight'
  const head = await readHead(w, headName, c.vocabSize, c.hiddenSize)
  const layers: LayerWeights[] = []
  for (let i = 0; i < c.layers; i++) {
    layers.push(await readLayer(w, c, i))
    options.onLayer?.(i + 1, total)
  }
  const mtp = hasMtp
    ? await readMtp(w, l, device, options.maxTokens, cacheOf(c.layers), { embedding, head })
    : undefined
  return {
    layers: c.layers,
    embedding,
    finalNorm: await w.vector('model.norm.weight', c.hiddenSize),
    head,
    caches,
    mtp,
    layer: (k, i, residual, io) => block(k, l, layers[i] as LayerWeights, cacheOf(i), residual, io),
  }
}
