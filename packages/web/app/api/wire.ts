// The server's wire as this page uses it: DeepSeek's chat API plus Hadal's extensions. Types only, in one file,
// so that `@hadal/server/protocol` can take their place.

export interface WireMessage {
  role: 'system' | 'user' | 'assistant'
  content: string
  /** Only on a last assistant message with `prefix`: the thinking to go on from. */
  reasoning_content?: string
  /** Go on from this message instead of answering it. */
  prefix?: true
}

export interface ChatRequest {
  model: string
  messages: WireMessage[]
  stream: true
  stream_options: { include_usage: true }
  thinking: { type: 'enabled' | 'disabled' }
  max_reasoning_tokens?: number
  max_tokens?: number
  temperature?: number
  top_p?: number
}

export type FinishReason =
  | 'stop'
  | 'length'
  | 'tool_calls'
  | 'content_filter'
  | 'insufficient_system_resource'

export interface ToolCallDelta {
  index: number
  id?: string
  function?: { name?: string; arguments?: string }
}

export interface Usage {
  prompt_tokens: number
  completion_tokens: number
  prompt_cache_hit_tokens?: number
  completion_tokens_details?: { reasoning_tokens?: number }
}

/** Hadal's extension of the last chunk. */
export interface Timings {
  /** From the arrival of the request to its first token; null when there was none. */
  ttft_ms?: number | null
  /** null below two tokens. */
  tokens_per_second?: number | null
  /** From the beginning of the request to the end of the thinking; 0 without thinking. */
  reasoning_ms?: number
  cost?: { amount: number; currency: string } | null
}

export interface ChatChunk {
  id: string
  model?: string
  choices: {
    index: number
    delta: {
      role?: 'assistant'
      content?: string | null
      reasoning_content?: string | null
      tool_calls?: ToolCallDelta[]
    }
    finish_reason?: FinishReason | null
  }[]
  usage?: Usage | null
  hadal?: Timings
}

export interface WireError {
  error: { message: string; type?: string; code?: string | null }
}

export interface HealthLoading {
  status: 'loading'
  progress?: { stage: string; done: number; total: number }
}

/** 503 too: the model could not be loaded, or the server is shutting down. */
export interface HealthDown {
  status: 'failed' | 'draining'
  error?: string
}

export interface HealthOk {
  status: 'ok'
  model: string
  context_length?: number
}

export interface ModelList {
  data: { id: string }[]
}
