// DeepSeek-V2/V3 in plain TypeScript and double precision, written from the papers and apart from the
// kernels: expanded attention, no cache, no tricks. Each trap that implementations fell into is a switch,
// so that a test can show that the fixtures tell right from wrong. Small models only.
import { type Checkpoint, openCheckpoint } from '@hadal/checkpoint'

/** Ways to be wrong; all off is right. */
export interface Traps {
  /** The MTP module joins hidden state and embedding in the order of equation 21. */
  readonly mtpHiddenFirst?: boolean
  /** The MTP module reads the residual before the final norm. */
  readonly mtpBeforeNorm?: boolean
  /** Rotates halves of the rope dimensions instead of neighbours. */
  readonly ropeHalves?: boolean
  /** Takes the rope part of a head first, the plain part after it. */
  readonly peFirst?: boolean
  /** Divides by weight_scale_inv. */
  readonly divideScale?: boolean
  /** Gives the partial last block of rows the scale of the block before it. */
  readonly noEdgeBlocks?: boolean
  /** Scores of groups that are left out become 0 instead of −∞. */
  readonly maskZero?: boolean
  /** Weights come from the biased scores. */
  readonly biasedWeights?: boolean
  /** The correction bias is rounded to BF16. */
  readonly bf16Bias?: boolean
  /** No mscale² in the softmax scale. */
  readonly noMscale?: boolean
  /** Cos and sin without the ratio of the two mscales. */
  readonly plainTurn?: boolean
  /** Groups are scored by the sum of their two best, whatever the method. */
  readonly twoOfGroup?: boolean
  /** Plain frequencies instead of YaRN's. */
  readonly noYarn?: boolean
  /** The norms of the latents use rms_norm_eps. */
  readonly latentEps?: number
  /** Weights are normalised although the config says no, and the other way round. */
  readonly flipNormalise?: boolean
}

interface Numbers {
  readonly [name: string]: number
}
type Row = Float64Array
type Matrix = { readonly values: Float64Array; readonly columns: number; readonly rows: number }

export interface PlainForward {
  /** `[T][V]` */
  readonly logits: Row[]
  /** `[T-1][V]`, empty without the module */
  readonly mtpLogits: Row[]
  /** per MoE layer of the main model `[T][K]` */
  readonly routing: number[][][]
}

const dot = (a: Row, b: Float64Array, at: number): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[at + i] as number)
  return sum
}

const times = (m: Matrix, x: Row): Row =>
  Float64Array.from({ length: m.rows }, (_, r) => dot(x, m.values, r * m.columns))

const plus = (a: Row, b: Row): Row => a.map((v, i) => v + (b[i] as number))

function rmsNorm(x: Row, weight: Row, eps: number): Row {
  const factor = 1 / Math.sqrt(x.reduce((s, v) => s + v * v, 0) / x.length + eps)
  return x.map((v, i) => v * factor * (weight[i] as number))
}

const silu = (v: number): number => v / (1 + Math.exp(-v))

async function readWeights(c: Checkpoint, traps: Traps): Promise<Map<string, Matrix>> {
  const out = new Map<string, Matrix>()
  for (const [name, entry] of c.tensors) {
    if (name.endsWith('_scale_inv')) continue
    const values = Float64Array.from(await c.readF32(entry))
    const columns = entry.shape.at(-1) ?? 1
    const rows = values.length / columns
    const scale = c.tensors.get(`${name}_scale_inv`)
    if (scale) {
      const scales = await c.readF32(scale)
      const across = Math.ceil(columns / 128)
      const lastRow = traps.noEdgeBlocks ? Math.max(Math.floor(rows / 128) - 1, 0) : Infinity
      for (let i = 0; i < values.length; i++) {
        const block = Math.min(Math.floor(i / columns / 128), lastRow)
        const s = scales[block * across + Math.floor((i % columns) / 128)] as number
        values[i] = (values[i] as number) * (traps.divideScale ? 1 / s : s)
      }
    }
    out.set(name, { values, columns, rows })
  }
  return out
}

/** The model of a folder, as a function from ids to logits. Throws when a tensor is missing. */
export async function plainModel(
  folder: string,
  traps: Traps = {},
): Promise<(ids: ArrayLike<number>) => PlainForward> {
  const checkpoint = await openCheckpoint(folder)
  const c = checkpoint.config as unknown as Numbers
  const text = checkpoint.config
  const weights = await readWeights(checkpoint, traps)
  const matrix = (name: string): Matrix => {
    const found = weights.get(name)
    if (!found) throw new Error(`plain model: expected ${name} in ${folder}, got no such tensor`)
    return found
  }
  const vector = (name: string): Row => matrix(name).values
  const num = (name: string): number => c[name] as number
  const [H, R, dn, dv] = [
    num('num_attention_heads'),
    num('qk_rope_head_dim'),
    num('qk_nope_head_dim'),
    num('v_head_dim'),
  ] as const
  const L = num('kv_lora_rank')
  const eps = num('rms_norm_eps')
  const latentEps = traps.latentEps ?? 1e-6
  const yarn = (text.rope_scaling ?? undefined) as Numbers | undefined
  const mscaleOf = (m: number) => (yarn ? 0.1 * m * Math.log(yarn.factor as number) + 1 : 1)
  const frequencies = Float64Array.from({ length: R / 2 }, (_, i) => {
    const plain = num('rope_theta') ** ((-2 * i) / R)
    if (!yarn || traps.noYarn) return plain
    const turns = (r: number) =>
      (R * Math.log((yarn.original_max_position_embeddings as number) / (r * 2 * Math.PI))) /
      (2 * Math.log(num('rope_theta')))
    const low = Math.max(Math.floor(turns(yarn.beta_fast as number)), 0)
    const high = Math.min(Math.ceil(turns(yarn.beta_slow as number)), R - 1)
    const ramp = Math.min(Math.max((i - low) / Math.max(high - low, 0.001), 0), 1)
    return (plain / (yarn.factor as number)) * ramp + plain * (1 - ramp)
  })
  const mscale = yarn && !traps.noMscale ? mscaleOf(yarn.mscale_all_dim ?? 0) : 1
  const scale = (mscale * mscale) / Math.sqrt(dn + R)
  const turnFactor =
    yarn && !traps.plainTurn ? mscaleOf(yarn.mscale ?? 1) / mscaleOf(yarn.mscale_all_dim ?? 0) : 1

  const rotate = (x: Row, position: number): Row => {
    const out = x.slice()
    for (let i = 0; i < R / 2; i++) {
      const [a, b] = traps.ropeHalves ? [i, i + R / 2] : [2 * i, 2 * i + 1]
      const angle = position * (frequencies[i] as number)
      const [cos, sin] = [Math.cos(angle) * turnFactor, Math.sin(angle) * turnFactor]
      const [u, v] = [x[a] as number, x[b] as number]
      out[a] = u * cos - v * sin
      out[b] = u * sin + v * cos
    }
    return out
  }

  function attention(p: string, xs: Row[]): Row[] {
    const queries = xs.map((x, t) => {
      const q =
        typeof text.q_lora_rank === 'number' && text.q_lora_rank > 0
          ? times(
              matrix(`${p}q_b_proj.weight`),
              rmsNorm(
                times(matrix(`${p}q_a_proj.weight`), x),
                vector(`${p}q_a_layernorm.weight`),
                latentEps,
              ),
            )
          : times(matrix(`${p}q_proj.weight`), x)
      return Array.from({ length: H }, (_, h) => {
        const head = q.subarray(h * (dn + R), (h + 1) * (dn + R))
        const [nope, pe] = traps.peFirst
          ? [head.subarray(R), head.subarray(0, R)]
          : [head.subarray(0, dn), head.subarray(dn)]
        return { nope, pe: rotate(pe, t) }
      })
    })
    const keys = xs.map((x, t) => {
      const kv = times(matrix(`${p}kv_a_proj_with_mqa.weight`), x)
      const latent = rmsNorm(kv.subarray(0, L), vector(`${p}kv_a_layernorm.weight`), latentEps)
      const expanded = times(matrix(`${p}kv_b_proj.weight`), latent)
      return { expanded, pe: rotate(kv.subarray(L), t) }
    })
    return queries.map((heads, t) => {
      const joined = new Float64Array(H * dv)
      heads.forEach(({ nope, pe }, h) => {
        const at = h * (dn + dv)
        const scores = keys
          .slice(0, t + 1)
          .map((key) => (dot(nope, key.expanded, at) + dot(pe, key.pe, 0)) * scale)
        const top = Math.max(...scores)
        const weightsOf = scores.map((s) => Math.exp(s - top))
        const sum = weightsOf.reduce((a, b) => a + b, 0)
        weightsOf.forEach((w, j) => {
          for (let i = 0; i < dv; i++)
            joined[h * dv + i] =
              (joined[h * dv + i] as number) +
              (w / sum) * ((keys[j]?.expanded[at + dn + i] ?? 0) as number)
        })
      })
      return times(matrix(`${p}o_proj.weight`), joined)
    })
  }

  function mlp(p: string, x: Row): Row {
    const gate = times(matrix(`${p}gate_proj.weight`), x)
    const up = times(matrix(`${p}up_proj.weight`), x)
    return times(
      matrix(`${p}down_proj.weight`),
      gate.map((g, i) => silu(g) * (up[i] as number)),
    )
  }

  function route(p: string, x: Row): { experts: number[]; weights: number[] } {
    const logits = times(matrix(`${p}gate.weight`), x)
    const softmax = text.scoring_func === 'softmax'
    const top = Math.max(...logits)
    const total = logits.reduce((s, v) => s + Math.exp(v - top), 0)
    const scores = logits.map((v) => (softmax ? Math.exp(v - top) / total : 1 / (1 + Math.exp(-v))))
    const bias = weights.get(`${p}gate.e_score_correction_bias`)?.values
    const rounded = traps.bf16Bias ? bias?.map(toBf16) : bias
    const choice = scores.map((s, e) => s + (rounded?.[e] ?? 0))
    const G = num('n_group')
    const size = scores.length / G
    if (text.topk_method !== 'greedy' && G > 1) {
      const groupScores = Array.from({ length: G }, (_, g) => {
        const sorted = [...choice.subarray(g * size, (g + 1) * size)].sort((a, b) => b - a)
        const two = text.topk_method === 'noaux_tc' || traps.twoOfGroup
        return (sorted[0] ?? 0) + (two ? (sorted[1] ?? 0) : 0)
      })
      const kept = best(groupScores, num('topk_group'))
      for (let e = 0; e < choice.length; e++)
        if (!kept.includes(Math.floor(e / size))) choice[e] = traps.maskZero ? 0 : -Infinity
    }
    const experts = best([...choice], num('num_experts_per_tok'))
    let chosen = experts.map((e) => (traps.biasedWeights ? choice[e] : scores[e]) as number)
    const normalise = text.norm_topk_prob === true
    if (normalise !== (traps.flipNormalise ?? false)) {
      const sum = chosen.reduce((a, b) => a + b, 0) + 1e-20
      chosen = chosen.map((w) => w / sum)
    }
    return { experts, weights: chosen.map((w) => w * num('routed_scaling_factor')) }
  }

  function layer(i: number, hs: Row[], routing?: number[][][]): Row[] {
    const p = `model.layers.${i}.`
    const normed = hs.map((h) => rmsNorm(h, vector(`${p}input_layernorm.weight`), eps))
    const attended = attention(`${p}self_attn.`, normed)
    const chosen: number[][] = []
    const out = hs.map((h, t) => {
      const mid = plus(h, attended[t] as Row)
      const x = rmsNorm(mid, vector(`${p}post_attention_layernorm.weight`), eps)
      if (!weights.has(`${p}mlp.gate.weight`)) return plus(mid, mlp(`${p}mlp.`, x))
      const { experts, weights: w } = route(`${p}mlp.`, x)
      chosen.push(experts)
      let sum = weights.has(`${p}mlp.shared_experts.gate_proj.weight`)
        ? mlp(`${p}mlp.shared_experts.`, x)
        : new Float64Array(x.length)
      experts.forEach((e, k) => {
        const y = mlp(`${p}mlp.experts.${e}.`, x)
        sum = plus(
          sum,
          y.map((v) => v * (w[k] as number)),
        )
      })
      return plus(mid, sum)
    })
    if (chosen.length > 0) routing?.push(chosen)
    return out
  }

  const embed = (name: string, id: number): Row => {
    const { values, columns } = matrix(name)
    return values.slice(id * columns, (id + 1) * columns)
  }

  function mtp(ids: ArrayLike<number>, residual: Row[], normed: Row[]): Row[] {
    const p = `model.layers.${num('num_hidden_layers')}.`
    if (!weights.has(`${p}eh_proj.weight`)) return []
    const joined = normed.slice(0, -1).map((after, t) => {
      const hidden = traps.mtpBeforeNorm ? (residual[t] as Row) : after
      const h = rmsNorm(hidden, vector(`${p}hnorm.weight`), eps)
      const table = `${p}embed_tokens.weight`
      const name = weights.has(table) ? table : 'model.embed_tokens.weight'
      const e = rmsNorm(embed(name, ids[t + 1] as number), vector(`${p}enorm.weight`), eps)
      const both = traps.mtpHiddenFirst ? [...h, ...e] : [...e, ...h]
      return times(matrix(`${p}eh_proj.weight`), Float64Array.from(both))
    })
    const head = `${p}shared_head.head.weight`
    return layer(num('num_hidden_layers'), joined).map((h) =>
      times(
        matrix(weights.has(head) ? head : 'lm_head.weight'),
        rmsNorm(h, vector(`${p}shared_head.norm.weight`), eps),
      ),
    )
  }

  return (ids: ArrayLike<number>): PlainForward => {
    const routing: number[][][] = []
    let hs = Array.from(ids, (id) => embed('model.embed_tokens.weight', id))
    for (let i = 0; i < num('num_hidden_layers'); i++) hs = layer(i, hs, routing)
    const normed = hs.map((h) => rmsNorm(h, vector('model.norm.weight'), eps))
    const logits = normed.map((h) => times(matrix('lm_head.weight'), h))
    return { logits, mtpLogits: mtp(ids, hs, normed), routing }
  }
}

/** Indices of the k largest, in descending order; the lowest index wins a tie. */
function best(values: readonly number[], k: number): number[] {
  return values
    .map((value, index) => ({ value, index }))
    .sort((a, b) => b.value - a.value || a.index - b.index)
    .slice(0, k)
    .map(({ index }) => index)
}

function toBf16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)
  const b = bits[0] as number
  bits[0] = (b + 0x7fff + ((b >>> 16) & 1)) & 0xffff0000
  return new Float32Array(bits.buffer)[0] as number
}
