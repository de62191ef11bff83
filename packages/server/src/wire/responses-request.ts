// A request of the Responses wire to a ChatCall. Its items are flat: thinking, words and calls that follow each other
// are one turn of the assistant.
import type { Message, ToolCall } from '@hadal/text'
import type { Core } from '../core.ts'
import { ApiError, invalid } from '../errors.ts'
import type { ResponseFormat } from '../model.ts'
import type { ChatTool } from '../protocol/chat.ts'
import type {
  FunctionTool,
  InputContent,
  InputItem,
  ResponsesRequest,
  TextFormat,
} from '../protocol/responses.ts'
import type { ChatCall } from './chat-request.ts'
import { given, sharedOptions, stopTexts } from './sampling.ts'
import { toolOptions } from './tools.ts'

/** A ChatCall, and the conversation that a later response goes on from. */
export interface ResponsesCall extends ChatCall {
  readonly body: ResponsesRequest
  /** Without the instructions, which are not inherited. */
  readonly conversation: readonly Message[]
  readonly logprobs: boolean
}

export function responsesCall(core: Core, body: ResponsesRequest): ResponsesCall {
  const { model, name, thinking: named } = core.resolve(body.model)
  const conversation = [...earlier(core, body), ...inputMessages(body.input)]
  checkTurns(conversation)
  const logprobs = body.include?.includes('message.output_text.logprobs') ?? false
  if (!logprobs && body.top_logprobs)
    throw invalid('top_logprobs', 'expected include: ["message.output_text.logprobs"] beside it')
  const effort = body.reasoning?.effort
  const choice = body.tool_choice ?? 'auto'
  const chosen = typeof choice === 'object' ? { name: choice.name } : choice
  return {
    ...{ model, modelName: name, body, conversation, logprobs, choices: 1 },
    messages: [...instructions(body), ...conversation],
    seed: body.seed ?? undefined,
    parallelToolCalls: body.parallel_tool_calls ?? true,
    options: {
      ...sharedOptions(body, model, body.max_output_tokens),
      ...given({ thinking: effort ? effort !== 'none' : named, stop: stopTexts(body.stop) }),
      ...(logprobs && { partTokens: true, topLogprobs: body.top_logprobs ?? 0 }),
      ...toolOptions(body.tools?.map(chatTool), chosen, 'tool_choice.name'),
      ...formatOf(body.text?.format),
    },
  }
}

const instructions = ({ instructions }: ResponsesRequest): Message[] =>
  instructions ? [{ role: 'system', content: instructions }] : []

/** The conversation up to the response that this one goes on from. */
function earlier(core: Core, { previous_response_id: id }: ResponsesRequest): readonly Message[] {
  if (!id) return []
  const stored = core.responses.get(id)
  if (stored) return stored.conversation
  throw new ApiError({
    status: 400,
    message: `previous_response_id: no response of this id is in memory (never stored, deleted, or gone to make room); send the whole conversation as input`,
    param: 'previous_response_id',
    code: 'previous_response_not_found',
  })
}

function chatTool({ name, description, parameters, strict }: FunctionTool): ChatTool {
  return { type: 'function', function: { name, ...given({ description, parameters, strict }) } }
}

function formatOf(format: TextFormat | null | undefined): { responseFormat?: ResponseFormat } {
  if (!format || format.type === 'text') return {}
  if (format.type === 'json_object') return { responseFormat: format }
  const { schema, name, strict } = format
  return { responseFormat: { type: 'json_schema', schema, name, ...given({ strict }) } }
}

function textOf(content: InputContent): string {
  return typeof content === 'string' ? content : content.map((part) => part.text).join('\n')
}

/** The assistant's turn that is being put together. */
class Turn {
  #reasoning: string[] = []
  #texts: string[] = []
  #calls: ToolCall[] = []

  reason(text: string): void {
    if (text !== '') this.#reasoning.push(text)
  }

  say(text: string): void {
    this.#texts.push(text)
  }

  call(call: ToolCall): void {
    this.#calls.push(call)
  }

  /** The turn as a message; nothing when it is empty. Begins the next. */
  take(): Message[] {
    const [reasoning, texts, calls] = [this.#reasoning, this.#texts, this.#calls]
    if (reasoning.length + texts.length + calls.length === 0) return []
    this.#reasoning = []
    this.#texts = []
    this.#calls = []
    return [
      {
        ...{ role: 'assistant', content: texts.join('\n') },
        ...(reasoning.length > 0 && { reasoning: reasoning.join('\n') }),
        ...(calls.length > 0 && { toolCalls: calls }),
      },
    ]
  }
}

function inputMessages(input: ResponsesRequest['input']): readonly Message[] {
  if (typeof input === 'string') return [{ role: 'user', content: input }]
  const messages: Message[] = []
  const turn = new Turn()
  for (const item of input) {
    if (addToTurn(turn, item)) continue
    messages.push(...turn.take())
    const { type } = item
    if (type === 'function_call_output')
      messages.push({ role: 'tool', content: textOf(item.output), toolCallId: item.call_id })
    else if (type === 'message' || !type) {
      const role = item.role === 'developer' ? 'system' : item.role
      messages.push({ role, content: textOf(item.content) })
    }
  }
  return [...messages, ...turn.take()]
}

/** Whether the item is one of the assistant's. */
function addToTurn(turn: Turn, item: InputItem): boolean {
  if (item.type === 'reasoning')
    turn.reason((item.content ?? []).map((part) => part.text).join('\n'))
  else if (item.type === 'function_call')
    turn.call({ id: item.call_id, name: item.name, arguments: item.arguments })
  else if (item.type !== 'function_call_output' && item.role === 'assistant')
    turn.say(textOf(item.content))
  else return false
  return true
}

/** Outputs belong to calls, calls have their outputs, and somebody else spoke last. */
function checkTurns(conversation: readonly Message[]): void {
  const open = new Set<string>()
  const known = new Set<string>()
  for (const message of conversation) {
    if (message.role === 'tool') {
      const id = message.toolCallId as string
      if (!known.has(id))
        throw invalid('input', `expected the call of every output, got an output of ${id} alone`)
      open.delete(id)
    }
    for (const { id } of message.toolCalls ?? []) {
      known.add(id)
      open.add(id)
    }
  }
  const [waiting] = open
  if (waiting !== undefined)
    throw invalid('input', `expected the output of every call, got none of ${waiting}`)
  if (conversation.at(-1)?.role === 'assistant')
    throw invalid('input', 'expected a message of the user or an output last, got the assistant’s')
  if (!conversation.some(({ role }) => role !== 'system'))
    throw invalid('input', 'expected a message of the user, got those of the system alone')
}
