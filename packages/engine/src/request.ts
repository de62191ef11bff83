// The state of one request: its ids so far, its KV blocks, its clock, and where its tokens go.
// Changed by the scheduler alone; main thread only.
import type { RowSampling } from '@hadal/model'
import { constraintError, Guide } from './constraint.ts'
import type { EngineError } from './error.ts'
import type { BlockTable } from './kv-blocks.ts'
import { idsToForce, observe, type ReasoningState, startReasoning, wantsEnd } from './reasoning.ts'
import type { Sampling } from './sampling.ts'
import type { Sink } from './stream.ts'

export interface Token {
  readonly id: number
  /** Natural log of the model's own probability; 0 for a forced id, which nobody chose. */
  readonly logprob: number
  /** The most likely ids, descending; present when topLogprobs was asked for. */
  readonly top?: readonly { readonly id: number; readonly logprob: number }[]
  /** Put there by the reasoning budget or `endSignal`. */
  readonly forced?: boolean
}

/**
 * Why a generation ended: a stop id came; maxTokens were produced; the caller stopped it; or the
 * context (or the whole KV budget) is full.
 */
export type FinishReason = 'stop' | 'length' | 'cancelled' | 'context'

export interface Finish {
  readonly reason: FinishReason
  readonly promptTokens: number
  /** Of these, ids whose KV was found in the prefix cache, or read by another request. */
  readonly cachedTokens: number
  /** Ids yielded, forced ones included; the stop id is not. */
  readonly completionTokens: number
  /** Of these, ids of thinking; tags and forced ids are not counted. */
  readonly reasoningTokens: number
  /** From submission to the first id; 0 when none came. */
  readonly timeToFirstTokenMs: number
  /** Pace after the first id; 0 below two ids. */
  readonly tokensPerSecond: number
}

const none: Int32Array = new Int32Array(0)

export type RequestState = 'waiting' | 'running' | 'done'

export interface Chosen {
  readonly id: number
  readonly logprob: number
  readonly top: Token['top']
}

export class Request {
  /** Order of arrival. */
  readonly order: number
  readonly sampling: Sampling
  readonly table: BlockTable
  readonly promptLength: number
  state: RequestState = 'waiting'
  /** Ids whose KV is stored. */
  computed = 0
  /** Prompt ids that it did not have to read itself. */
  cached = 0
  /** Its place in line; see `Line`. */
  due = 0
  /** Ids that it has in the step being made. */
  share = 0
  readonly submittedAt: number = performance.now()
  startedAt = 0
  readonly #sink: Sink<Token, Finish>
  readonly #contextLength: number
  readonly #reasoning: ReasoningState
  readonly #guide: Guide | undefined
  /** Why the constraint cannot be followed further. */
  #broken: EngineError | undefined
  #ids: Int32Array
  #length: number
  #preempted = false
  #firstAt = 0
  #lastAt = 0

  constructor(
    order: number,
    prompt: Int32Array,
    sampling: Sampling,
    table: BlockTable,
    contextLength: number,
    sink: Sink<Token, Finish>,
  ) {
    this.order = order
    this.sampling = sampling
    this.table = table
    this.promptLength = prompt.length
    this.#contextLength = contextLength
    this.#sink = sink
    this.#ids = prompt
    this.#length = prompt.length
    this.#reasoning = startReasoning(sampling.reasoning)
    const { constraint, reasoning, stopIds, vocabularySize } = sampling
    this.#guide = constraint && new Guide(constraint, reasoning, stopIds, vocabularySize)
  }

  get priority(): number {
    return this.sampling.priority
  }

  /** Ids of prompt and output. */
  get length(): number {
    return this.#length
  }

  get outputLength(): number {
    return this.#length - this.promptLength
  }

  /** Ids whose KV is not stored yet: 1 while decoding. */
  get pending(): number {
    return this.#length - this.computed
  }

  /** Prompt and output so far; valid as long as nothing is appended. */
  get ids(): Int32Array {
    return this.#ids.subarray(0, this.#length)
  }

  rowSampling(): RowSampling {
    const { temperature, topP, topK, minP, topLogprobs, seed, bias } = this.sampling
    const { repetitionPenalty, presencePenalty, frequencyPenalty } = this.sampling
    const counts = repetitionPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0
    const [counter, history] = [this.outputLength, counts ? this.ids : none]
    // Written out: this runs for every row of every step.
    const row: RowSampling = {
      temperature,
      topP,
      topK,
      minP,
      topLogprobs,
      seed,
      bias,
      repetitionPenalty,
      presencePenalty,
      frequencyPenalty,
      counter,
      history,
    }
    return this.#guide ? { ...row, ...this.#mask() } : row
  }

  /** A constraint that fails ends its request when the step comes back; the others of the step go on. */
  #mask(): { readonly mask?: Uint32Array } {
    try {
      return this.#guide ? { mask: this.#guide.mask() } : {}
    } catch (cause) {
      this.#broken = constraintError(cause)
      return {}
    }
  }

  /** Takes over cached blocks that follow what is stored already. */
  adoptCached(blockSize: number): void {
    const { table } = this
    for (const node of table.found(this.ids)) table.adopt(node)
    // The last id is read in any case: it gives the logits of the next.
    const reached = Math.min(table.shared * blockSize, this.#length - 1)
    if (reached <= this.computed) return
    // What is read a second time, after a preemption, was not saved the first time.
    const saved = Math.min(reached, this.promptLength) - this.computed
    if (!this.#preempted) this.cached += Math.max(saved, 0)
    this.computed = reached
  }

  /** Forgets what is stored; ids and place in line stay. */
  preempt(): void {
    this.table.release()
    this.computed = 0
    this.state = 'waiting'
    this.#preempted = true
  }

  /** Forces what a budget of 0 forces before the first id; returns a reason if that was the end. */
  begin(): FinishReason | EngineError | undefined {
    return this.#force()
  }

  /** Takes the id that the model chose; returns why the request ends, or its error, if it does. */
  accept(chosen: Chosen): FinishReason | EngineError | undefined {
    if (this.#broken) return this.#broken
    if (chosen.id < 0)
      return constraintError('expected a possible id among those allowed, got none')
    if (wantsEnd(this.#reasoning, this.sampling.reasoning) && !this.#closes(chosen.id)) {
      return this.#force()
    }
    if (this.sampling.stopIds.has(chosen.id)) return 'stop'
    const { id, logprob, top } = chosen
    return this.#append({ id, logprob, ...(top && { top }) }) ?? this.#force()
  }

  /** Ends the stream. What the caller cancelled is not delivered any more. */
  finish(reason: FinishReason): void {
    this.state = 'done'
    this.#guide?.dispose()
    this.#sink.close(this.#summary(reason), reason === 'cancelled')
  }

  fail(error: unknown): void {
    this.state = 'done'
    this.#guide?.dispose()
    this.#sink.fail(error)
  }

  /** The model ends its thinking on its own. */
  #closes(id: number): boolean {
    const { closeId, exitIds } = this.sampling.reasoning!
    return id === closeId || exitIds?.includes(id) === true
  }

  #force(): FinishReason | EngineError | undefined {
    for (const id of idsToForce(this.#reasoning, this.sampling.reasoning)) {
      const end = this.#append({ id, logprob: 0, forced: true })
      if (end) return end
    }
    return undefined
  }

  #append(token: Token): FinishReason | EngineError | undefined {
    if (this.#length === this.#ids.length) {
      const grown = new Int32Array(Math.min(this.#contextLength, Math.max(64, this.#length * 2)))
      grown.set(this.#ids)
      this.#ids = grown
    }
    const wasOpen = this.#reasoning.open
    observe(this.#reasoning, this.sampling.reasoning, token.id, token.forced ?? false)
    try {
      this.#guide?.observe(token.id, wasOpen, this.#reasoning.open)
    } catch (cause) {
      return constraintError(cause)
    }
    this.#ids[this.#length++] = token.id
    this.#lastAt = performance.now()
    if (this.outputLength === 1) this.#firstAt = this.#lastAt
    this.#sink.push(token)
    if (this.#guide?.done) return 'stop'
    if (this.outputLength >= this.sampling.maxTokens) return 'length'
    return this.#length >= this.#contextLength ? 'context' : undefined
  }

  #summary(reason: FinishReason): Finish {
    const completionTokens = this.outputLength
    const seconds = (this.#lastAt - this.#firstAt) / 1000
    return {
      reason,
      promptTokens: this.promptLength,
      cachedTokens: this.cached,
      completionTokens,
      reasoningTokens: this.#reasoning.tokens,
      timeToFirstTokenMs: completionTokens > 0 ? this.#firstAt - this.submittedAt : 0,
      tokensPerSecond: seconds > 0 ? (completionTokens - 1) / seconds : 0,
    }
  }
}
