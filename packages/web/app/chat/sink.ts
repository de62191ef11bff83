// Gathers the deltas of one answer into its message. Tokens can come faster than frames: the state changes at
// most every 40 ms, the database about once a second.
import type { ChatChunk, ToolCallDelta, Usage } from '../api/wire.ts'
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
  now(): number
}

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

export function sumStats(before: Stats | undefined, usage: Usage, chunk: ChatChunk): Stats {
  const timings = chunk.hadal
  const old = before?.cost
  // A server without a price list may send null.
  const cost = timings?.cost ?? undefined
  const total =
    cost && old?.currency === cost.currency ? { ...cost, amount: cost.amount + old.amount } : cost
  return {
    promptTokens: usage.prompt_tokens,
    completionTokens: (before?.completionTokens ?? 0) + usage.completion_tokens,
    reasoningTokens:
      (before?.reasoningTokens ?? 0) + (usage.completion_tokens_details?.reasoning_tokens ?? 0),
    cachedTokens: usage.prompt_cache_hit_tokens,
    ttftMs: timings?.ttft_ms ?? before?.ttftMs,
    tokensPerSecond: timings?.tokens_per_second ?? before?.tokensPerSecond,
    cost: total ?? old,
  }
}

function outcomeOf(reason: string): Outcome {
  if (reason === 'length') return { type: 'length' }
  if (reason === 'insufficient_system_resource')
    return { type: 'error', message: 'The server ran out of memory for this answer.' }
  if (reason === 'content_filter')
    return { type: 'error', message: 'The server withheld the rest of this answer.' }
  return { type: 'done' }
}

export function createSink({ chats, base, onPhase, now }: SinkOptions): Sink {
  const draft: Message = { ...base, outcome: { type: 'streaming' } }
  const startedAt = now()
  const reasoningBefore = base.reasoningMs ?? 0
  let thinkingSince: number | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let savedAt = 0
  let firstTokenAt: number | undefined
  let ended: Outcome | undefined

  const flush = (save: boolean) => {
    clearTimeout(timer)
    timer = undefined
    if (save) savedAt = now()
    chats.patchMessage(base.id, { ...draft }, { save })
  }
  let phase: RunPhase['type'] = 'sent'
  // The message first: at no moment does the page show an answer's phase with a thinking's state.
  const enter = (next: RunPhase) => {
    if (next.type === phase) return
    phase = next.type
    flush(false)
    onPhase(next)
  }
  const endThinking = () => {
    if (thinkingSince === undefined) return
    draft.reasoningMs = reasoningBefore + now() - thinkingSince
    thinkingSince = undefined
  }
  const addDelta = (delta: NonNullable<ChatChunk['choices'][number]>['delta']) => {
    const { content, reasoning_content: reasoning, tool_calls: calls } = delta
    if (reasoning) {
      thinkingSince ??= now()
      draft.reasoning += reasoning
      enter({ type: 'thinking', since: thinkingSince - reasoningBefore })
    }
    if (content || calls?.length) {
      endThinking()
      draft.content += content ?? ''
      if (calls) draft.toolCalls = addToolCalls(draft.toolCalls, calls)
      enter({ type: 'answering' })
    }
    if (reasoning || content || calls?.length) firstTokenAt ??= now()
  }
  const addUsage = (chunk: ChatChunk, usage: Usage) => {
    const stats = sumStats(base.stats, usage, chunk)
    const first = firstTokenAt ?? now()
    const seconds = (now() - first) / 1000
    stats.ttftMs ??= first - startedAt
    if (seconds > 0) stats.tokensPerSecond ??= usage.completion_tokens / seconds
    draft.stats = stats
  }
  return {
    get started() {
      return firstTokenAt !== undefined
    },
    push(chunk) {
      if (chunk.model) draft.model = chunk.model
      const choice = chunk.choices?.[0]
      if (choice?.delta) addDelta(choice.delta)
      if (choice?.finish_reason) ended = outcomeOf(choice.finish_reason)
      if (chunk.usage) addUsage(chunk, chunk.usage)
      const measured = chunk.hadal?.reasoning_ms
      if (measured !== undefined && draft.reasoning !== base.reasoning) {
        thinkingSince = undefined
        draft.reasoningMs = reasoningBefore + measured
      }
      timer ??= setTimeout(() => flush(now() - savedAt > saveMs), flushMs)
    },
    finish(outcome) {
      endThinking()
      draft.outcome = outcome ?? ended ?? { type: 'done' }
      flush(true)
    },
  }
}
