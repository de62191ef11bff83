// Plain completions, models, tokens, health. Schemas: ../schema/other.ts.
import type { FinishReason, HadalExtension, Maybe, SamplingFields, Usage } from './common.ts'

export interface CompletionRequest extends SamplingFields {
  readonly model?: Maybe<string>
  /** Text, ids, or several of either. */
  readonly prompt: string | readonly string[] | readonly number[] | readonly (readonly number[])[]
  /** Fill in the middle: what comes after the gap. */
  readonly suffix?: Maybe<string>
  readonly echo?: Maybe<boolean>
  readonly best_of?: Maybe<number>
  /** Alternatives to report per token, 0 to 20. */
  readonly logprobs?: Maybe<number>
}

export interface CompletionLogprobs {
  readonly tokens: readonly string[]
  readonly token_logprobs: readonly number[]
  readonly top_logprobs: readonly Readonly<Record<string, number>>[] | null
  readonly text_offset: readonly number[]
}

/** The response, and each chunk when streaming. */
export interface Completion {
  readonly id: string
  readonly object: 'text_completion'
  readonly created: number
  readonly model: string
  readonly system_fingerprint: string
  readonly choices: readonly {
    readonly index: number
    readonly text: string
    readonly logprobs: CompletionLogprobs | null
    readonly finish_reason: FinishReason | null
  }[]
  readonly usage?: Usage | null | undefined
  readonly hadal?: HadalExtension | undefined
}

export interface Model {
  readonly id: string
  readonly object: 'model'
  readonly created: number
  readonly owned_by: string
  /** The longest sequence, in tokens. */
  readonly context_length: number
  readonly architecture: string
}

export interface ModelList {
  readonly object: 'list'
  readonly data: readonly Model[]
}

export interface TokenizeRequest {
  readonly model?: Maybe<string>
  /** The text; `prompt` is the same under another server's name. */
  readonly content?: Maybe<string>
  readonly prompt?: Maybe<string>
  /** Put the begin-of-sentence id first. Default false. */
  readonly add_special_tokens?: Maybe<boolean>
  /** Names of special tokens in the text become their ids. Default false. */
  readonly parse_special?: Maybe<boolean>
}

export interface TokenizeResponse {
  readonly tokens: readonly number[]
  readonly count: number
  readonly max_model_len: number
}

export interface DetokenizeRequest {
  readonly model?: Maybe<string>
  readonly tokens: readonly number[]
}

export interface DetokenizeResponse {
  readonly content: string
  readonly prompt: string
}

export interface Health {
  readonly status: 'ok' | 'loading' | 'draining' | 'failed'
  readonly model: string
  /** Once the model is there. */
  readonly context_length?: number | undefined
  readonly progress?:
    | { readonly stage: string; readonly done: number; readonly total: number }
    | undefined
  readonly error?: string | undefined
}
