// Types that several endpoints share. Clients often send null for what they leave out: both mean absent.

export type Maybe<T> = T | null | undefined

export interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    /** The path of the field at fault, e.g. `messages[0].content`. */
    readonly param: string | null
    readonly code: string | null
  }
}

export interface Usage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
  /** Prompt tokens whose KV was there already. */
  readonly prompt_cache_hit_tokens: number
  readonly prompt_cache_miss_tokens: number
  readonly prompt_tokens_details: { readonly cached_tokens: number }
  readonly completion_tokens_details: { readonly reasoning_tokens: number }
}

/** What only Hadal says, in the last chunk or in the response. */
export interface HadalExtension {
  /** From the arrival of the request to its first token; null when there was none. */
  readonly ttft_ms: number | null
  /** Pace of the first choice after its first token; null below two tokens. */
  readonly tokens_per_second: number | null
  /** From the beginning of the request to the end of the thinking; 0 without thinking. */
  readonly reasoning_ms: number
  /** Why the work was cut short from outside, if it was. */
  readonly stopped: 'cancelled' | 'shutdown' | 'timeout' | null
  /** Present when the server has a price list. */
  readonly cost?: { readonly amount: number; readonly currency: string } | undefined
}

export interface TopLogprob {
  readonly token: string
  readonly logprob: number
  readonly bytes: readonly number[]
}

export interface TokenLogprob extends TopLogprob {
  readonly top_logprobs: readonly TopLogprob[]
}

export interface StreamOptions {
  readonly include_usage?: Maybe<boolean>
  readonly include_obfuscation?: Maybe<boolean>
}

/** Sampling options of chat and of plain completions. */
export interface SamplingFields {
  readonly temperature?: Maybe<number>
  readonly top_p?: Maybe<number>
  readonly top_k?: Maybe<number>
  readonly min_p?: Maybe<number>
  readonly repetition_penalty?: Maybe<number>
  readonly presence_penalty?: Maybe<number>
  readonly frequency_penalty?: Maybe<number>
  readonly seed?: Maybe<number>
  readonly stop?: Maybe<string | readonly string[]>
  readonly max_tokens?: Maybe<number>
  readonly n?: Maybe<number>
  readonly logit_bias?: Maybe<Readonly<Record<string, number>>>
  readonly priority?: Maybe<number>
  readonly stream?: Maybe<boolean>
  readonly stream_options?: Maybe<StreamOptions>
  readonly user?: Maybe<string>
}

/** Why a choice ended. */
export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'insufficient_system_resource'
