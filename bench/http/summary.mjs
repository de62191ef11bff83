// From the times of requests to figures: percentiles, throughput, goodput at an SLO. All times in milliseconds.

/** The p-th percentile (0 .. 100) with linear interpolation between ranks, as numpy's default. NaN of nothing. */
export function percentile(sorted, p) {
  if (sorted.length === 0) return Number.NaN
  const rank = ((sorted.length - 1) * p) / 100
  const low = Math.floor(rank)
  const high = Math.min(low + 1, sorted.length - 1)
  return sorted[low] + (sorted[high] - sorted[low]) * (rank - low)
}

const ascending = (values) => Float64Array.from(values).sort()

export function describe(values) {
  const sorted = ascending(values)
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length
  const at = (p) => percentile(sorted, p)
  const [p50, p90, p95, p99] = [at(50), at(90), at(95), at(99)]
  return { count: sorted.length, mean, min: at(0), p50, p90, p95, p99, max: at(100) }
}

/** Values at 201 evenly spaced percentiles, 0 to 100: a CDF small enough to keep. */
export function quantiles(values) {
  const sorted = ascending(values)
  if (sorted.length === 0) return []
  return Array.from({ length: 201 }, (_, i) => round(percentile(sorted, i / 2)))
}

export const round = (value) => Math.round(value * 1000) / 1000

/**
 * One request. ttft: due → first text. itl: gaps between events that brought text. e2e: due → last text. tpot: time
 * of a token after the first, by the server's own count, as events may bring several.
 */
export function measure(result) {
  const { dueAt, startedAt, times, usage } = result
  const tokens = usage?.completion_tokens ?? times.length
  const [first, last] = [times[0], times.at(-1)]
  const itl = times.slice(1).map((at, i) => at - times[i])
  return {
    lag: startedAt - dueAt,
    ttft: first === undefined ? Number.NaN : first - dueAt,
    e2e: last === undefined ? Number.NaN : last - dueAt,
    itl,
    tpot: tokens > 1 && times.length > 1 ? (last - first) / (tokens - 1) : Number.NaN,
    itlP99: itl.length === 0 ? 0 : percentile(ascending(itl), 99),
    promptTokens: usage?.prompt_tokens ?? 0,
    cachedTokens:
      usage?.prompt_cache_hit_tokens ?? usage?.prompt_tokens_details?.cached_tokens ?? 0,
    tokens,
    reasoningTokens: usage?.completion_tokens_details?.reasoning_tokens ?? 0,
    error: result.error ?? (times.length === 0 ? 'empty' : undefined),
  }
}

/** Within the SLO: no error, first token in time, and the 99th percentile of its own gaps small enough. */
export function isGood({ error, ttft, itlP99 }, slo) {
  return error === undefined && ttft <= slo.ttft && itlP99 <= slo.itl
}

function errorCounts(measured) {
  const counts = {}
  for (const { error } of measured) if (error) counts[error] = (counts[error] ?? 0) + 1
  return counts
}

/** Figures of the requests that count; those of the warm-up were cut off before. `slo`: { ttft, itl }. */
export function summarise(results, slo) {
  const measured = results.map(measure)
  const done = measured.filter(({ error }) => error === undefined)
  const good = measured.filter((request) => isGood(request, slo))
  const began = Math.min(...results.map(({ dueAt }) => dueAt))
  const seconds = (Math.max(...results.map(({ endedAt }) => endedAt)) - began) / 1000
  const last = Math.max(...results.map(({ dueAt }) => dueAt))
  const sum = (field) => done.reduce((total, request) => total + request[field], 0)
  const [prompt, cached] = [sum('promptTokens'), sum('cachedTokens')]
  const series = {
    ttft: done.map(({ ttft }) => ttft),
    itl: done.flatMap(({ itl }) => itl),
    tpot: done.map(({ tpot }) => tpot).filter(Number.isFinite),
    e2e: done.map(({ e2e }) => e2e),
  }
  const map = (f) => Object.fromEntries(Object.entries(series).map(([k, v]) => [k, f(v)]))
  return {
    requests: results.length,
    completed: done.length,
    failed: results.length - done.length,
    errors: errorCounts(measured),
    seconds,
    offeredRate: results.length > 1 ? ((results.length - 1) * 1000) / (last - began) : Number.NaN,
    completedRate: done.length / seconds,
    goodput: good.length / seconds,
    goodShare: good.length / results.length,
    promptTokens: prompt,
    cachedTokens: cached,
    cacheHitShare: prompt === 0 ? 0 : cached / prompt,
    outputTokens: sum('tokens'),
    reasoningTokens: sum('reasoningTokens'),
    outputTokensPerSecond: sum('tokens') / seconds,
    latency: map(describe),
    quantiles: map(quantiles),
    /** How late this process sent; large values mean that it, and not the server, was the limit. */
    lag: describe(measured.map(({ lag }) => lag)),
  }
}
