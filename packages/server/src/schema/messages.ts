// Schemas of Anthropic's wire: requests strict, answers and events exact.
import { z } from 'zod'
import type {
  AnthropicErrorBody,
  AnthropicMessage,
  ContentBlock,
  ContentBlockParam,
  CountTokensRequest,
  CountTokensResult,
  MessageEvent,
  MessagesRequest,
  MessagesUsage,
} from '../protocol/messages.ts'
import { hadalExtension, maybe, modelName, sizes } from './common.ts'

const jsonObject = z.record(z.string(), z.unknown())
const count = z.int().min(0)
const id = z.string().min(1).max(sizes.nameLength)
const functionName = z.string().regex(/^[a-zA-Z0-9_.-]{1,64}$/)
const cacheable = { cache_control: maybe(z.unknown()) }

const textBlock = z.strictObject({
  type: z.literal('text'),
  text: z.string(),
  citations: maybe(z.array(z.unknown()).max(0)),
  parsed_output: maybe(z.unknown()),
  ...cacheable,
})
const texts = z.union([z.string(), z.array(textBlock).max(sizes.contentParts)])

const block: z.ZodType<ContentBlockParam> = z.discriminatedUnion('type', [
  textBlock,
  z.strictObject({
    type: z.literal('thinking'),
    thinking: z.string(),
    signature: maybe(z.string()),
  }),
  z.strictObject({ type: z.literal('redacted_thinking'), data: z.string() }),
  z.strictObject({
    type: z.literal('tool_use'),
    id,
    name: functionName,
    input: jsonObject,
    ...cacheable,
  }),
  z.strictObject({
    type: z.literal('tool_result'),
    tool_use_id: id,
    content: maybe(texts),
    is_error: maybe(z.boolean()),
    ...cacheable,
  }),
])

const tool = z.strictObject({
  type: maybe(z.literal('custom')),
  name: functionName,
  description: maybe(z.string()),
  input_schema: jsonObject,
  strict: maybe(z.boolean()),
  input_examples: maybe(z.array(z.unknown())),
  eager_input_streaming: maybe(z.boolean()),
  defer_loading: maybe(z.literal(false)),
  ...cacheable,
})

const parallel = { disable_parallel_tool_use: maybe(z.boolean()) }

/** What shapes the prompt, which is also what count_tokens takes. */
const promptFields = {
  model: maybe(modelName),
  messages: z
    .array(
      z.strictObject({
        role: z.enum(['user', 'assistant', 'system']),
        content: z.union([z.string(), z.array(block).max(sizes.contentParts)]),
      }),
    )
    .min(1)
    .max(sizes.messages),
  system: maybe(texts),
  thinking: maybe(
    z.strictObject({
      type: z.enum(['enabled', 'disabled', 'adaptive']),
      budget_tokens: maybe(z.int().min(0)),
      display: maybe(z.enum(['summarized', 'omitted'])),
    }),
  ),
  tools: maybe(z.array(tool).max(sizes.tools)),
  tool_choice: maybe(
    z.discriminatedUnion('type', [
      z.strictObject({ type: z.enum(['auto', 'any']), ...parallel }),
      z.strictObject({ type: z.literal('tool'), name: functionName, ...parallel }),
      z.strictObject({ type: z.literal('none') }),
    ]),
  ),
  output_config: maybe(
    z.strictObject({
      effort: maybe(z.enum(['low', 'medium', 'high', 'xhigh', 'max'])),
      format: maybe(z.strictObject({ type: z.literal('json_schema'), schema: jsonObject })),
    }),
  ),
  ...cacheable,
}

export const countTokensRequest: z.ZodType<CountTokensRequest> = z.strictObject(promptFields)

export const messagesRequest: z.ZodType<MessagesRequest> = z.strictObject({
  ...promptFields,
  max_tokens: z.int().min(1),
  stop_sequences: maybe(z.array(z.string().min(1).max(sizes.stopLength)).max(sizes.stops)),
  stream: maybe(z.boolean()),
  temperature: maybe(z.number().min(0).max(2)),
  top_p: maybe(z.number().min(0).max(1)),
  top_k: maybe(z.int().min(0)),
  metadata: maybe(jsonObject),
  service_tier: maybe(z.enum(['auto', 'standard_only'])),
})

const contentBlock: z.ZodType<ContentBlock> = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('thinking'), thinking: z.string(), signature: z.string() }),
  z.strictObject({ type: z.literal('text'), text: z.string(), citations: z.null() }),
  z.strictObject({
    type: z.literal('tool_use'),
    id: z.string().regex(/^toolu_/),
    name: z.string(),
    input: jsonObject,
  }),
])

const stopReason = z.enum([
  'end_turn',
  'max_tokens',
  'stop_sequence',
  'tool_use',
  'pause_turn',
  'model_context_window_exceeded',
])

const usage: z.ZodType<MessagesUsage> = z.strictObject({
  input_tokens: count,
  cache_read_input_tokens: count,
  cache_creation_input_tokens: count,
  output_tokens: count,
  output_tokens_details: z.strictObject({ thinking_tokens: count }),
})

export const anthropicMessage: z.ZodType<AnthropicMessage> = z.strictObject({
  id: z.string().regex(/^msg_[0-9a-f]{32}$/),
  type: z.literal('message'),
  role: z.literal('assistant'),
  model: z.string(),
  content: z.array(contentBlock),
  stop_reason: stopReason.nullable(),
  stop_sequence: z.string().nullable(),
  usage,
  hadal: hadalExtension.optional(),
})

const errorFields = z.strictObject({
  type: z.literal('error'),
  error: z.strictObject({ type: z.string(), message: z.string() }),
  request_id: z.string().optional(),
})
export const anthropicError: z.ZodType<AnthropicErrorBody> = errorFields

const delta = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('thinking_delta'), thinking: z.string() }),
  z.strictObject({ type: z.literal('signature_delta'), signature: z.string() }),
  z.strictObject({ type: z.literal('text_delta'), text: z.string() }),
  z.strictObject({ type: z.literal('input_json_delta'), partial_json: z.string() }),
])

export const messageEvent: z.ZodType<MessageEvent> = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('message_start'), message: anthropicMessage }),
  z.strictObject({
    type: z.literal('content_block_start'),
    index: count,
    content_block: contentBlock,
  }),
  z.strictObject({ type: z.literal('content_block_delta'), index: count, delta }),
  z.strictObject({ type: z.literal('content_block_stop'), index: count }),
  z.strictObject({
    type: z.literal('message_delta'),
    delta: z.strictObject({ stop_reason: stopReason, stop_sequence: z.string().nullable() }),
    usage,
    hadal: hadalExtension,
  }),
  z.strictObject({ type: z.literal('message_stop') }),
  z.strictObject({ type: z.literal('ping') }),
  errorFields,
])

export const countTokensResult: z.ZodType<CountTokensResult> = z.strictObject({
  input_tokens: count,
})
