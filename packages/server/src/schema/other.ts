// Schemas of plain completions, models, tokens and health.
import { z } from 'zod'
import type {
  Completion,
  CompletionRequest,
  DetokenizeRequest,
  DetokenizeResponse,
  Health,
  Model,
  ModelList,
  TokenizeRequest,
  TokenizeResponse,
} from '../protocol/other.ts'
import {
  finishReason,
  hadalExtension,
  maybe,
  modelName,
  samplingFields,
  sizes,
  usage,
} from './common.ts'

const id = z.int().min(0)
const ids = z.array(id)

export const completionRequest: z.ZodType<CompletionRequest> = z.strictObject({
  prompt: z.union([
    z.string(),
    z.array(z.string()).min(1).max(sizes.choices),
    ids.min(1),
    z.array(ids.min(1)).min(1).max(sizes.choices),
  ]),
  ...samplingFields,
  suffix: maybe(z.string()),
  echo: maybe(z.boolean()),
  best_of: maybe(z.int()),
  logprobs: maybe(z.int().min(0).max(20)),
})

export const completion: z.ZodType<Completion> = z.strictObject({
  id: z.string(),
  object: z.literal('text_completion'),
  created: z.int(),
  model: z.string(),
  system_fingerprint: z.string(),
  choices: z.array(
    z.strictObject({
      index: z.int().min(0),
      text: z.string(),
      logprobs: z
        .strictObject({
          tokens: z.array(z.string()),
          token_logprobs: z.array(z.number().max(0)),
          top_logprobs: z.array(z.record(z.string(), z.number().max(0))).nullable(),
          text_offset: z.array(z.int().min(0)),
        })
        .nullable(),
      finish_reason: finishReason.nullable(),
    }),
  ),
  usage: usage.nullable().optional(),
  hadal: hadalExtension.optional(),
})

export const model: z.ZodType<Model> = z.strictObject({
  id: z.string(),
  object: z.literal('model'),
  created: z.int(),
  owned_by: z.string(),
  context_length: z.int(),
  architecture: z.string(),
})

export const modelList: z.ZodType<ModelList> = z.strictObject({
  object: z.literal('list'),
  data: z.array(model),
})

export const tokenizeRequest: z.ZodType<TokenizeRequest> = z.strictObject({
  model: maybe(modelName),
  content: maybe(z.string()),
  prompt: maybe(z.string()),
  add_special_tokens: maybe(z.boolean()),
  parse_special: maybe(z.boolean()),
})

export const tokenizeResponse: z.ZodType<TokenizeResponse> = z.strictObject({
  tokens: ids,
  count: z.int().min(0),
  max_model_len: z.int().min(1),
})

export const detokenizeRequest: z.ZodType<DetokenizeRequest> = z.strictObject({
  model: maybe(modelName),
  tokens: ids,
})

export const detokenizeResponse: z.ZodType<DetokenizeResponse> = z.strictObject({
  content: z.string(),
  prompt: z.string(),
})

export const health: z.ZodType<Health> = z.strictObject({
  status: z.enum(['ok', 'loading', 'draining', 'failed']),
  model: z.string(),
  context_length: z.int().min(1).optional(),
  progress: z.strictObject({ stage: z.string(), done: z.number(), total: z.number() }).optional(),
  error: z.string().optional(),
})
