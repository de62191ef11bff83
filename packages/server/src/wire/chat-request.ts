// A chat request of the wire, normalised: messages, options of the engine, and what the response needs to know.
// Responses and Messages wires make the same ChatCall from their own bodies.
import type { Message } from '@hadal/text'
import type { Core, Ctx } from '../core.ts'
import { invalid } from '../errors.ts'
import type { Job } from '../job.ts'
import type { ResponseFormat, ServedChatOptions, ServedModel } from '../model.ts'
import type {
  AssistantMessage,
  ChatCompletionRequest,
  ChatMessage,
  ChatResponseFormat,
  TextContent,
} from '../protocol/chat.ts'
import { checkChoices, checkLength, given, seedOf, sharedOptions, stopTexts } from './sampling.ts'
import { type ToolOptions, toolOptions } from './tools.ts'

/** A chat, whatever wire it came by. */
export interface ChatCall {
  readonly model: ServedModel
  readonly modelName: string
  readonly messages: readonly Message[]
  /** Without signals and seed, which the job gives. */
  readonly options: ServedChatOptions
  readonly seed?: number | undefined
  readonly choices: number
  readonly parallelToolCalls: boolean
}

/** Checks that the call fits and starts it. */
export function startChat(
  c: Ctx,
  core: Core,
  call: ChatCall,
  { prefix, param }: { prefix: string; param: string } = {
    prefix: 'chatcmpl-',
    param: 'messages',
  },
): Job {
  const { model, messages, seed, choices } = call
  const options = { ...call.options, ...given({ cacheSalt: c.get('cacheSalt') }) }
  checkChoices('n', choices, core.limits.choices)
  const text = (m: Message) => m.content.length + (m.reasoning?.length ?? 0)
  const characters = messages.reduce((sum, message) => sum + text(message), 0)
  checkLength(param, characters, model, core.limits.charactersPerToken)
  if (core.log.level === 'prompts') c.set('prompt', messages)
  return core.start(c, {
    prefix,
    choices,
    oneToolCall: !call.parallelToolCalls,
    start: (choice, signals) =>
      model.chat(messages, { ...options, ...seedOf(seed, choice), ...signals, toolDeltas: true }),
  })
}

export function chatCall(core: Core, body: ChatCompletionRequest): ChatCall {
  const { model, name, thinking: named } = core.resolve(body.model)
  const { messages, prefix } = chatMessages(body.messages)
  const thinking = thinkingOf(body) ?? named
  const budgets = [body.thinking?.budget_tokens, body.max_reasoning_tokens]
  const budget = Math.min(...budgets.map((value) => value ?? Number.POSITIVE_INFINITY))
  const logprobs = body.logprobs ?? false
  if (!logprobs && body.top_logprobs)
    throw invalid('top_logprobs', 'expected logprobs: true beside it')
  const tools = toolsOf(body)
  return {
    model,
    modelName: name,
    messages,
    seed: body.seed ?? undefined,
    choices: body.n ?? 1,
    parallelToolCalls: body.parallel_tool_calls ?? true,
    options: {
      ...sharedOptions(body, model, body.max_completion_tokens ?? body.max_tokens),
      ...given({ thinking, stop: stopTexts(body.stop) }),
      ...(prefix && { prefix }),
      ...(Number.isFinite(budget) && { maxReasoningTokens: budget }),
      ...(logprobs && { partTokens: true, topLogprobs: body.top_logprobs ?? 0 }),
      ...tools,
      ...formatOf(body.response_format),
    },
  }
}

/** The clearest word wins: `thinking`, then the effort, then the template's switch. */
function thinkingOf(body: ChatCompletionRequest): boolean | undefined {
  if (body.thinking) return body.thinking.type === 'enabled'
  if (body.reasoning_effort) return body.reasoning_effort !== 'none'
  const { thinking, enable_thinking } = body.chat_template_kwargs ?? {}
  return thinking ?? enable_thinking ?? undefined
}

function toolsOf({ tools, tool_choice: choice }: ChatCompletionRequest): ToolOptions {
  const chosen = typeof choice === 'object' && choice ? { name: choice.function.name } : choice
  return toolOptions(tools, chosen ?? 'auto', 'tool_choice.function.name')
}

function formatOf(format: ChatResponseFormat | null | undefined): {
  responseFormat?: ResponseFormat
} {
  if (!format || format.type === 'text') return {}
  if (format.type !== 'json_schema') return { responseFormat: format }
  const { schema, name, strict } = format.json_schema
  return { responseFormat: { type: 'json_schema', schema, ...given({ name, strict }) } }
}

/** Several parts are lines of one text. */
export function textOf(content: TextContent | null | undefined): string {
  if (content === null || content === undefined) return ''
  return typeof content === 'string' ? content : content.map((part) => part.text).join('\n')
}

function chatMessages(list: readonly ChatMessage[]): { messages: Message[]; prefix: boolean } {
  const known = new Set<string>()
  const messages = list.map((message, i): Message => {
    const at = `messages[${i}]`
    const name = given({ name: message.name })
    switch (message.role) {
      case 'assistant':
        return assistant(message, at, i === list.length - 1, known)
      case 'tool':
        if (!known.has(message.tool_call_id))
          throw invalid(`${at}.tool_call_id`, 'expected the id of a call in an earlier message')
        return {
          ...{ role: 'tool', content: textOf(message.content), ...name },
          toolCallId: message.tool_call_id,
        }
      case 'developer':
        return { role: 'system', content: textOf(message.content), ...name }
      default:
        return { role: message.role, content: textOf(message.content), ...name }
    }
  })
  const last = list.at(-1)
  const prefix = last?.role === 'assistant' && last.prefix === true
  if (last?.role === 'assistant' && !prefix)
    throw invalid(
      `messages[${list.length - 1}]`,
      'expected a message of the user or of a tool last, or prefix: true on it',
    )
  if (!list.some(({ role }) => role !== 'system' && role !== 'developer'))
    throw invalid('messages', 'expected a message of the user, got those of the system alone')
  return { messages, prefix }
}

function assistant(
  message: AssistantMessage,
  at: string,
  isLast: boolean,
  known: Set<string>,
): Message {
  const calls = message.tool_calls ?? []
  if (message.prefix && !isLast)
    throw invalid(`${at}.prefix`, 'expected it on the last message alone')
  if (message.content === null || message.content === undefined)
    if (calls.length === 0 && !message.prefix)
      throw invalid(`${at}.content`, 'expected text or tool_calls, got neither', 'missing_field')
  for (const { id } of calls) known.add(id)
  return {
    role: 'assistant',
    content: textOf(message.content),
    ...given({ name: message.name, reasoning: message.reasoning_content ?? message.reasoning }),
    ...(calls.length > 0 && {
      toolCalls: calls.map(({ id, function: f }) => ({ id, name: f.name, arguments: f.arguments })),
    }),
  }
}
