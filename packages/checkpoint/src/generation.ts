// generation_config.json: the defaults that a checkpoint's authors recommend, validated.
import { access } from 'node:fs/promises'
import path from 'node:path'
import { fields } from './fields.ts'
import { readJsonObject } from './files.ts'
import type { JsonObject } from './json.ts'

export interface GenerationDefaults {
  readonly doSample?: boolean
  readonly temperature?: number
  readonly topP?: number
  readonly topK?: number
  readonly minP?: number
  readonly repetitionPenalty?: number
  readonly maxNewTokens?: number
  /** Ids that end a generation. */
  readonly eosTokenIds: readonly number[]
  readonly bosTokenId?: number
  readonly padTokenId?: number
}

const id = { min: 0, max: 2 ** 31 - 1 }

function eosIds(object: JsonObject, file: string): number[] {
  const value = object.eos_token_id
  if (value === undefined || value === null) return []
  const list = Array.isArray(value) ? value : [value]
  return list.map((item) => fields({ eos_token_id: item }, file).int('eos_token_id', id))
}

/** Reads the file if there is one; ids fall back to config.json's. */
export async function readGenerationDefaults(
  folder: string,
  config: JsonObject,
): Promise<GenerationDefaults> {
  const file = path.join(folder, 'generation_config.json')
  const present = await access(file).then(
    () => true,
    () => false,
  )
  const object = present ? await readJsonObject(file, 1 << 20) : {}
  const f = fields(object, file)
  const own = eosIds(object, file)
  const bos = object.bos_token_id ?? config.bos_token_id
  return {
    eosTokenIds: own.length > 0 ? own : eosIds(config, path.join(folder, 'config.json')),
    ...(f.has('do_sample') && { doSample: f.bool('do_sample') }),
    ...(f.has('temperature') && { temperature: f.number('temperature', { min: 0, max: 100 }) }),
    ...(f.has('top_p') && { topP: f.number('top_p', { min: 0, max: 1 }) }),
    ...(f.has('top_k') && { topK: f.int('top_k', { min: 0, max: 2 ** 24 - 1 }) }),
    ...(f.has('min_p') && { minP: f.number('min_p', { min: 0, max: 1 }) }),
    ...(f.has('repetition_penalty') && {
      repetitionPenalty: f.number('repetition_penalty', { min: 0.01, max: 100 }),
    }),
    ...(f.has('max_new_tokens') && {
      maxNewTokens: f.int('max_new_tokens', { min: 1, max: 2 ** 31 - 1 }),
    }),
    ...(f.has('pad_token_id') && { padTokenId: f.int('pad_token_id', id) }),
    ...(typeof bos === 'number' && {
      bosTokenId: fields({ bos_token_id: bos }, file).int('bos_token_id', id),
    }),
  }
}
