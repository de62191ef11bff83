// A tokenizer's vocabulary, grammars compiled for it, and matchers that say which ids may come next. The native
// side owns the memory; it goes when the handles are collected, or at dispose().
import {
  type Binding,
  type GrammarHandle,
  loadBinding,
  type MatcherHandle,
  matcherFlags,
  type VocabularyHandle,
} from '@hadal/native'
import { GrammarError } from './error.ts'
import type { Grammar } from './ir.ts'

/** What a tokenizer has to say. */
export interface TokenSource {
  /** One more than the largest id. */
  readonly size: number
  /** Special and added tokens: they stand for themselves and match no text. */
  readonly added: ReadonlyMap<string, number>
  bytesOf(id: number): Uint8Array
}

export interface VocabularyOptions {
  /** Ids of the model's logits; at least the tokenizer's. */
  readonly size: number
  /** Ids that end a text; allowed exactly where a grammar may end. */
  readonly endIds: readonly number[]
}

export class Vocabulary {
  readonly size: number
  readonly #binding: Binding = loadBinding()
  readonly #handle: VocabularyHandle

  constructor(tokens: TokenSource, { size, endIds }: VocabularyOptions) {
    this.size = size
    const count = Math.min(tokens.size, size)
    const special = new Set(tokens.added.values())
    const texts = Array.from({ length: count }, (_, id) =>
      special.has(id) ? new Uint8Array(0) : tokens.bytesOf(id),
    )
    const offsets = new Int32Array(count + 1)
    texts.forEach((bytes, id) => {
      offsets[id + 1] = (offsets[id] as number) + bytes.length
    })
    const all = new Uint8Array(offsets[count] as number)
    texts.forEach((bytes, id) => all.set(bytes, offsets[id]))
    this.#handle = this.#binding.vocabularyCreate(all, offsets, size, Int32Array.from(endIds))
  }

  /** Words of a mask. */
  get words(): number {
    return Math.ceil(this.size / 32)
  }

  /** Throws a GrammarError when no text satisfies the grammar, or when it is too ambiguous to follow. */
  compile(grammar: Grammar): CompiledGrammar {
    try {
      return new CompiledGrammar(
        this.#binding,
        this.#binding.grammarCompile(this.#handle, grammar.words),
      )
    } catch (cause) {
      throw new GrammarError((cause as Error).message, { cause })
    }
  }

  dispose(): void {
    this.#binding.vocabularyRelease(this.#handle)
  }
}

/** A grammar for one vocabulary; any number of matchers share it. */
export class CompiledGrammar {
  readonly #binding: Binding
  readonly #handle: GrammarHandle
  #disposed = false

  constructor(binding: Binding, handle: GrammarHandle) {
    this.#binding = binding
    this.#handle = handle
  }

  /** `afterReasoning`: up to two newlines may come first, as models write them after `</think>`. */
  start({ afterReasoning = false }: { readonly afterReasoning?: boolean } = {}): Matcher {
    const handle = this.#binding.matcherCreate(this.#handle, afterReasoning ? 1 : 0)
    return new Matcher(this.#binding, handle)
  }

  get disposed(): boolean {
    return this.#disposed
  }

  /** Starts nothing more; matchers that it started go on. */
  dispose(): void {
    this.#disposed = true
    this.#binding.grammarRelease(this.#handle)
  }
}

/** Follows one text. */
export class Matcher {
  readonly #binding: Binding
  readonly #handle: MatcherHandle

  constructor(binding: Binding, handle: MatcherHandle) {
    this.#binding = binding
    this.#handle = handle
  }

  /** Sets the bits of the ids that may come next and clears the others; returns how many may. */
  mask(words: Uint32Array): number {
    return this.#binding.matcherMask(this.#handle, words)
  }

  /** Follows an id; false, and nothing changes, when it may not come next. */
  accept(id: number): boolean {
    return this.#binding.matcherAccept(this.#handle, id)
  }

  /** Nothing may follow but the end. */
  get done(): boolean {
    return (this.#binding.matcherState(this.#handle) & matcherFlags.done) !== 0
  }

  /** The text may end here. */
  get canEnd(): boolean {
    return (this.#binding.matcherState(this.#handle) & matcherFlags.canEnd) !== 0
  }

  /** Takes back the last ids, 256 at most. */
  rollback(tokens: number): void {
    this.#binding.matcherRollback(this.#handle, tokens)
  }

  reset(): void {
    this.#binding.matcherReset(this.#handle)
  }

  dispose(): void {
    this.#binding.matcherRelease(this.#handle)
  }
}
