// A job's events to DeepSeek's chat wire: chunks, or the whole. Reasoning and answer are apart, tool calls come in
// pieces, one chunk ends each choice, usage is last.
import { randomBytes } from 'node:crypto'
import type { Core } from '../core.ts'
import type { Job, JobEvent } from '../job.ts'
import type { ServedFinish, ServedPart } from '../model.ts'
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatDelta,
  ChatToolCall,
  ChoiceLogprobs,
} from '../protocol/chat.ts'
import type { FinishReason, TokenLogprob } from '../protocol/common.ts'
import type { ChatCall } from './chat-request.ts'
import { TextTokens, tokenLogprobs } from './logprobs.ts'
import { extensionOf, usageOf } from './usage.ts'

export const newCallId = (): string => `call_${randomBytes(12).toString('hex')}`

export function finishReason(job: Job, finish: ServedFinish, calls: number): FinishReason {
  if (job.stopped === 'shutdown' || job.stopped === 'timeout') return 'insufficient_system_resource'
  if (finish.reason === 'length' || finish.reason === 'context') return 'length'
  return calls > 0 ? 'tool_calls' : 'stop'
}

/** What one choice has said so far. */
class Choice {
  /** Ids of its tool calls, by their number. */
  readonly callIds: string[] = []
  readonly tokens: TextTokens
  begun = false
  thought = false

  constructor(tokens: TextTokens) {
    this.tokens = tokens
  }

  /** The delta of a part; undefined: nothing for the wire. */
  delta(part: ServedPart): ChatDelta | undefined {
    switch (part.type) {
      case 'reasoning':
        this.thought = true
        return { content: null, reasoning_content: part.text }
      case 'text':
        return { content: part.text, ...(this.thought && { reasoning_content: null }) }
      case 'tool-call-delta': {
        const { index, name, text } = part
        const known = this.callIds[index] !== undefined
        if (known && text === '') return undefined
        this.callIds[index] ??= newCallId()
        const head = known ? {} : { id: this.callIds[index], type: 'function' as const }
        const call = { index, ...head, function: { ...(!known && { name }), arguments: text } }
        return { tool_calls: [call] }
      }
      default:
        return undefined // its pieces went out before it
    }
  }

  /** DeepSeek's first delta: the role, and which of the two texts begins. */
  opening(part: ServedPart | undefined): ChatDelta {
    this.begun = true
    return part?.type === 'reasoning'
      ? { role: 'assistant', content: null, reasoning_content: '' }
      : { role: 'assistant', content: '' }
  }

  closing(): ChatDelta {
    return { content: '', ...(this.thought && { reasoning_content: null }) }
  }
}

export function logprobsOf(
  call: ChatCall,
  own: TextTokens,
  part: ServedPart,
): ChoiceLogprobs | null {
  if (!call.options.partTokens) return null
  if (part.type !== 'text' && part.type !== 'reasoning') return null
  const list = tokenLogprobs(call.model.tokenizer, own.of(part))
  return part.type === 'text'
    ? { content: list, reasoning_content: null }
    : { content: null, reasoning_content: list }
}

export const textTokens = ({ model, options }: ChatCall): TextTokens =>
  new TextTokens(model.tokenizer, options.prefix ?? false)

export async function* chatChunks(
  core: Core,
  job: Job,
  call: ChatCall,
  includeUsage: boolean,
): AsyncGenerator<ChatCompletionChunk, void, void> {
  const choices = Array.from({ length: call.choices }, () => new Choice(textTokens(call)))
  const head = {
    id: job.id,
    object: 'chat.completion.chunk' as const,
    created: job.created,
    model: call.modelName,
    system_fingerprint: core.fingerprint,
  }
  const chunk = (
    index: number,
    delta: ChatDelta,
    logprobs: ChoiceLogprobs | null = null,
    finish_reason: FinishReason | null = null,
  ): ChatCompletionChunk => ({
    ...head,
    choices: [{ index, delta, logprobs, finish_reason }],
    ...(includeUsage && { usage: null }),
  })
  let open = call.choices
  for await (const { choice: index, part, finish } of job.events()) {
    const choice = choices[index] as Choice
    if (!choice.begun) yield chunk(index, choice.opening(part))
    if (part) {
      const delta = choice.delta(part)
      if (delta) yield chunk(index, delta, logprobsOf(call, choice.tokens, part))
    }
    if (!finish) continue
    open--
    const reason = finishReason(job, finish, choice.callIds.length)
    const end = chunk(index, choice.closing(), null, reason)
    const last = open === 0 && !includeUsage
    yield last ? { ...end, hadal: extensionOf(job, core.options.prices) } : end
  }
  if (includeUsage)
    yield {
      ...head,
      choices: [],
      usage: usageOf(job.tokens),
      hadal: extensionOf(job, core.options.prices),
    }
}

interface Whole {
  readonly tokens: TextTokens
  text: string
  reasoning: string
  calls: ChatToolCall[]
  content: TokenLogprob[]
  thoughts: TokenLogprob[]
  reason: FinishReason
}

/** Adds one event to what a choice has said. */
function fold(call: ChatCall, job: Job, whole: Whole, { part, finish }: JobEvent): void {
  if (finish) whole.reason = finishReason(job, finish, whole.calls.length)
  if (!part) return
  const logprobs = logprobsOf(call, whole.tokens, part)
  if (logprobs?.content) whole.content.push(...logprobs.content)
  if (logprobs?.reasoning_content) whole.thoughts.push(...logprobs.reasoning_content)
  if (part.type === 'text') whole.text += part.text
  else if (part.type === 'reasoning') whole.reasoning += part.text
  else if (part.type === 'tool-call-delta') {
    const { index, name, text } = part
    const before = whole.calls[index]
    const args = (before?.function.arguments ?? '') + text
    const id = before?.id ?? newCallId()
    whole.calls[index] = { id, type: 'function', function: { name, arguments: args } }
  }
}

export async function chatCompletion(
  core: Core,
  job: Job,
  call: ChatCall,
): Promise<ChatCompletion> {
  const wholes = Array.from(
    { length: call.choices },
    (): Whole => ({
      tokens: textTokens(call),
      ...{ text: '', reasoning: '', calls: [], content: [], thoughts: [], reason: 'stop' },
    }),
  )
  for await (const event of job.events()) fold(call, job, wholes[event.choice] as Whole, event)
  return {
    id: job.id,
    object: 'chat.completion',
    created: job.created,
    model: call.modelName,
    system_fingerprint: core.fingerprint,
    choices: wholes.map((whole, index) => ({
      index,
      message: {
        role: 'assistant',
        content: whole.text,
        ...(whole.reasoning !== '' && { reasoning_content: whole.reasoning }),
        ...(whole.calls.length > 0 && { tool_calls: whole.calls }),
      },
      logprobs: call.options.partTokens
        ? {
            content: whole.content,
            reasoning_content: whole.reasoning === '' ? null : whole.thoughts,
          }
        : null,
      finish_reason: whole.reason,
    })),
    usage: usageOf(job.tokens),
    hadal: extensionOf(job, core.options.prices),
  }
}
