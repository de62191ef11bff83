// Schemas of the chat wire. Strict: a field that is not here is refused, because ignoring it could be wrong.
import { z } from 'zod'
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ChatMessage,
  ChatResponseFormat,
  ChatTool,
  ChatToolCall,
  ChoiceLogprobs,
  ControlResult,
} from '../protocol/chat.ts'
import {
  finishReason,
  hadalExtension,
  maybe,
  plainName,
  samplingFields,
  sizes,
  tokenLogprob,
  usage,
} from './common.ts'

const textPart = z.strictObject({
  type: z.literal('text'),
  text: z.string(),
  cache_control: maybe(z.unknown()),
})
const content = z.union([z.string(), z.array(textPart).min(1).max(sizes.contentParts)])
const functionName = z.string().regex(/^[a-zA-Z0-9_.-]{1,64}$/)

/** What clients echo of our answers, and adds nothing. */
const echoed = {
  id: maybe(z.string()),
  refusal: maybe(z.null()),
  annotations: maybe(z.array(z.unknown()).max(0)),
  audio: maybe(z.null()),
  function_call: maybe(z.null()),
  parsed: maybe(z.unknown()),
}

const requestToolCall: z.ZodType<ChatToolCall> = z.strictObject({
  id: z.string().min(1).max(sizes.nameLength),
  type: z.literal('function'),
  function: z.strictObject({
    name: functionName,
    arguments: z.string(),
    parsed_arguments: maybe(z.unknown()),
  }),
  index: maybe(z.int()),
})

const message: z.ZodType<ChatMessage> = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('system'), content, name: maybe(plainName) }),
  z.strictObject({ role: z.literal('developer'), content, name: maybe(plainName) }),
  z.strictObject({ role: z.literal('user'), content, name: maybe(plainName) }),
  z.strictObject({
    role: z.literal('assistant'),
    content: maybe(content),
    name: maybe(plainName),
    reasoning_content: maybe(z.string()),
    reasoning: maybe(z.string()),
    tool_calls: maybe(z.array(requestToolCall).max(sizes.tools)),
    prefix: maybe(z.boolean()),
    ...echoed,
  }),
  z.strictObject({
    role: z.literal('tool'),
    content,
    tool_call_id: z.string().min(1).max(sizes.nameLength),
    name: maybe(plainName),
  }),
])

const jsonObject = z.record(z.string(), z.unknown())

const tool: z.ZodType<ChatTool> = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({
    name: functionName,
    description: maybe(z.string()),
    parameters: maybe(jsonObject),
    strict: maybe(z.boolean()),
  }),
})

const responseFormat: z.ZodType<ChatResponseFormat> = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    json_schema: z.strictObject({
      name: maybe(plainName),
      description: maybe(z.string()),
      schema: jsonObject,
      strict: maybe(z.boolean()),
    }),
  }),
  z.strictObject({ type: z.literal('regex'), pattern: z.string() }),
  z.strictObject({ type: z.literal('choice'), choices: z.array(z.string()).min(1) }),
])

/** Sent by OpenAI's clients; they change no answer, so they are accepted and ignored. */
const ignored = {
  metadata: maybe(jsonObject),
  store: maybe(z.literal(false)),
  service_tier: maybe(z.enum(['auto', 'default'])),
  prompt_cache_key: maybe(z.string()),
  safety_identifier: maybe(z.string()),
  verbosity: maybe(z.literal('medium')),
  modalities: maybe(z.tuple([z.literal('text')])),
  prediction: maybe(z.unknown()),
}

export const chatCompletionRequest: z.ZodType<ChatCompletionRequest> = z.strictObject({
  messages: z.array(message).min(1).max(sizes.messages),
  ...samplingFields,
  max_completion_tokens: maybe(z.int().min(1)),
  logprobs: maybe(z.boolean()),
  top_logprobs: maybe(z.int().min(0).max(20)),
  tools: maybe(z.array(tool).max(sizes.tools)),
  tool_choice: maybe(
    z.union([
      z.enum(['none', 'auto', 'required']),
      z.strictObject({
        type: z.literal('function'),
        function: z.strictObject({ name: functionName }),
      }),
    ]),
  ),
  parallel_tool_calls: maybe(z.boolean()),
  response_format: maybe(responseFormat),
  thinking: maybe(
    z.strictObject({
      type: z.enum(['enabled', 'disabled']),
      budget_tokens: maybe(z.int().min(0)),
    }),
  ),
  reasoning_effort: maybe(z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'])),
  max_reasoning_tokens: maybe(z.int().min(0)),
  chat_template_kwargs: maybe(
    z.strictObject({ thinking: maybe(z.boolean()), enable_thinking: maybe(z.boolean()) }),
  ),
  ...ignored,
})

const logprobs: z.ZodType<ChoiceLogprobs> = z.strictObject({
  content: z.array(tokenLogprob).nullable(),
  reasoning_content: z.array(tokenLogprob).nullable(),
})

const head = {
  id: z.string(),
  created: z.int(),
  model: z.string(),
  system_fingerprint: z.string(),
}

const toolCall: z.ZodType<ChatToolCall> = z.strictObject({
  id: z.string().regex(/^call_/),
  type: z.literal('function'),
  function: z.strictObject({ name: z.string(), arguments: z.string() }),
})

export const chatCompletion: z.ZodType<ChatCompletion> = z.strictObject({
  ...head,
  object: z.literal('chat.completion'),
  choices: z
    .array(
      z.strictObject({
        index: z.int().min(0),
        message: z.strictObject({
          role: z.literal('assistant'),
          content: z.string(),
          reasoning_content: z.string().optional(),
          tool_calls: z.array(toolCall).min(1).optional(),
        }),
        logprobs: logprobs.nullable(),
        finish_reason: finishReason,
      }),
    )
    .min(1),
  usage,
  hadal: hadalExtension,
})

const delta = z.strictObject({
  role: z.literal('assistant').optional(),
  content: z.string().nullable().optional(),
  reasoning_content: z.string().nullable().optional(),
  tool_calls: z
    .array(
      z.strictObject({
        index: z.int().min(0),
        id: z
          .string()
          .regex(/^call_/)
          .optional(),
        type: z.literal('function').optional(),
        function: z.strictObject({ name: z.string().optional(), arguments: z.string() }),
      }),
    )
    .min(1)
    .optional(),
})

export const chatCompletionChunk: z.ZodType<ChatCompletionChunk> = z.strictObject({
  ...head,
  object: z.literal('chat.completion.chunk'),
  choices: z.array(
    z.strictObject({
      index: z.int().min(0),
      delta,
      logprobs: logprobs.nullable(),
      finish_reason: finishReason.nullable(),
    }),
  ),
  usage: usage.nullable().optional(),
  hadal: hadalExtension.optional(),
})

export const controlResult: z.ZodType<ControlResult> = z.strictObject({
  id: z.string(),
  object: z.literal('chat.completion.control'),
  action: z.enum(['end_thinking', 'cancel']),
})
