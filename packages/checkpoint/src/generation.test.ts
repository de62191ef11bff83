// generation_config.json as models publish it; ids fall back to config.json.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { type JsonObject, readGenerationDefaults } from './index.ts'

const root = mkdtempSync(path.join(tmpdir(), 'hadal-generation-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

function read(file: JsonObject | undefined, config: JsonObject) {
  const folder = mkdtempSync(path.join(root, 'x'))
  if (file) writeFileSync(path.join(folder, 'generation_config.json'), JSON.stringify(file))
  return readGenerationDefaults(folder, config)
}

it('reads what R1 recommends', async () => {
  const ids = { bos_token_id: 0, eos_token_id: 1 }
  const sampling = { do_sample: true, temperature: 0.6, top_p: 0.95 }
  const file = { _from_model_config: true, ...ids, ...sampling, transformers_version: '4.39.3' }
  expect(await read(file, { bos_token_id: 7, eos_token_id: 8 })).toEqual({
    ...{ bosTokenId: 0, eosTokenIds: [1], doSample: true, temperature: 0.6, topP: 0.95 },
  })
})

it('reads every recommendation that the sampler knows', async () => {
  const file = {
    ...{ top_k: 20, min_p: 0.05, repetition_penalty: 1.1, max_new_tokens: 32768, pad_token_id: 5 },
    eos_token_id: [1, 2],
  }
  expect(await read(file, {})).toEqual({
    ...{ topK: 20, minP: 0.05, repetitionPenalty: 1.1, maxNewTokens: 32768, padTokenId: 5 },
    eosTokenIds: [1, 2],
  })
})

it('takes ids from config.json where the file has none, and null for absent', async () => {
  expect(await read(undefined, { bos_token_id: 0, eos_token_id: [1, 3] })).toEqual({
    ...{ bosTokenId: 0, eosTokenIds: [1, 3] },
  })
  const nulls = { temperature: null, top_k: null, eos_token_id: null, bos_token_id: null }
  expect(await read(nulls, { eos_token_id: 4 })).toEqual({ eosTokenIds: [4] })
  expect(await read({}, {})).toEqual({ eosTokenIds: [] })
})

it.each([
  [{ top_k: 2 ** 24 }, /top_k: expected a whole number from 0 to 16777215/],
  [{ min_p: 2 }, /min_p: expected a number from 0 to 1/],
])('refuses %j, which the engine would refuse later', async (file, message) => {
  await expect(read(file, {})).rejects.toThrow(message)
})
