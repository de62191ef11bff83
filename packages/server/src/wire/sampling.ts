// Sampling fields of the wire to options of the engine; absent and null are the same.

import { invalid } from '../errors.ts'
import type { ServedModel } from '../model.ts'
import type { SamplingFields } from '../protocol/common.ts'
import { sizes } from '../schema/common.ts'

/** Options that `chat` and `generate` share, and the stop texts, which only text knows. */
export interface SharedOptions {
  readonly temperature?: number
  readonly topP?: number
  readonly topK?: number
  readonly minP?: number
  readonly repetitionPenalty?: number
  readonly presencePenalty?: number
  readonly frequencyPenalty?: number
  readonly maxTokens?: number
  readonly logitBias?: ReadonlyMap<number, number>
  readonly priority?: number
}

/** Leaves out what is null or undefined. */
export function given<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(values).filter(
    ([, value]) => value !== null && value !== undefined,
  )
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> }
}

export function sharedOptions(
  fields: SamplingFields,
  model: ServedModel,
  maxTokens: number | null | undefined,
): SharedOptions {
  return given({
    temperature: fields.temperature,
    topP: fields.top_p,
    topK: fields.top_k,
    minP: fields.min_p,
    repetitionPenalty: fields.repetition_penalty,
    presencePenalty: fields.presence_penalty,
    frequencyPenalty: fields.frequency_penalty,
    priority: fields.priority,
    maxTokens,
    logitBias: fields.logit_bias ? biasMap(fields.logit_bias, model) : undefined,
  })
}

function biasMap(
  bias: Readonly<Record<string, number>>,
  { info }: ServedModel,
): ReadonlyMap<number, number> {
  const entries = Object.entries(bias)
  if (entries.length > sizes.biases)
    throw invalid('logit_bias', `expected at most ${sizes.biases} ids, got ${entries.length}`)
  return new Map(
    entries.map(([key, value]): [number, number] => {
      const id = Number(key)
      if (id < info.vocabularySize) return [id, value]
      throw invalid(
        `logit_bias.${key}`,
        `expected an id from 0 to ${info.vocabularySize - 1}, got ${key}`,
      )
    }),
  )
}

export function stopTexts(stop: SamplingFields['stop']): readonly string[] | undefined {
  if (stop === null || stop === undefined) return undefined
  const list = typeof stop === 'string' ? [stop] : stop
  return list.length > 0 ? list : undefined
}

/** The seed of one of several choices: they differ, and repeat when asked again. */
export function seedOf(seed: number | null | undefined, choice: number): { seed?: bigint } {
  // OpenAI allows negative seeds; the engine's are 64 bits without a sign.
  if (seed === null || seed === undefined) return {}
  return { seed: BigInt.asUintN(64, BigInt(seed) + BigInt(choice)) }
}

export function checkChoices(param: string, choices: number, most: number): void {
  if (choices > most)
    throw invalid(param, `expected at most ${most} answers of one request, got ${choices}`)
}

/** Long before a tokenizer would see it: a text of so many characters cannot fit the context. */
export function checkLength(
  param: string,
  characters: number,
  { info }: ServedModel,
  charactersPerToken: number,
): void {
  const most = info.contextLength * charactersPerToken
  if (characters > most)
    throw invalid(
      param,
      `the prompt is too long: expected at most ${most} characters (a context of ${info.contextLength} tokens), got ${characters}`,
      'context_length_exceeded',
    )
}
