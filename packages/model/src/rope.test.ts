// YaRN on grouped-query attention: cos and sin carry all of its scale. The same weights under configs that
// mean the same, and under one that does not.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type JsonObject, openCheckpoint, preset, synthCheckpoint } from '@hadal/checkpoint'
import { relativeError } from '@hadal/testing'
import { afterAll, expect, it } from 'vitest'
import { loadModel } from './index.ts'

const root = mkdtempSync(path.join(tmpdir(), 'hadal-rope-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

let made = 0
async function logits(scaling: JsonObject): Promise<Float32Array> {
  const folder = path.join(root, String(made++))
  const yarn = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 32 }
  const config = { ...preset('qwen2-tiny'), rope_scaling: { ...yarn, ...scaling } }
  await synthCheckpoint(folder, { config, seed: 2 })
  const model = await loadModel(await openCheckpoint(folder), {
    ...{ precision: 'reference', maxSequences: 1, contextLength: 64 },
  })
  try {
    const ids = Int32Array.from({ length: 50 }, (_, i) => (i * 37 + 5) % 380)
    return (await model.forward(ids, [0])).logits
  } finally {
    await model.dispose()
  }
}

it('mscale_all_dim is part of cos and sin, not of the softmax scale, which is MLA’s way', async () => {
  const equal = await logits({ mscale: 1, mscale_all_dim: 1 })
  expect(relativeError(equal, await logits({ attention_factor: 1 }))).toBe(0)
  const plain = await logits({})
  expect(relativeError(plain, await logits({ attention_factor: 0.1 * Math.log(4) + 1 }))).toBe(0)
  expect(relativeError(plain, equal)).toBeGreaterThan(1e-2)
})
