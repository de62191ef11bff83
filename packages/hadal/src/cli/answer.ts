// One answer to the terminal: thinking dimmed as it streams, its time, then the answer.
import type { ChatFinish } from '@hadal/engine'
import type { Message } from '@hadal/text'
import type { ChatOptions, Llm } from '../types.ts'
import { dim, duration, harmless, progressBar } from './terminal.ts'

export interface Channels {
  /** Where thinking goes, or nowhere. */
  readonly reasoning: NodeJS.WriteStream | undefined
  readonly answer: NodeJS.WriteStream
}

/** Streams the answer and returns how it ended. */
export async function streamAnswer(
  llm: Llm,
  messages: readonly Message[],
  options: ChatOptions,
  channels: Channels,
): Promise<ChatFinish> {
  const { reasoning, answer } = channels
  const started = performance.now()
  let thinking = false
  const endThinking = () => {
    if (!thinking) return
    thinking = false
    reasoning?.write(
      `\n${dim(`Thought for ${duration(performance.now() - started)}`, reasoning)}\n\n`,
    )
  }
  const stopReading = showReading(llm)
  const stream = llm.chat(messages, options)
  for (;;) {
    const next = await stream.next().finally(stopReading)
    if (next.done) {
      endThinking()
      answer.write('\n')
      return next.value
    }
    const part = next.value
    if (part.type === 'reasoning') {
      thinking = true
      if (reasoning) reasoning.write(dim(harmless(part.text, reasoning), reasoning))
    } else {
      endThinking()
      answer.write(harmless(part.text, answer))
    }
  }
}

/** A bar while a long prompt is read, until the function that it returns is called. */
function showReading(llm: Llm): () => void {
  const bar = progressBar()
  const before = llm.stats.tokensPrefilled
  const timer = setInterval(() => {
    const total = llm.stats.requests[0]?.promptTokens ?? 0
    const done = Math.min(llm.stats.tokensPrefilled - before, total)
    if (total > 0) bar.update({ stage: 'reading the prompt', done, total })
  }, 200)
  return () => {
    clearInterval(timer)
    bar.end()
  }
}

/** `42 tokens · 310.5 tokens/s · first after 20 ms` */
export function speedLine(finish: ChatFinish): string {
  const { completionTokens, reasoningTokens, tokensPerSecond, timeToFirstTokenMs, reason } = finish
  const thought = reasoningTokens > 0 ? ` (${reasoningTokens} thinking)` : ''
  const why =
    reason === 'length' || reason === 'context'
      ? ` · cut: ${reason}`
      : reason === 'cancelled'
        ? ' · stopped'
        : ''
  const pace = tokensPerSecond > 0 ? ` · ${tokensPerSecond.toFixed(1)} tokens/s` : ''
  return `${completionTokens} ${completionTokens === 1 ? 'token' : 'tokens'}${thought}${pace} · first after ${duration(timeToFirstTokenMs)}${why}`
}
