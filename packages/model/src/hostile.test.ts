// Checkpoints that parse and must not load, and files that change under a model: an error that names file,
// tensor, expected and got, soon, and a process that lives on.
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { CheckpointError, type JsonObject, openCheckpoint } from '@hadal/checkpoint'
import { fixture, watchCpu } from '@hadal/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { loadModel } from './index.ts'

const root = mkdtempSync(path.join(tmpdir(), 'hadal-bad-model-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let made = 0
const options = { maxSequences: 1, contextLength: 64, threads: 1 }

function copyOf(name: string): string {
  const at = path.join(root, String(made++))
  mkdirSync(at)
  for (const file of readdirSync(fixture(name)))
    if (!file.startsWith('golden'))
      copyFileSync(path.join(fixture(name), file), path.join(at, file))
  return at
}

interface Entry {
  name?: string
  dtype: string
  shape: number[]
  data_offsets: [number, number]
}

/** Rewrites the header of the one file, keeping its length and the data. */
function editHeader(at: string, change: (header: Record<string, Entry>) => void): void {
  const file = path.join(at, 'model.safetensors')
  const bytes = readFileSync(file)
  const length = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length))
  change(header)
  const text = Buffer.from(JSON.stringify(header))
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(BigInt(text.length))
  writeFileSync(file, Buffer.concat([prefix, text, bytes.subarray(8 + length)]))
}

/** Overwrites bytes of a tensor of a sharded fixture. */
async function poke(at: string, tensor: string, bytes: Uint8Array, offset = 0): Promise<void> {
  const entry = (await openCheckpoint(at)).tensor(tensor)
  const content = readFileSync(entry.file.path)
  content.set(bytes, entry.offset + offset)
  writeFileSync(entry.file.path, content)
}

function editConfig(at: string, change: JsonObject): void {
  const file = path.join(at, 'config.json')
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...change }))
}

const f32 = (value: number): Uint8Array => new Uint8Array(Float32Array.of(value).buffer)
const norm = 'model.layers.0.input_layernorm.weight'
const gate = 'model.layers.0.mlp.gate_proj.weight'

/** Loads and returns the error; a load that succeeds is one too. */
async function errorOf(at: string): Promise<Error & { tensor?: string; file?: string }> {
  const cpu = watchCpu()
  try {
    const model = await loadModel(await openCheckpoint(at), options)
    await model.dispose()
  } catch (error) {
    expect(cpu(), 'milliseconds of CPU').toBeLessThan(2000)
    return error as Error
  }
  throw new Error('it loaded')
}

const badTensors: [string, string, (header: Record<string, Entry>) => void, RegExp][] = [
  [
    'a missing norm',
    norm,
    (h) => rename(h, norm, 'other'),
    /input_layernorm.weight: expected \[192\] F32 or BF16 or F16, got no such tensor in/,
  ],
  ['a missing head', 'lm_head.weight', (h) => rename(h, 'lm_head.weight', 'x'), /no such tensor/],
  [
    'a missing expert',
    'model.layers.1.mlp.experts.7.up_proj.weight',
    (h) => rename(h, 'model.layers.1.mlp.experts.7.up_proj.weight', 'x'),
    /experts.7.up_proj.weight: expected \[96, 192\].*no such tensor/,
  ],
  [
    'a missing correction bias',
    'model.layers.1.mlp.gate.e_score_correction_bias',
    (h) => rename(h, 'model.layers.1.mlp.gate.e_score_correction_bias', 'x'),
    /e_score_correction_bias: expected \[8\].*no such tensor/,
  ],
  [
    'a missing part of the MTP module',
    'model.layers.2.hnorm.weight',
    (h) => rename(h, 'model.layers.2.hnorm.weight', 'x'),
    /hnorm.weight: expected \[192\].*no such tensor/,
  ],
  [
    'a matrix turned round',
    gate,
    (h) => (h[gate] as Entry).shape.reverse(),
    /gate_proj.weight: expected \[320, 192\] .*, got \[192, 320\] BF16 in model.safetensors/,
  ],
  [
    'a norm of two dimensions',
    norm,
    (h) => (h[norm] as Entry).shape.unshift(1),
    /expected \[192\] .*, got \[1, 192\] BF16/,
  ],
  [
    'integers as weights',
    gate,
    (h) => {
      ;(h[gate] as Entry).dtype = 'I16'
    },
    /expected \[320, 192\] F32 or BF16 or F16 or F8_E4M3, got \[320, 192\] I16/,
  ],
  [
    'an FP8 matrix without scales',
    `${gate}_scale_inv`,
    (h) => {
      const entry = h[gate] as Entry
      const [begin, end] = entry.data_offsets
      h[gate] = { dtype: 'F8_E4M3', shape: entry.shape, data_offsets: [begin, (begin + end) / 2] }
      const size = (end - begin) / 2
      h.rest = { dtype: 'U8', shape: [size], data_offsets: [begin + size, end] }
    },
    /gate_proj.weight_scale_inv: expected \[3, 2\] F32 or BF16 or F8_E8M0, got no such tensor/,
  ],
  [
    'an FP8 embedding',
    'model.embed_tokens.weight',
    (h) => {
      const entry = h['model.embed_tokens.weight'] as Entry
      const [begin, end] = entry.data_offsets
      const half = (begin + end) / 2
      h['model.embed_tokens.weight'] = { ...entry, dtype: 'F8_E4M3', data_offsets: [begin, half] }
      h.rest = { dtype: 'U8', shape: [end - half], data_offsets: [half, end] }
    },
    /embed_tokens.weight: expected \[384, 192\] F32 or BF16 or F16, got \[384, 192\] F8_E4M3/,
  ],
]

function rename(header: Record<string, Entry>, from: string, to: string): void {
  header[to] = header[from] as Entry
  delete header[from]
}

describe('a checkpoint with', () => {
  it.each(badTensors)('%s does not load', async (_, tensor, change, message) => {
    const at = copyOf('v3-bf16')
    editHeader(at, change)
    const error = await errorOf(at)
    expect(error).toBeInstanceOf(CheckpointError)
    expect(error.message).toMatch(message)
    expect(error.tensor).toBe(tensor)
  })

  it.each([
    ['a scale of NaN', `${gate}_scale_inv`, f32(Number.NaN), 4, /got NaN at index 1 in/],
    ['an infinite scale', `${gate}_scale_inv`, f32(Infinity), 0, /got Infinity at index 0 in/],
    ['a norm of NaN', norm, Uint8Array.of(0xc0, 0x7f), 6, /got NaN at index 3 in/],
    [
      'a correction bias of NaN',
      'model.layers.1.mlp.gate.e_score_correction_bias',
      ...[f32(Number.NaN), 8, /got NaN at index 2 in/],
    ],
  ] as [string, string, Uint8Array, number, RegExp][])(
    '%s does not load',
    async (_, tensor, bytes, offset, message) => {
      const at = copyOf('v3-fp8')
      await poke(at, tensor, bytes, offset)
      const error = await errorOf(at)
      expect(error.message).toMatch(message)
      expect(error.message).toContain(`${tensor}: expected finite values`)
      expect(error.tensor).toBe(tensor)
      expect(error.file).toContain('model-0000')
    },
  )

  it.each([
    [{ hidden_size: 1 << 18 }, /embed_tokens.weight: expected \[384, 262144\]/],
    [{ vocab_size: 1 << 24 }, /embed_tokens.weight: expected \[16777216, 192\]/],
    [{ intermediate_size: 1 << 24 }, /gate_proj.weight: expected \[16777216, 192\]/],
    [{ num_attention_heads: 4096, kv_lora_rank: 65536 }, /: expected \[/],
    [{ n_routed_experts: 65536 }, /: expected \[/],
    [{ num_hidden_layers: 1024 }, /model.layers.\d+.* no such tensor/],
    [{ first_k_dense_replace: 0 }, /layers.0.mlp.experts.0.gate_proj.weight: .* no such tensor/],
    [{ q_lora_rank: null }, /q_proj.weight: expected .* no such tensor/],
    [
      { quantization_config: { quant_method: 'fp8', weight_block_size: [64, 128] } },
      /_scale_inv: /,
    ],
    [
      { quantization_config: { quant_method: 'fp8', weight_block_size: [2 ** 40, 1] } },
      /_scale_inv/,
    ],
  ] as [JsonObject, RegExp][])('a config of %j does not load', async (change, message) => {
    const at = copyOf('v3-fp8')
    editConfig(at, change)
    const error = await errorOf(at)
    expect(error).toBeInstanceOf(CheckpointError)
    expect(error.message).toMatch(message)
  })

  it('weights of NaN loads, and its first step says what came', async () => {
    const at = copyOf('v3-fp8')
    await poke(at, gate, Uint8Array.of(0x7f))
    const model = await loadModel(await openCheckpoint(at), options)
    try {
      const { logits } = await model.forward(Int32Array.of(1, 2, 3), [0])
      expect(logits.some(Number.isNaN)).toBe(true)
    } finally {
      await model.dispose()
    }
  })

  it('a tied head and no lm_head loads, and its MTP module is optional', async () => {
    const at = copyOf('v3-bf16')
    editConfig(at, { tie_word_embeddings: true })
    editHeader(at, (h) => {
      rename(h, 'lm_head.weight', 'unused')
      for (const name of Object.keys(h))
        if (name.startsWith('model.layers.2.')) rename(h, name, `unused.${name}`)
    })
    const model = await loadModel(await openCheckpoint(at), options)
    expect(model.info.hasMtp).toBe(false)
    await expect(model.forward(Int32Array.of(1, 2), [0], { mtp: true })).rejects.toThrow(/no MTP/)
    expect((await model.forward(Int32Array.of(1, 2), [0])).logits.every(Number.isFinite)).toBe(true)
    await model.dispose()
  })
})

describe('a file that changes', () => {
  const weights = (at: string) => path.join(at, 'model.safetensors')
  it('between its header and its weights is refused', async () => {
    const cut = copyOf('v3-bf16')
    const opened = await openCheckpoint(cut)
    truncateSync(weights(cut), statSync(weights(cut)).size - 4096)
    await expect(loadModel(opened, options)).rejects.toThrow(/model.safetensors.*changed/)
    const touched = copyOf('v3-bf16')
    const other = await openCheckpoint(touched)
    utimesSync(weights(touched), 1, 1)
    await expect(loadModel(other, options)).rejects.toThrow(/model.safetensors.*changed/)
  })

  it('under a loaded model fails its next run by name, and the process lives', async () => {
    const at = copyOf('v3-bf16')
    const model = await loadModel(await openCheckpoint(at), options)
    truncateSync(weights(at), 4096)
    await expect(model.forward(Int32Array.of(1, 2), [0])).rejects.toThrow(/model.safetensors/)
    await model.dispose()
    const whole = await loadModel(await openCheckpoint(copyOf('v3-bf16')), options)
    expect((await whole.forward(Int32Array.of(1, 2), [0])).logits).toHaveLength(2 * 384)
    await whole.dispose()
  })
})
