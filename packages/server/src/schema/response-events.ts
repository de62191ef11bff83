// What the Responses wire answers: the response, its items, and every event of a stream.
import { z } from 'zod'
import type {
  OutputItem,
  ResponseDeleted,
  ResponseEvent,
  ResponseResource,
} from '../protocol/responses.ts'
import { hadalExtension, tokenLogprob } from './common.ts'
import { effort, functionTool, textFormat, toolChoice } from './responses.ts'

const count = z.int().min(0)
const status = z.enum(['in_progress', 'completed', 'incomplete'])
const never = z.array(z.never()).max(0)

const reasoningText = z.strictObject({ type: z.literal('reasoning_text'), text: z.string() })
const outputText = z.strictObject({
  type: z.literal('output_text'),
  text: z.string(),
  annotations: never,
  logprobs: z.array(tokenLogprob),
})

const outputItem: z.ZodType<OutputItem> = z.discriminatedUnion('type', [
  z.strictObject({
    id: z.string().regex(/^rs_/),
    type: z.literal('reasoning'),
    status,
    summary: never,
    content: z.array(reasoningText),
  }),
  z.strictObject({
    id: z.string().regex(/^msg_/),
    type: z.literal('message'),
    role: z.literal('assistant'),
    status,
    content: z.array(outputText),
  }),
  z.strictObject({
    id: z.string().regex(/^fc_/),
    type: z.literal('function_call'),
    status,
    call_id: z.string().regex(/^call_/),
    name: z.string(),
    arguments: z.string(),
  }),
])

const usage = z.strictObject({
  input_tokens: count,
  input_tokens_details: z.strictObject({ cached_tokens: count }),
  output_tokens: count,
  output_tokens_details: z.strictObject({ reasoning_tokens: count }),
  total_tokens: count,
})

export const responseResource: z.ZodType<ResponseResource> = z.strictObject({
  id: z.string().regex(/^resp_[0-9a-f]{32}$/),
  object: z.literal('response'),
  created_at: z.int(),
  completed_at: z.int().nullable(),
  status: z.enum(['in_progress', 'completed', 'incomplete', 'failed', 'cancelled']),
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  incomplete_details: z.strictObject({ reason: z.literal('max_output_tokens') }).nullable(),
  model: z.string(),
  previous_response_id: z.string().nullable(),
  instructions: z.string().nullable(),
  output: z.array(outputItem),
  usage: usage.nullable(),
  tools: z.array(functionTool),
  tool_choice: toolChoice,
  parallel_tool_calls: z.boolean(),
  reasoning: z.strictObject({ effort: effort.nullable(), summary: z.null() }),
  text: z.strictObject({ format: textFormat }),
  temperature: z.number(),
  top_p: z.number(),
  presence_penalty: z.number(),
  frequency_penalty: z.number(),
  top_logprobs: count,
  max_output_tokens: z.int().nullable(),
  max_tool_calls: z.int().nullable(),
  truncation: z.literal('disabled'),
  store: z.boolean(),
  background: z.literal(false),
  service_tier: z.literal('default'),
  metadata: z.record(z.string(), z.string()),
  user: z.string().nullable(),
  safety_identifier: z.string().nullable(),
  prompt_cache_key: z.string().nullable(),
  hadal: hadalExtension.optional(),
})

const numbered = { sequence_number: count }
const ofItem = { ...numbered, item_id: z.string(), output_index: count }
const ofContent = { ...ofItem, content_index: count }
const logprobs = z.array(tokenLogprob)

export const responseEvent: z.ZodType<ResponseEvent> = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.enum([
      'response.created',
      'response.in_progress',
      'response.completed',
      'response.incomplete',
      'response.failed',
    ]),
    ...numbered,
    response: responseResource,
  }),
  z.strictObject({
    type: z.enum(['response.output_item.added', 'response.output_item.done']),
    ...numbered,
    output_index: count,
    item: outputItem,
  }),
  z.strictObject({
    type: z.enum(['response.content_part.added', 'response.content_part.done']),
    ...ofContent,
    part: z.discriminatedUnion('type', [outputText, reasoningText]),
  }),
  z.strictObject({
    type: z.literal('response.output_text.delta'),
    ...ofContent,
    delta: z.string(),
    logprobs,
  }),
  z.strictObject({
    type: z.literal('response.output_text.done'),
    ...ofContent,
    text: z.string(),
    logprobs,
  }),
  z.strictObject({
    type: z.literal('response.reasoning_text.delta'),
    ...ofContent,
    delta: z.string(),
  }),
  z.strictObject({
    type: z.literal('response.reasoning_text.done'),
    ...ofContent,
    text: z.string(),
  }),
  z.strictObject({
    type: z.literal('response.function_call_arguments.delta'),
    ...ofItem,
    delta: z.string(),
  }),
  z.strictObject({
    type: z.literal('response.function_call_arguments.done'),
    ...ofItem,
    name: z.string(),
    arguments: z.string(),
  }),
])

export const responseDeleted: z.ZodType<ResponseDeleted> = z.strictObject({
  id: z.string(),
  object: z.literal('response.deleted'),
  deleted: z.literal(true),
})
