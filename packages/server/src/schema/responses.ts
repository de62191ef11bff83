// What a request of the Responses wire may hold. Strict, as everywhere.
import { z } from 'zod'
import type {
  FunctionTool,
  InputItem,
  ResponsesRequest,
  TextFormat,
} from '../protocol/responses.ts'
import { maybe, plainName, samplingFields, sizes } from './common.ts'

const jsonObject = z.record(z.string(), z.unknown())
const functionName = z.string().regex(/^[a-zA-Z0-9_.-]{1,64}$/)
const callId = z.string().min(1).max(sizes.nameLength)

/** What clients echo of our items, and adds nothing. */
const echoed = {
  id: maybe(plainName),
  status: maybe(z.enum(['in_progress', 'completed', 'incomplete'])),
}

const textPart = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('input_text'), text: z.string() }),
  z.strictObject({ type: z.literal('text'), text: z.string() }),
  z.strictObject({
    type: z.literal('output_text'),
    text: z.string(),
    annotations: maybe(z.array(z.unknown()).max(0)),
    logprobs: maybe(z.array(z.unknown())),
    parsed: maybe(z.unknown()),
  }),
])
const content = z.union([z.string(), z.array(textPart).max(sizes.contentParts)])

const item: z.ZodType<InputItem> = z.union([
  z.strictObject({
    ...echoed,
    type: maybe(z.literal('message')),
    role: z.enum(['user', 'system', 'developer', 'assistant']),
    content,
    phase: maybe(z.enum(['commentary', 'final_answer'])),
  }),
  z.strictObject({
    ...echoed,
    type: z.literal('reasoning'),
    summary: maybe(z.array(z.strictObject({ type: z.literal('summary_text'), text: z.string() }))),
    content: maybe(
      z
        .array(z.strictObject({ type: z.literal('reasoning_text'), text: z.string() }))
        .max(sizes.contentParts),
    ),
    encrypted_content: maybe(z.string()),
  }),
  z.strictObject({
    ...echoed,
    type: z.literal('function_call'),
    call_id: callId,
    name: functionName,
    arguments: z.string(),
    parsed_arguments: maybe(z.unknown()),
  }),
  z.strictObject({
    ...echoed,
    type: z.literal('function_call_output'),
    call_id: callId,
    output: content,
  }),
])

export const functionTool: z.ZodType<FunctionTool> = z.strictObject({
  type: z.literal('function'),
  name: functionName,
  description: maybe(z.string()),
  parameters: maybe(jsonObject),
  strict: maybe(z.boolean()),
})

export const textFormat: z.ZodType<TextFormat> = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    name: plainName,
    description: maybe(z.string()),
    schema: jsonObject,
    strict: maybe(z.boolean()),
  }),
])

export const toolChoice: z.ZodType<NonNullable<ResponsesRequest['tool_choice']>> = z.union([
  z.enum(['none', 'auto', 'required']),
  z.strictObject({ type: z.literal('function'), name: functionName }),
])

export const effort: z.ZodEnum<{
  [K in 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max']: K
}> = z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'])

const { n: _n, max_tokens: _m, stream_options: _s, ...sampling } = samplingFields

/** Sent by OpenAI's clients; they change no answer. */
const ignored = {
  stream_options: maybe(z.strictObject({ include_obfuscation: maybe(z.boolean()) })),
  service_tier: maybe(z.enum(['auto', 'default'])),
  prompt_cache_retention: maybe(z.string()),
  truncation: maybe(z.literal('disabled')),
  background: maybe(z.literal(false)),
  conversation: maybe(z.null()),
  prompt: maybe(z.null()),
}

const summary = maybe(z.enum(['auto', 'concise', 'detailed']))

export const responsesRequest: z.ZodType<ResponsesRequest> = z.strictObject({
  input: z.union([z.string(), z.array(item).min(1).max(sizes.messages)]),
  instructions: maybe(z.string()),
  ...sampling,
  max_output_tokens: maybe(z.int().min(1)),
  reasoning: maybe(z.strictObject({ effort: maybe(effort), summary, generate_summary: summary })),
  text: maybe(z.strictObject({ format: maybe(textFormat), verbosity: maybe(z.literal('medium')) })),
  tools: maybe(z.array(functionTool).max(sizes.tools)),
  tool_choice: maybe(toolChoice),
  parallel_tool_calls: maybe(z.boolean()),
  top_logprobs: maybe(z.int().min(0).max(20)),
  include: maybe(
    z.array(z.enum(['message.output_text.logprobs', 'reasoning.encrypted_content'])).max(16),
  ),
  store: maybe(z.boolean()),
  previous_response_id: maybe(plainName),
  metadata: maybe(z.record(z.string().max(64), z.string().max(512))),
  safety_identifier: maybe(z.string()),
  prompt_cache_key: maybe(z.string()),
  max_tool_calls: maybe(z.int().min(1)),
  ...ignored,
})
