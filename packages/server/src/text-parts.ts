// Plain completions: tokens of `generate` as parts of text, with stop texts and half characters held back. No tags,
// no tool calls: the text is what the model wrote.
import type { Token } from '@hadal/engine'
import { TextStream, type Tokenizer } from '@hadal/text'
import type { PartStream, ServedFinish, ServedModel, ServedPart } from './model.ts'

type Tokens = ReturnType<ServedModel['generate']>
type Result = IteratorResult<ServedPart, ServedFinish>

export function textParts(
  tokens: Tokens,
  tokenizer: Tokenizer,
  stop: readonly string[],
): PartStream {
  return new TextParts(tokens, tokenizer, stop)
}

class TextParts implements PartStream {
  readonly #tokens: Tokens
  readonly #text: TextStream
  readonly #began: number = performance.now()
  #pending: Token[] = []
  #finish: ServedFinish | undefined

  constructor(tokens: Tokens, tokenizer: Tokenizer, stop: readonly string[]) {
    this.#tokens = tokens
    this.#text = new TextStream(tokenizer, { stop, tags: false, tools: false })
  }

  async next(): Promise<Result> {
    while (!this.#finish) {
      const next = await this.#tokens.next()
      if (next.done) {
        this.#finish = next.value
        const rest = this.#part(this.#text.end())
        if (rest && next.value.reason !== 'cancelled') return rest
        break
      }
      this.#pending.push(next.value)
      const part = this.#part(this.#text.push(next.value.id))
      if (this.#text.stopped) {
        const { value } = (await this.#tokens.return()) as IteratorReturnResult<ServedFinish>
        this.#finish = { ...value, reason: 'stop' }
      }
      if (part) return part
    }
    return { done: true, value: this.#finish as ServedFinish }
  }

  async return(value?: ServedFinish | PromiseLike<ServedFinish>): Promise<Result> {
    const end = await this.#tokens.return()
    this.#finish ??= end.value as ServedFinish
    return { done: true, value: value === undefined ? this.#finish : await value }
  }

  async throw(error: unknown): Promise<Result> {
    await this.#tokens.return()
    throw error
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tokens.return()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #part(parts: readonly { readonly text: string }[]): Result | undefined {
    const text = parts.map((part) => part.text).join('')
    if (text === '') return undefined
    const tokens = this.#pending
    this.#pending = []
    const atMs = performance.now() - this.#began
    return { done: false, value: { type: 'text', text, atMs, tokens } }
  }
}
