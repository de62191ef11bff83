// What an answer may be, id by id. The engine knows no grammar: it asks which ids may come next, has the sampler
// choose among them, and tells which one came. Thinking is free; the constraint begins where it ends.
import { EngineError } from './error.ts'
import type { ReasoningOptions } from './reasoning.ts'

/** Follows one answer. */
export interface ConstraintState {
  /** Sets bit id % 32 of word id / 32 for every id that may come next, clears the others; returns how many. */
  mask(words: Uint32Array): number
  /** Follows an id; false when it may not come next. */
  accept(id: number): boolean
  /** The answer is complete: nothing may follow but the end. */
  readonly done: boolean
  /** Called when the answer has ended, so that memory need not wait for a collection. */
  dispose?(): void
}

export interface Constraint {
  /** `afterReasoning`: the newlines that models write after the closing tag may come first. */
  start(options: { readonly afterReasoning: boolean }): ConstraintState
}

/**
 * The constraint of one request. While the model thinks, everything may come but the end of the text and a way
 * out of the thinking that the constraint would not allow: an answer that ended there would satisfy nothing.
 */
export class Guide {
  readonly #constraint: Constraint
  readonly #reasoning: ReasoningOptions | undefined
  readonly #words: Uint32Array
  readonly #thinking: Uint32Array
  #state: ConstraintState | undefined
  #first = true

  constructor(
    constraint: Constraint,
    reasoning: ReasoningOptions | undefined,
    stopIds: ReadonlySet<number>,
    vocabularySize: number,
  ) {
    this.#constraint = constraint
    this.#reasoning = reasoning
    this.#words = new Uint32Array(Math.ceil(vocabularySize / 32))
    this.#thinking = new Uint32Array(this.#words.length).fill(0xffffffff)
    if (!reasoning?.open) this.#state = constraint.start({ afterReasoning: false })
    // Also where the thinking is open: a constraint that cannot begin fails now, not after it.
    const probe = constraint.start({ afterReasoning: true })
    probe.mask(this.#words)
    probe.dispose?.()
    for (const id of stopIds) setBit(this.#thinking, id, false)
    for (const id of reasoning?.exitIds ?? [])
      if (!hasBit(this.#words, id)) setBit(this.#thinking, id, false)
  }

  get done(): boolean {
    return this.#state?.done ?? false
  }

  dispose(): void {
    this.#state?.dispose?.()
    this.#state = undefined
  }

  /** What may come next; valid until the next call. */
  mask(): Uint32Array {
    if (!this.#state) return this.#thinking
    const count = this.#state.mask(this.#words)
    const openId = this.#reasoning?.openId
    // Models that open their thinking themselves do it with their first id.
    const mayThink = this.#first && openId !== undefined && this.#reasoning?.budget !== 0
    if (mayThink) setBit(this.#words, openId, true)
    if (count === 0 && !mayThink) throw broken('expected an id that may come next, got none')
    return this.#words
  }

  /** Takes note of an id, and of whether the model was and is thinking. */
  observe(id: number, wasThinking: boolean, isThinking: boolean): void {
    this.#first = false
    if (isThinking) {
      this.dispose()
      return
    }
    if (wasThinking) this.#state = this.#constraint.start({ afterReasoning: true })
    if (wasThinking && id === this.#reasoning?.closeId) return
    if (!this.#state?.accept(id)) throw broken(`expected an id that may come next, got ${id}`)
  }
}

function broken(message: string): EngineError {
  return new EngineError('ERR_HADAL_CONSTRAINT', `constraint: ${message}`)
}

const hasBit = (words: Uint32Array, id: number): boolean =>
  (((words[id >> 5] ?? 0) >>> (id & 31)) & 1) !== 0

function setBit(words: Uint32Array, id: number, value: boolean): void {
  const bit = 1 << (id & 31)
  const word = words[id >> 5] ?? 0
  words[id >> 5] = value ? word | bit : word & ~bit
}

/** Any failure of a constraint as the error of its request. */
export function constraintError(cause: unknown): EngineError {
  if (cause instanceof EngineError) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  return new EngineError('ERR_HADAL_CONSTRAINT', `constraint: ${message}`, { cause })
}
