// Tokens with their log-probabilities, in the shapes of chat and of plain completions.
import type { Token } from '@hadal/engine'
import type { Tokenizer } from '@hadal/text'
import type { ServedPart } from '../model.ts'
import type { TokenLogprob, TopLogprob } from '../protocol/common.ts'

/** JSON has no infinity; OpenAI's figure for "as good as impossible". */
const floor = -9999

function one(tokenizer: Tokenizer, id: number, logprob: number): TopLogprob {
  return {
    token: tokenizer.decode([id]),
    logprob: Math.min(0, Math.max(floor, Number.isNaN(logprob) ? floor : logprob)),
    bytes: [...tokenizer.bytesOf(id)],
  }
}

export function tokenLogprobs(
  tokenizer: Tokenizer,
  tokens: readonly Token[],
): readonly TokenLogprob[] {
  return tokens.map(({ id, logprob, top = [] }) => ({
    ...one(tokenizer, id, logprob),
    top_logprobs: top.map((other) => one(tokenizer, other.id, other.logprob)),
  }))
}

const newline = 0x0a

/** The tokens of one choice's parts that are in their text: no tags, no line ends that belong to a tag. */
export class TextTokens {
  readonly #tokenizer: Tokenizer
  readonly #tags: readonly number[]
  /** The kind of text that goes on. */
  #type: string | undefined

  /** `continues`: the first text goes on from one of the prompt, line ends and all. */
  constructor(tokenizer: Tokenizer, continues: boolean) {
    this.#tokenizer = tokenizer
    this.#tags = ['<think>', '</think>'].flatMap((tag) => tokenizer.idOf(tag) ?? [])
    if (continues) this.#type = 'any'
  }

  of({ type, tokens = [] }: ServedPart): readonly Token[] {
    const isTag = ({ id }: Token) => this.#tags.includes(id)
    // What came before a tag ended the text before; a piece of thinking may also bring the tag that ends it.
    const ends = type === 'reasoning' && tokens.length > 1 && isTag(tokens.at(-1) as Token)
    const until = ends ? tokens.length - 1 : tokens.length
    const own = tokens.slice(
      tokens.findLastIndex((token, i) => i < until && isTag(token)) + 1,
      until,
    )
    const goesOn = this.#type === type || this.#type === 'any'
    this.#type = type
    if (goesOn) return own
    const isBlank = ({ id }: Token) => this.#tokenizer.bytesOf(id).every((byte) => byte === newline)
    const first = own.findIndex((token) => !isBlank(token))
    return first < 0 ? own : own.slice(first)
  }
}
