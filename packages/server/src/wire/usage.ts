// Token counts of a job, as usage and as money.
import type { Job } from '../job.ts'
import type { ServedFinish } from '../model.ts'
import type { Prices } from '../options.ts'
import type { HadalExtension, Usage } from '../protocol/common.ts'

export interface Tokens {
  readonly prompt: number
  readonly cached: number
  readonly completion: number
  readonly reasoning: number
}

/** Choices of one prompt lie together and share it, so it is counted once for each `perPrompt` of them. */
export function tokensOf(finishes: ReadonlyMap<number, ServedFinish>, perPrompt: number): Tokens {
  const total = { prompt: 0, cached: 0, completion: 0, reasoning: 0 }
  const counted = new Set<number>()
  for (const [choice, finish] of [...finishes].sort(([a], [b]) => a - b)) {
    total.completion += finish.completionTokens
    total.reasoning += finish.reasoningTokens
    const group = Math.floor(choice / perPrompt)
    if (counted.has(group)) continue
    counted.add(group)
    total.prompt += finish.promptTokens
    total.cached += finish.cachedTokens
  }
  return total
}

export function usageOf({ prompt, cached, completion, reasoning }: Tokens): Usage {
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_cache_hit_tokens: cached,
    prompt_cache_miss_tokens: prompt - cached,
    prompt_tokens_details: { cached_tokens: cached },
    completion_tokens_details: { reasoning_tokens: reasoning },
  }
}

/** The money for these tokens; prices are for a million. */
export function cost(tokens: Tokens, prices: Prices): { amount: number; currency: string } {
  const { prompt, cached, completion } = tokens
  const { input_cache_hit, input_cache_miss, output, currency } = prices
  const million =
    cached * input_cache_hit + (prompt - cached) * input_cache_miss + completion * output
  return { amount: Number((million / 1e6).toPrecision(12)), currency }
}

export function extensionOf(job: Job, prices: Prices | undefined): HadalExtension {
  const first = job.finishes.get(0)
  const stopped = job.stopped === 'client' ? undefined : job.stopped
  return {
    ttft_ms: job.timeToFirstTokenMs ?? null,
    tokens_per_second: first?.tokensPerSecond || null,
    reasoning_ms: first?.reasoningMs ?? 0,
    stopped: stopped ?? null,
    ...(prices && { cost: cost(job.tokens, prices) }),
  }
}
