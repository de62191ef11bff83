// A request of Anthropic's wire to a ChatCall. A message of the user with results of tools becomes a message for each
// of them, then one of its words. An assistant's message last is the beginning of the answer.
import type { Message } from '@hadal/text'
import type { Core } from '../core.ts'
import { ApiError, invalid } from '../errors.ts'
import type { ServedModel, ToolChoice } from '../model.ts'
import type { ChatTool } from '../protocol/chat.ts'
import type {
  ContentBlockParam,
  CountTokensRequest,
  MessageParam,
  MessagesRequest,
  MessagesTool,
  TextBlockParam,
} from '../protocol/messages.ts'
import type { ChatCall } from './chat-request.ts'
import { given } from './sampling.ts'
import { type ToolOptions, toolOptions } from './tools.ts'

export interface MessagesCall extends ChatCall {
  /** Leave the text of the thinking out. */
  readonly omitThinking: boolean
}

/** What shapes the prompt: of a request, or of one that wants it counted. */
interface Prompt {
  readonly model: ServedModel
  readonly name: string
  readonly messages: readonly Message[]
  readonly thinking: boolean | undefined
  readonly prefix: boolean
  readonly tools: ToolOptions
}

function promptOf(core: Core, body: CountTokensRequest): Prompt {
  const { model, name, thinking: named } = core.resolve(body.model)
  const system = textOf(body.system)
  const turns = chatMessages(body.messages)
  const prefix = turns.at(-1)?.role === 'assistant'
  return {
    ...{ model, name, prefix },
    messages: system === '' ? turns : [{ role: 'system', content: system }, ...turns],
    thinking: body.thinking ? body.thinking.type !== 'disabled' : named,
    tools: toolOptions(body.tools?.map(chatTool), choiceOf(body), 'tool_choice.name'),
  }
}

export function messagesCall(core: Core, body: MessagesRequest): MessagesCall {
  const { model, name, messages, thinking, prefix, tools } = promptOf(core, body)
  const stop = body.stop_sequences?.length ? body.stop_sequences : undefined
  const { budget_tokens: budget, display } = body.thinking ?? {}
  const format = body.output_config?.format
  const choice = body.tool_choice
  const disabled =
    choice && 'disable_parallel_tool_use' in choice && choice.disable_parallel_tool_use
  return {
    ...{ model, modelName: name, messages, choices: 1 },
    parallelToolCalls: !disabled,
    omitThinking: display === 'omitted',
    options: {
      ...given({ temperature: body.temperature, topP: body.top_p, topK: body.top_k }),
      ...given({ thinking, stop, maxReasoningTokens: thinking ? budget : undefined }),
      maxTokens: body.max_tokens,
      ...(prefix && { prefix }),
      ...tools,
      ...(format && { responseFormat: { type: 'json_schema', schema: format.schema } as const }),
    },
  }
}

/** Tokens of the prompt; undefined when the model cannot say without answering. */
export function promptTokens({ model, messages, options }: ChatCall): number | undefined {
  const { tools, thinking, prefix } = options
  return model.countTokens?.(messages, given({ tools, thinking, prefix }))
}

export function countTokens(core: Core, body: CountTokensRequest): number {
  const { model, messages, thinking, prefix, tools } = promptOf(core, body)
  const count = model.countTokens?.(messages, {
    ...given({ thinking, tools: tools.tools }),
    ...(prefix && { prefix }),
  })
  if (count !== undefined) return count
  throw new ApiError({
    status: 501,
    message: 'this model cannot count tokens without answering',
    code: 'not_supported',
  })
}

function chatTool({ name, description, input_schema, strict }: MessagesTool): ChatTool {
  const more = given({ description, strict })
  return { type: 'function', function: { name, parameters: input_schema, ...more } }
}

function choiceOf({ tool_choice: choice }: CountTokensRequest): ToolChoice {
  if (!choice) return 'auto'
  if (choice.type === 'tool') return { name: choice.name }
  return choice.type === 'any' ? 'required' : choice.type
}

function textOf(content: string | readonly TextBlockParam[] | null | undefined): string {
  if (typeof content === 'string') return content
  return (content ?? []).map((block) => block.text).join('\n')
}

function chatMessages(list: readonly MessageParam[]): Message[] {
  const known = new Set<string>()
  const messages = list.flatMap(({ role, content }, i) => {
    const at = `messages[${i}].content`
    if (typeof content === 'string') return [{ role, content }]
    checkBlocks(role, content, at)
    return role === 'assistant' ? assistant(content, known) : others(role, content, at, known)
  })
  if (!messages.some(({ role }) => role !== 'system'))
    throw invalid('messages', 'expected a message of the user, got those of the system alone')
  const last = messages.at(-1)
  if (last?.role === 'assistant' && last.toolCalls)
    throw invalid(`messages[${list.length - 1}]`, 'expected results of its tool_use after it')
  return messages
}

const blocksOf: Readonly<Record<MessageParam['role'], readonly ContentBlockParam['type'][]>> = {
  system: ['text'],
  user: ['text', 'tool_result'],
  assistant: ['text', 'thinking', 'redacted_thinking', 'tool_use'],
}

function checkBlocks(
  role: MessageParam['role'],
  blocks: readonly ContentBlockParam[],
  at: string,
): void {
  const wrong = blocks.findIndex(({ type }) => !blocksOf[role].includes(type))
  if (wrong < 0) return
  const names = blocksOf[role].map((name) => JSON.stringify(name)).join(', ')
  const got = JSON.stringify(blocks[wrong]?.type)
  throw invalid(`${at}[${wrong}].type`, `expected one of ${names} of the ${role}, got ${got}`)
}

function assistant(blocks: readonly ContentBlockParam[], known: Set<string>): Message[] {
  const thoughts = blocks.flatMap((block) => (block.type === 'thinking' ? block.thinking : []))
  const reasoning = thoughts.filter((text) => text !== '').join('\n')
  const calls = blocks.flatMap((block) => {
    if (block.type !== 'tool_use') return []
    known.add(block.id)
    return { id: block.id, name: block.name, arguments: JSON.stringify(block.input) }
  })
  return [
    {
      ...{
        role: 'assistant',
        content: blocks.map((b) => (b.type === 'text' ? b.text : '')).join(''),
      },
      ...(reasoning !== '' && { reasoning }),
      ...(calls.length > 0 && { toolCalls: calls }),
    },
  ]
}

function others(
  role: 'user' | 'system',
  blocks: readonly ContentBlockParam[],
  at: string,
  known: Set<string>,
): Message[] {
  const results = blocks.flatMap((block, j): Message[] => {
    if (block.type !== 'tool_result') return []
    if (!known.has(block.tool_use_id))
      throw invalid(`${at}[${j}].tool_use_id`, 'expected the id of a tool_use before it')
    return [{ role: 'tool', content: textOf(block.content), toolCallId: block.tool_use_id }]
  })
  const texts = blocks.flatMap((block) => (block.type === 'text' ? block : []))
  if (texts.length === 0 && results.length > 0) return results
  return [...results, { role, content: textOf(texts) }]
}
