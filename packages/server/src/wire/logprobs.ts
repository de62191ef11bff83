// Tokens with their log-probabilities, in the shapes of chat and of plain completions.
import type { Token } from '@hadal/engine'
import type { Tokenizer } from '@hadal/text'
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
