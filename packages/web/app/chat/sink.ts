// Gathers the deltas of one answer into its message. Tokens can come faster than frames: the state changes at
// most every 40 ms, the database about once a second.
import type { ChatChunk, FinishReason, HadalExtension, ToolCallDelta, Usage } from '../api/wire.ts'
import type { ChatStore, RunPhase } from './store.ts'
import type { Message, Outcome, Stats, ToolCall } from './types.ts'

const flushMs = 40
const saveMs = 1000
const maxToolCalls = 256

export interface Sink {
  /** True once any token has come. */
  readonly started: boolean
  push(chunk: ChatChunk): void
  /** Writes everything out, with the outcome that the stream itself gave or `outcome`. */
  finish(outcome?: Outcome): void
}

export interface SinkOptions {
  chats: ChatStore
  /** The message as it was before this request: a continued answer is added to. */
  base: Message
  onPhase(phase: RunPhase): void
  /** A clock for what lasts. */
  now(): number
}

type Delta = ChatChunk['choices'][number]['delta']

function addToolCalls(calls: readonly ToolCall[], deltas: readonly ToolCallDelta[]): ToolCall[] {
  const next = [...calls]
  for (const delta of deltas) {
    if (!(delta.index >= 0 && delta.index < maxToolCalls)) continue
    const before = next[delta.index] ?? { id: '', name: '', arguments: '' }
    next[delta.index] = {
      id: delta.id ?? before.id,
      name: before.name + (delta.function?.name ?? ''),
      arguments: before.arguments + (delta.function?.arguments ?? ''),
    }
  }
  // A server that skips an index would leave a hole.
  return Array.from(next, (call) => call ?? { id: '', name: '', arguments: '' })
}

/** The server's measure, which the network does not blur; its clock starts with the request, ours with thinking. */
function thinkingTime(timings: HadalExtension | undefined): number | undefined {
  if (!timings?.reasoning_ms || typeof timings.ttft_ms !== 'number') return undefined
  return Math.max(0, timings.reasoning_ms - timings.ttft_ms)
}

/** `seen` is what the page itself measured, for a server that does not say. */
export function sumStats(
  before: Stats | undefined,
  usage: Usage,
  { hadal: timings }: ChatChunk,
  seen: { ttftMs: number; answerMs: number },
): Stats {
  const old = before?.cost
  const cost = timings?.cost
  const total =
    cost && old?.currency === cost.currency ? { ...cost, amount: cost.amount + old.amount } : cost
  const pace =
    seen.answerMs > 0 ? (1000 * usage.completion_tokens) / seen.answerMs : before?.tokensPerSecond
  return {
    promptTokens: usage.prompt_tokens,
    completionTokens: (before?.completionTokens ?? 0) + usage.completion_tokens,
    reasoningTokens:
      (before?.reasoningTokens ?? 0) + usage.completion_tokens_details.reasoning_tokens,
    cachedTokens: usage.prompt_cache_hit_tokens,
    ttftMs: timings?.ttft_ms ?? before?.ttftMs ?? seen.ttftMs,
    tokensPerSecond: timings?.tokens_per_second ?? pace,
    cost: total ?? old,
  }
}

/** `stopped` comes in the last chunk, after the reason. */
function outcomeOf(reason: FinishReason, stopped: HadalExtension['stopped'] | undefined): Outcome {
  if (stopped === 'shutdown')
    return { type: 'error', message: 'The server was shut down in the middle of this answer.' }
  if (stopped === 'timeout')
    return { type: 'error', message: 'The server’s time limit cut this answer.' }
  if (stopped === 'cancelled') return { type: 'stopped' }
  if (reason === 'insufficient_system_resource')
    return { type: 'error', message: 'The server broke this answer off.' }
  return { type: reason === 'length' ? 'length' : 'done' }
}

/** The message as it grows; written to the state now and then. */
interface Draft {
  readonly message: Message
  flush(save: boolean): void
  soon(): void
}

function createDraft({ chats, base, now }: SinkOptions): Draft {
  const message: Message = { ...base, outcome: { type: 'streaming' } }
  let timer: ReturnType<typeof setTimeout> | undefined
  let savedAt = Number.NEGATIVE_INFINITY
  const flush = (save: boolean) => {
    clearTimeout(timer)
    timer = undefined
    if (save) savedAt = now()
    chats.patchMessage(base.id, { ...message }, { save })
  }
  return {
    message,
    flush,
    soon() {
      timer ??= setTimeout(() => flush(now() - savedAt > saveMs), flushMs)
    },
  }
}

export function createSink(options: SinkOptions): Sink {
  const { base, onPhase, now } = options
  const draft = createDraft(options)
  const { message } = draft
  const startedAt = now()
  const reasoningBefore = base.reasoningMs ?? 0
  let thinkingSince: number | undefined
  let firstTokenAt: number | undefined
  let reason: FinishReason | undefined
  let stopped: HadalExtension['stopped'] | undefined
  let phase: RunPhase['type'] = 'sent'

  // The message first: at no moment does the page show an answer's phase with a thinking's state.
  const enter = (next: RunPhase) => {
    if (next.type === phase) return
    phase = next.type
    draft.flush(false)
    onPhase(next)
  }
  const endThinking = (measured?: number) => {
    if (thinkingSince === undefined && measured === undefined) return
    message.reasoningMs = reasoningBefore + (measured ?? now() - (thinkingSince ?? now()))
    thinkingSince = undefined
  }
  const addDelta = ({ content, reasoning_content: reasoning, tool_calls: calls }: Delta) => {
    if (reasoning) {
      thinkingSince ??= now()
      message.reasoning += reasoning
      enter({ type: 'thinking', since: thinkingSince - reasoningBefore })
    }
    if (content || calls?.length) {
      endThinking()
      message.content += content ?? ''
      if (calls) message.toolCalls = addToolCalls(message.toolCalls, calls)
      enter({ type: 'answering' })
    }
    if (reasoning || content || calls?.length) firstTokenAt ??= now()
  }
  return {
    get started() {
      return firstTokenAt !== undefined
    },
    push(chunk) {
      if (chunk.model) message.model = chunk.model
      const choice = chunk.choices?.[0]
      if (choice?.delta) addDelta(choice.delta)
      reason = choice?.finish_reason ?? reason
      stopped = chunk.hadal?.stopped ?? stopped
      const first = firstTokenAt ?? now()
      const seen = { ttftMs: first - startedAt, answerMs: now() - first }
      if (chunk.usage) message.stats = sumStats(base.stats, chunk.usage, chunk, seen)
      const measured = thinkingTime(chunk.hadal)
      if (measured !== undefined && message.reasoning !== base.reasoning) endThinking(measured)
      draft.soon()
    },
    finish(outcome) {
      endThinking()
      message.outcome = outcome ?? outcomeOf(reason ?? 'stop', stopped)
      draft.flush(true)
    },
  }
}
