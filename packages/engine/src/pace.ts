// How many ids of prompts a step may read while others decode: as many as keep the step within a
// time, by what steps took so far. Knows milliseconds and counts, no clock.

/** A plain decode step may be slower than the limit; then reading may double it, and no more. */
const slack = 2
/** Ids that are read in any case, so that every prompt gets on. */
const least = 16
/** Ids read while nothing is known yet. */
const first = 64
const weight = 0.3

export class Pace {
  readonly #maxStepMs: number
  readonly #maxTokens: number
  #decodeMs: number | undefined
  #tokenMs: number | undefined

  /** `maxStepMs`: how long a step may take in which some decode and some read. */
  constructor(maxStepMs: number, maxTokens: number) {
    this.#maxStepMs = maxStepMs
    this.#maxTokens = maxTokens
  }

  /** Takes note of a step: ids of prompts read in it, requests that decoded, and its time. */
  record(read: number, decoders: number, ms: number): void {
    if (read === 0) this.#decodeMs = average(this.#decodeMs, ms)
    else {
      const base = decoders > 0 ? (this.#decodeMs ?? 0) : 0
      this.#tokenMs = average(this.#tokenMs, Math.max(ms - base, 0) / read)
    }
  }

  /** Most ids of prompts in the next step, with so many decoders in it. */
  budget(decoders: number): number {
    const room = this.#maxTokens - decoders
    if (decoders === 0 || this.#maxStepMs === Number.POSITIVE_INFINITY) return room
    if (this.#tokenMs === undefined) return Math.min(first, room)
    const base = this.#decodeMs ?? 0
    const limit = Math.max(this.#maxStepMs, slack * base)
    const fits = this.#tokenMs > 0 ? Math.floor((limit - base) / this.#tokenMs) : room
    return Math.min(Math.max(fits, least), room)
  }
}

function average(old: number | undefined, value: number): number {
  return old === undefined ? value : old + weight * (value - old)
}
