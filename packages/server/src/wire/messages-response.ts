// A job's events to Anthropic's wire: blocks of thinking, text and calls, in events or whole.
import { createHash } from 'node:crypto'
import type { Core } from '../core.ts'
import { type Job, type JobEvent, newId } from '../job.ts'
import type { ServedFinish, ServedPart } from '../model.ts'
import type {
  AnthropicMessage,
  BlockDelta,
  ContentBlock,
  MessageEvent,
  MessagesUsage,
  StopReason,
} from '../protocol/messages.ts'
import { folded } from '../respond.ts'
import { type MessagesCall, promptTokens } from './messages-request.ts'
import { extensionOf, type Tokens } from './usage.ts'

function usageOf({ prompt, cached, completion, reasoning }: Tokens): MessagesUsage {
  return {
    input_tokens: prompt - cached,
    cache_read_input_tokens: cached,
    cache_creation_input_tokens: 0,
    output_tokens: completion,
    output_tokens_details: { thinking_tokens: reasoning },
  }
}

function stopReason(job: Job, finish: ServedFinish, calls: number): StopReason {
  // What was said so far can be sent back as it is, and the answer goes on from there.
  if (job.stopped === 'shutdown' || job.stopped === 'timeout') return 'pause_turn'
  if (finish.reason === 'length') return 'max_tokens'
  if (finish.reason === 'context') return 'model_context_window_exceeded'
  if (finish.stopText !== undefined) return 'stop_sequence'
  return calls > 0 ? 'tool_use' : 'end_turn'
}

/** Clients drop thinking without a signature when they send it back. Nothing is proved by it. */
const signatureOf = (thinking: string): string =>
  createHash('sha256').update(thinking).digest('base64')

/** A call's arguments; what is no object, because the model was cut off or wrong, gives an empty one. */
function inputOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
  } catch {
    return {}
  }
}

interface Open {
  readonly type: ContentBlock['type']
  readonly call: number | undefined
  readonly id: string
  readonly name: string
  text: string
}

/** One message while it is being made. */
class Making {
  readonly #core: Core
  readonly #job: Job
  readonly #call: MessagesCall
  readonly #blocks: ContentBlock[] = []
  #open: Open | undefined
  /** Set once it has ended. */
  message: AnthropicMessage

  constructor(core: Core, job: Job, call: MessagesCall) {
    this.#core = core
    this.#job = job
    this.#call = call
    const usage = usageOf({ prompt: 0, cached: 0, completion: 0, reasoning: 0 })
    this.message = {
      ...{ id: job.id, type: 'message', role: 'assistant', model: call.modelName, content: [] },
      ...{ stop_reason: null, stop_sequence: null, usage },
    }
  }

  *start(): Generator<MessageEvent, void, void> {
    const { usage } = this.message
    // How much of it is cached is known at the end, when the counts are said again.
    const counted = { ...usage, input_tokens: promptTokens(this.#call) ?? 0 }
    yield { type: 'message_start', message: { ...this.message, usage: counted } }
    yield { type: 'ping' }
  }

  *fold({ part, finish }: JobEvent): Generator<MessageEvent, void, void> {
    if (part) yield* this.#add(part)
    if (finish) yield* this.#end(finish)
  }

  *#add(part: ServedPart): Generator<MessageEvent, void, void> {
    if (part.type === 'tool-call') return // its pieces came before it
    const isCall = part.type === 'tool-call-delta'
    const type = isCall ? 'tool_use' : part.type === 'reasoning' ? 'thinking' : 'text'
    const call = isCall ? part.index : undefined
    if (this.#open?.type !== type || this.#open.call !== call) {
      yield* this.#close()
      const name = isCall ? part.name : ''
      this.#open = { type, call, id: newId('toolu_'), name, text: '' }
      const content_block = this.#block({ ...this.#open }, true)
      yield { type: 'content_block_start', index: this.#blocks.length, content_block }
    }
    const open = this.#open as Open
    open.text += part.text
    const silent = type === 'thinking' && this.#call.omitThinking
    if (part.text !== '' && !silent) yield this.#delta(deltaOf(type, part.text))
  }

  #delta(delta: BlockDelta): MessageEvent {
    return { type: 'content_block_delta', index: this.#blocks.length, delta }
  }

  #block({ type, id, name, text }: Open, begins: boolean): ContentBlock {
    if (type === 'text') return { type, text, citations: null }
    if (type === 'tool_use') return { type, id, name, input: inputOf(text) }
    const thinking = this.#call.omitThinking ? '' : text
    return { type, thinking, signature: begins ? '' : signatureOf(text) }
  }

  *#close(): Generator<MessageEvent, void, void> {
    const open = this.#open
    if (!open) return
    const block = this.#block(open, false)
    if (block.type === 'thinking')
      yield this.#delta({ type: 'signature_delta', signature: block.signature })
    yield { type: 'content_block_stop', index: this.#blocks.length }
    this.#blocks.push(block)
    this.#open = undefined
  }

  *#end(finish: ServedFinish): Generator<MessageEvent, void, void> {
    yield* this.#close()
    const calls = this.#blocks.filter(({ type }) => type === 'tool_use').length
    const stop_reason = stopReason(this.#job, finish, calls)
    const stop_sequence = stop_reason === 'stop_sequence' ? (finish.stopText ?? null) : null
    const usage = usageOf(this.#job.tokens)
    const hadal = extensionOf(this.#job, this.#core.options.prices)
    this.message = {
      ...this.message,
      content: this.#blocks,
      stop_reason,
      stop_sequence,
      usage,
      hadal,
    }
    yield { type: 'message_delta', delta: { stop_reason, stop_sequence }, usage, hadal }
    yield { type: 'message_stop' }
  }
}

function deltaOf(type: ContentBlock['type'], text: string): BlockDelta {
  if (type === 'thinking') return { type: 'thinking_delta', thinking: text }
  if (type === 'text') return { type: 'text_delta', text }
  return { type: 'input_json_delta', partial_json: text }
}

export function messageEvents(
  core: Core,
  job: Job,
  call: MessagesCall,
): AsyncGenerator<MessageEvent, void, void> {
  const making = new Making(core, job, call)
  return folded(
    job,
    () => making.start(),
    (event) => making.fold(event),
  )
}

export async function wholeMessage(
  core: Core,
  job: Job,
  call: MessagesCall,
): Promise<AnthropicMessage> {
  const making = new Making(core, job, call)
  for await (const event of job.events()) for (const _ of making.fold(event));
  return making.message
}
