// How an engine treats its requests: options of the engine itself, checked once.
import { reject } from './error.ts'
import { checkNumber } from './sampling.ts'

export interface EngineOptions {
  /** false: every request reads its whole prompt. Default true. */
  readonly prefixCache?: boolean
  /** Most requests that may wait; one more gets ERR_HADAL_QUEUE_FULL. Default: no limit. */
  readonly maxQueue?: number
  /** A request that did not begin after so long gets ERR_HADAL_QUEUE_TIMEOUT. Default: no limit. */
  readonly queueTimeoutMs?: number
  /**
   * How long a step may take in which some requests decode and others read their prompts; prompts are
   * read in pieces that fit. Plain decoding may take longer, then reading at most doubles it. Default 200.
   */
  readonly maxStepMs?: number
  /** A point of priority goes before so many milliseconds of waiting. Default 10,000. */
  readonly agingMs?: number
}

export interface DrainOptions {
  /** Requests that are left after so long are cancelled. Default: no limit. */
  readonly timeoutMs?: number
}

/** setTimeout takes no more. */
export const longestMs: number = 2 ** 31 - 1

export function checkEngineOptions(options: EngineOptions): EngineOptions {
  const { prefixCache, maxQueue, queueTimeoutMs, maxStepMs, agingMs } = options
  if (prefixCache !== undefined && typeof prefixCache !== 'boolean') {
    reject(`option prefixCache: expected a boolean, got ${String(prefixCache)}`)
  }
  const whole = { min: 0, max: Number.MAX_SAFE_INTEGER, int: true }
  const ms = { min: 1, max: Number.POSITIVE_INFINITY }
  if (maxQueue !== undefined && maxQueue !== Number.POSITIVE_INFINITY) {
    checkNumber('option maxQueue', maxQueue, whole)
  }
  for (const [name, value] of Object.entries({ queueTimeoutMs, maxStepMs })) {
    if (value !== undefined) checkNumber(`option ${name}`, value, ms)
  }
  if (agingMs !== undefined) checkNumber('option agingMs', agingMs, { min: 0, max: 1e9 })
  return options
}

export function checkDrainOptions({ timeoutMs }: DrainOptions): number {
  if (timeoutMs === undefined) return Number.POSITIVE_INFINITY
  return checkNumber('option timeoutMs', timeoutMs, { min: 0, max: Number.POSITIVE_INFINITY })
}
