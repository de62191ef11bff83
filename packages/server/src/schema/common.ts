// Schemas that several endpoints share, and the sizes that a request may have. The OpenAPI document is made of
// these; the types in ../protocol are held against them by the compiler.
import { z } from 'zod'
import type {
  ErrorBody,
  HadalExtension,
  Maybe,
  SamplingFields,
  TokenLogprob,
  TopLogprob,
  Usage,
} from '../protocol/common.ts'

/** Sizes that no honest request exceeds. */
export const sizes = {
  messages: 8192,
  contentParts: 1024,
  tools: 128,
  stops: 16,
  stopLength: 1024,
  biases: 1024,
  choices: 128,
  nameLength: 256,
} as const

/** OpenAI clients send null for what they leave out. */
export const maybe = <T extends z.ZodType>(schema: T): z.ZodOptional<z.ZodNullable<T>> =>
  schema.nullish()

export const modelName: z.ZodString = z.string().min(1).max(sizes.nameLength)
export const plainName: z.ZodString = z.string().max(sizes.nameLength)

const range = (min: number, max: number) => z.number().min(min).max(max)

type FieldSchemas = {
  readonly [K in keyof SamplingFields | 'model']-?: z.ZodType<
    K extends keyof SamplingFields ? SamplingFields[K] : Maybe<string>
  >
}

/** Fields of DeepSeek and OpenAI, then top_k to priority, which only local servers know. */
export const samplingFields: FieldSchemas = {
  model: maybe(modelName),
  temperature: maybe(range(0, 2)),
  top_p: maybe(range(0, 1)),
  presence_penalty: maybe(range(-2, 2)),
  frequency_penalty: maybe(range(-2, 2)),
  seed: maybe(z.int()),
  stop: maybe(
    z.union([
      z.string().min(1).max(sizes.stopLength),
      z.array(z.string().min(1).max(sizes.stopLength)).max(sizes.stops),
    ]),
  ),
  max_tokens: maybe(z.int().min(1)),
  n: maybe(z.int().min(1).max(sizes.choices)),
  logit_bias: maybe(z.record(z.string().regex(/^\d{1,9}$/), range(-100, 100))),
  stream: maybe(z.boolean()),
  stream_options: maybe(
    z.strictObject({ include_usage: maybe(z.boolean()), include_obfuscation: maybe(z.boolean()) }),
  ),
  user: maybe(z.string()),
  top_k: maybe(z.int().min(0)),
  min_p: maybe(range(0, 1)),
  repetition_penalty: maybe(range(0.01, 100)),
  priority: maybe(z.int().min(-1000).max(1000)),
}

export const errorBody: z.ZodType<ErrorBody> = z.strictObject({
  error: z.strictObject({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
})

const count = z.int().min(0)

export const usage: z.ZodType<Usage> = z.strictObject({
  prompt_tokens: count,
  completion_tokens: count,
  total_tokens: count,
  prompt_cache_hit_tokens: count,
  prompt_cache_miss_tokens: count,
  prompt_tokens_details: z.strictObject({ cached_tokens: count }),
  completion_tokens_details: z.strictObject({ reasoning_tokens: count }),
})

export const hadalExtension: z.ZodType<HadalExtension> = z.strictObject({
  ttft_ms: z.number().min(0).nullable(),
  tokens_per_second: z.number().min(0).nullable(),
  reasoning_ms: z.number().min(0),
  stopped: z.enum(['cancelled', 'shutdown', 'timeout']).nullable(),
  cost: z.strictObject({ amount: z.number().min(0), currency: z.string() }).optional(),
})

const alternative = {
  token: z.string(),
  logprob: z.number().max(0),
  bytes: z.array(z.int().min(0).max(255)),
}
const topLogprob: z.ZodType<TopLogprob> = z.strictObject(alternative)
export const tokenLogprob: z.ZodType<TokenLogprob> = z.strictObject({
  ...alternative,
  top_logprobs: z.array(topLogprob).max(20),
})

export const finishReason: z.ZodEnum<{
  stop: 'stop'
  length: 'length'
  tool_calls: 'tool_calls'
  insufficient_system_resource: 'insufficient_system_resource'
}> = z.enum(['stop', 'length', 'tool_calls', 'insufficient_system_resource'])
