// Where text and ids meet, and nowhere else: messages → prompt ids → engine → parts of text. Keeps
// time and the whole answer for the summary at the end.

import type { Tokenizer, ToolCall } from '@hadal/text'
import {
  type ChatTemplate,
  type Message,
  type Part,
  type RenderedPrompt,
  TextStream,
  toolMarkers,
} from '@hadal/text'
import { type Engine, type TokenStream, unstarted } from './engine.ts'
import { reject } from './error.ts'
import type { ReasoningOptions } from './reasoning.ts'
import type { Finish, Token } from './request.ts'
import { checkSignal, type GenerateOptions } from './sampling.ts'
import { createStream, type Sink, type Stream } from './stream.ts'

export interface ChatOptions extends Omit<GenerateOptions, 'reasoning'> {
  /** Texts that end the answer; they are not part of it and are not looked for in the reasoning. */
  readonly stop?: string | readonly string[]
  /** Descriptions of tools, as the template wants them. */
  readonly tools?: readonly unknown[]
  /** false: answer without thinking, also where the template has no switch for it. */
  readonly thinking?: boolean
  /** Most ids of thinking; then the model is made to close it and answer. */
  readonly maxReasoningTokens?: number
  /** When it fires during the thinking, the model is made to close it and answer at once. */
  readonly endThinking?: AbortSignal
  /** The last message, an assistant's, is the beginning of the answer or of its reasoning; parts are what follows. */
  readonly prefix?: boolean
  /** Parts carry their tokens. Default: when topLogprobs is above 0. */
  readonly partTokens?: boolean
  /** Also yield the arguments of tool calls as they are written (`tool-call-delta`). */
  readonly toolDeltas?: boolean
}

/**
 * A piece of the answer; `atMs` is the time since the request began. With `partTokens` a piece brings the tokens
 * that came since the one before it, their probabilities and rivals: a token that yields no text of its own, such
 * as a tag or half a character, comes with the next piece.
 */
export type ChatPart = Part & { readonly atMs: number; readonly tokens?: readonly Token[] }

export interface ChatFinish extends Finish {
  /** The whole answer. */
  readonly text: string
  readonly reasoning: string
  readonly toolCalls: readonly ToolCall[]
  /** The text of `stop` that ended the answer. */
  readonly stopText?: string
  /** From the request's beginning to the end of the thinking; 0 when there was none. */
  readonly reasoningMs: number
}

export type ChatStream = Stream<ChatPart, ChatFinish>

/**
 * Answers the last of `messages`. Nothing happens before the first `next()`; `return()` (or `break`)
 * stops at once. Errors: EngineError as of `Engine.generate`, TextError of template and tokenizer.
 */
export function chat(
  engine: Engine,
  tokenizer: Tokenizer,
  template: ChatTemplate,
  messages: readonly Message[],
  options: ChatOptions = {},
): ChatStream {
  return createStream<ChatPart, ChatFinish>(
    (sink) => {
      const { stop, tools, thinking, maxReasoningTokens, endThinking, ...more } = options
      const { prefix, partTokens, toolDeltas, ...generate } = more
      const prompt = template.render(messages, {
        ...(tools && { tools }),
        ...(thinking !== undefined && { thinking }),
        ...(prefix && { prefix }),
      })
      const reasoning = reasoningOptions(tokenizer, prompt, options)
      const text = new TextStream(tokenizer, {
        opensReasoning: prompt.opensReasoning,
        stop: stopTexts(stop),
        // An answer that is held to a form and may call nothing: markers in it are text.
        tools: generate.constraint === undefined || tools !== undefined,
        ...(prompt.continues && { continues: true }),
        ...(toolDeltas && { toolDeltas }),
      })
      const answer = new Answer(text, partTokens ?? (generate.topLogprobs ?? 0) > 0)
      const tokens = engine.generate(prompt.ids, { ...generate, ...(reasoning && { reasoning }) })
      const pumped = pump(tokens, answer, sink)
      return async () => {
        await tokens.return()
        await pumped
      }
    },
    () => new Answer(undefined).finish(unstarted),
  )
}

/** Moves tokens into parts as they come, so that the clock does not depend on the consumer. */
async function pump(
  tokens: TokenStream,
  answer: Answer,
  sink: Sink<ChatPart, ChatFinish>,
): Promise<void> {
  const deliver = (parts: readonly ChatPart[]) => {
    for (const part of parts) sink.push(part)
  }
  try {
    for (;;) {
      const next = await tokens.next()
      if (next.done) {
        deliver(answer.end())
        sink.close(answer.finish(next.value), next.value.reason === 'cancelled')
        return
      }
      deliver(answer.push(next.value))
      if (answer.stopped) {
        const { value } = (await tokens.return()) as IteratorReturnResult<Finish>
        sink.close(answer.finish({ ...value, reason: 'stop' }))
        return
      }
    }
  } catch (error) {
    sink.fail(error)
  }
}

/** The answer so far. */
class Answer {
  readonly #stream: TextStream | undefined
  readonly #began: number = performance.now()
  readonly #toolCalls: ToolCall[] = []
  readonly #reportsTokens: boolean
  #tokens: Token[] = []
  #text = ''
  #reasoning = ''
  #reasoningEnd = 0

  constructor(stream: TextStream | undefined, reportsTokens = false) {
    this.#stream = stream
    this.#reportsTokens = reportsTokens
  }

  get stopped(): boolean {
    return this.#stream?.stopped ?? false
  }

  push(token: Token): ChatPart[] {
    if (this.#reportsTokens) this.#tokens.push(token)
    return this.#take(this.#stream?.push(token.id) ?? [])
  }

  end(): ChatPart[] {
    return this.#take(this.#stream?.end() ?? [])
  }

  finish(finish: Finish): ChatFinish {
    const stopText = this.#stream?.stopText
    return {
      ...finish,
      ...(stopText !== undefined && { stopText }),
      text: this.#text,
      reasoning: this.#reasoning,
      toolCalls: this.#toolCalls,
      reasoningMs: this.#reasoning === '' ? 0 : this.#reasoningEnd,
    }
  }

  #take(parts: readonly Part[]): ChatPart[] {
    const atMs = performance.now() - this.#began
    for (const part of parts) {
      if (part.type === 'reasoning') this.#reasoning += part.text
      else if (part.type === 'text') this.#text += part.text
      else if (part.type === 'tool-call') this.#toolCalls.push(part.toolCall)
    }
    // The closing tag yields no part of its own, so the clock runs with the state of the stream.
    if (this.#stream?.reasoning || parts.some((part) => part.type === 'reasoning')) {
      this.#reasoningEnd = atMs
    }
    return parts.map((part) => {
      const tokens = this.#tokens
      if (tokens.length === 0) return { ...part, atMs }
      this.#tokens = []
      return { ...part, atMs, tokens }
    })
  }
}

function stopTexts(stop: unknown): readonly string[] {
  const list: readonly unknown[] = stop === undefined ? [] : Array.isArray(stop) ? stop : [stop]
  return list.map((text, i) => {
    if (typeof text === 'string' && text !== '') return text
    const got = text === '' ? 'an empty one' : `${text === null ? 'null' : typeof text}`
    reject(`option stop: expected strings with at least one character, got ${got} at ${i}`)
  })
}

function reasoningOptions(
  tokenizer: Tokenizer,
  prompt: RenderedPrompt,
  { thinking, maxReasoningTokens, endThinking, constraint }: ChatOptions,
): ReasoningOptions | undefined {
  if (
    maxReasoningTokens !== undefined &&
    !(Number.isSafeInteger(maxReasoningTokens) && maxReasoningTokens >= 0)
  ) {
    reject(
      `option maxReasoningTokens: expected an integer of 0 or more, got ${String(maxReasoningTokens)}`,
    )
  }
  // A template without the switch has opened the thinking all the same: close it before the first id.
  const budget = thinking === false && prompt.opensReasoning ? 0 : maxReasoningTokens
  checkSignal(endThinking, 'endThinking')
  const callsId = tokenizer.idOf(toolMarkers.callsBegin)
  const closeId = tokenizer.idOf('</think>')
  // A constraint lets the model open its thinking, unless the caller wants none.
  const openId = constraint && thinking === false ? undefined : tokenizer.idOf('<think>')
  if (closeId === undefined) {
    if (budget === undefined) return undefined
    reject('option maxReasoningTokens: expected a tokenizer with a token </think>, got one without')
  }
  return {
    open: prompt.opensReasoning,
    ...(openId !== undefined && { openId }),
    closeId,
    ...(callsId !== undefined && { exitIds: [callsId] }),
    ...(budget !== undefined && { budget }),
    ...(endThinking && { endSignal: endThinking }),
    // What follows the tag (one newline or two) is left to the model, which knows its own habit.
    closeIds: Int32Array.of(...tokenizer.encode('\n'), closeId),
  }
}
