// Parts of llm.chat → parts of the AI SDK's stream, with blocks opened and closed, and the summary at the end.
import { randomUUID } from 'node:crypto'
import type {
  JSONObject,
  JSONValue,
  LanguageModelV3FinishReason,
  LanguageModelV3StreamPart,
  LanguageModelV3Usage,
  SharedV3ProviderMetadata,
} from '@ai-sdk/provider'
import type { ChatFinish, ChatPart, Token, Tokenizer } from 'hadal'

type StreamPart = LanguageModelV3StreamPart
type Finish = Extract<StreamPart, { type: 'finish' }>

export class Answer {
  readonly #tokenizer: Pick<Tokenizer, 'decode'>
  readonly #tokens: Token[] = []
  #open: { readonly type: 'text' | 'reasoning'; readonly id: string } | undefined
  #blocks = 0

  constructor(tokenizer: Pick<Tokenizer, 'decode'>) {
    this.#tokenizer = tokenizer
  }

  /** At least one part, but for pieces of tool calls, which come only when asked for and are sent whole here. */
  push(part: ChatPart): StreamPart[] {
    if (part.tokens) this.#tokens.push(...part.tokens)
    if (part.type === 'tool-call-delta') return []
    if (part.type === 'tool-call') return [...this.#close(), ...toolCall(part.toolCall)]
    const { type, text } = part
    const before = this.#open?.type === type ? [] : [...this.#close(), this.#begin(type)]
    return [...before, { type: `${type}-delta`, id: this.#open?.id as string, delta: text }]
  }

  end(finish: ChatFinish): StreamPart[] {
    return [
      ...this.#close(),
      {
        type: 'finish',
        finishReason: finishReason(finish),
        usage: usageOf(finish),
        providerMetadata: this.#metadata(finish),
      },
    ]
  }

  fail(error: unknown): StreamPart[] {
    const finish: Finish = {
      type: 'finish',
      finishReason: { unified: 'error', raw: undefined },
      usage: usageOf(undefined),
    }
    return [...this.#close(), { type: 'error', error }, finish]
  }

  #begin(type: 'text' | 'reasoning'): StreamPart {
    this.#open = { type, id: `${type}-${this.#blocks++}` }
    return { type: `${type}-start`, id: this.#open.id }
  }

  #close(): StreamPart[] {
    if (!this.#open) return []
    const { type, id } = this.#open
    this.#open = undefined
    return [{ type: `${type}-end`, id }]
  }

  #metadata(finish: ChatFinish): SharedV3ProviderMetadata {
    const { timeToFirstTokenMs, tokensPerSecond, reasoningMs } = finish
    const text = (id: number) => this.#tokenizer.decode([id])
    const logprobs = this.#tokens.map(({ id, logprob, top = [] }) => ({
      ...{ id, token: text(id), logprob },
      top: top.map((rival) => ({ ...rival, token: text(rival.id) })),
    }))
    return {
      hadal: {
        ...{ timeToFirstTokenMs, tokensPerSecond, reasoningMs },
        ...(logprobs.length > 0 && { logprobs: logprobs as JSONValue }),
      },
    }
  }
}

/** Hadal counts calls within one answer; in a loop of several their ids must differ. */
function toolCall(call: { readonly name: string; readonly arguments: string }): StreamPart[] {
  const [id, toolName, input] = [`call_${randomUUID()}`, call.name, call.arguments]
  return [
    { type: 'tool-input-start', id, toolName },
    { type: 'tool-input-delta', id, delta: input },
    { type: 'tool-input-end', id },
    { type: 'tool-call', toolCallId: id, toolName, input },
  ]
}

function finishReason({ reason, toolCalls }: ChatFinish): LanguageModelV3FinishReason {
  if (reason === 'stop')
    return { unified: toolCalls.length > 0 ? 'tool-calls' : 'stop', raw: reason }
  return { unified: reason === 'cancelled' ? 'other' : 'length', raw: reason }
}

function usageOf(finish: ChatFinish | undefined): LanguageModelV3Usage {
  if (!finish) {
    return {
      inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, ...written },
      outputTokens: { total: undefined, text: undefined, reasoning: undefined },
    }
  }
  const { promptTokens, cachedTokens, completionTokens, reasoningTokens } = finish
  const raw: JSONObject = { promptTokens, completionTokens, reasoningTokens, cachedTokens }
  const [noCache, cacheRead] = [promptTokens - cachedTokens, cachedTokens]
  return {
    inputTokens: { total: promptTokens, noCache, cacheRead, ...written },
    outputTokens: {
      total: completionTokens,
      text: completionTokens - reasoningTokens,
      reasoning: reasoningTokens,
    },
    raw,
  }
}

// Every prompt is kept for the next one; there is no charge for it and no count.
const written = { cacheWrite: undefined }
