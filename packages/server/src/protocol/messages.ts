// Anthropic's Messages wire. Schemas: ../schema/messages.ts.
import type { HadalExtension, Maybe } from './common.ts'

interface Cacheable {
  /** Accepted; the prefix cache finds by itself what is there. */
  readonly cache_control?: Maybe<unknown>
}

export interface TextBlockParam extends Cacheable {
  readonly type: 'text'
  readonly text: string
}

export interface ThinkingBlockParam {
  readonly type: 'thinking'
  readonly thinking: string
}

/** Thinking that only its maker can read: left out. */
export interface RedactedThinkingBlockParam {
  readonly type: 'redacted_thinking'
  readonly data: string
}

export interface ToolUseBlockParam extends Cacheable {
  readonly type: 'tool_use'
  readonly id: string
  readonly name: string
  readonly input: Readonly<Record<string, unknown>>
}

export interface ToolResultBlockParam extends Cacheable {
  readonly type: 'tool_result'
  readonly tool_use_id: string
  readonly content?: Maybe<string | readonly TextBlockParam[]>
  /** Accepted; templates have no place for it, the content says what went wrong. */
  readonly is_error?: Maybe<boolean>
}

export type ContentBlockParam =
  | TextBlockParam
  | ThinkingBlockParam
  | RedactedThinkingBlockParam
  | ToolUseBlockParam
  | ToolResultBlockParam

export interface MessageParam {
  readonly role: 'user' | 'assistant' | 'system'
  readonly content: string | readonly ContentBlockParam[]
}

export interface MessagesTool extends Cacheable {
  readonly type?: Maybe<'custom'>
  readonly name: string
  readonly description?: Maybe<string>
  readonly input_schema: Readonly<Record<string, unknown>>
  readonly strict?: Maybe<boolean>
}

export type MessagesToolChoice =
  | { readonly type: 'auto' | 'any'; readonly disable_parallel_tool_use?: Maybe<boolean> }
  | {
      readonly type: 'tool'
      readonly name: string
      readonly disable_parallel_tool_use?: Maybe<boolean>
    }
  | { readonly type: 'none' }

export interface ThinkingParam {
  readonly type: 'enabled' | 'disabled' | 'adaptive'
  readonly budget_tokens?: Maybe<number>
  /** `omitted`: blocks of thinking without their text. */
  readonly display?: Maybe<'summarized' | 'omitted'>
}

/** What of a request shapes its prompt. */
export interface CountTokensRequest {
  readonly model?: Maybe<string>
  readonly messages: readonly MessageParam[]
  readonly system?: Maybe<string | readonly TextBlockParam[]>
  readonly thinking?: Maybe<ThinkingParam>
  readonly tools?: Maybe<readonly MessagesTool[]>
  readonly tool_choice?: Maybe<MessagesToolChoice>
  readonly output_config?: Maybe<{
    readonly effort?: Maybe<string>
    readonly format?: Maybe<{
      readonly type: 'json_schema'
      readonly schema: Readonly<Record<string, unknown>>
    }>
  }>
}

export interface MessagesRequest extends CountTokensRequest {
  readonly max_tokens: number
  readonly stop_sequences?: Maybe<readonly string[]>
  readonly stream?: Maybe<boolean>
  readonly temperature?: Maybe<number>
  readonly top_p?: Maybe<number>
  readonly top_k?: Maybe<number>
  readonly metadata?: Maybe<Readonly<Record<string, unknown>>>
  readonly service_tier?: Maybe<'auto' | 'standard_only'>
}

export type ContentBlock =
  | { readonly type: 'thinking'; readonly thinking: string; readonly signature: string }
  | { readonly type: 'text'; readonly text: string; readonly citations: null }
  | {
      readonly type: 'tool_use'
      readonly id: string
      readonly name: string
      readonly input: Readonly<Record<string, unknown>>
    }

export type StopReason =
  | 'end_turn'
  | 'max_tokens'
  | 'stop_sequence'
  | 'tool_use'
  | 'pause_turn'
  | 'model_context_window_exceeded'

export interface MessagesUsage {
  /** Of the prompt, what was not in the cache. */
  readonly input_tokens: number
  readonly cache_read_input_tokens: number
  readonly cache_creation_input_tokens: number
  /** Thinking included. */
  readonly output_tokens: number
  readonly output_tokens_details: { readonly thinking_tokens: number }
}

export interface AnthropicMessage {
  readonly id: string
  readonly type: 'message'
  readonly role: 'assistant'
  readonly model: string
  readonly content: readonly ContentBlock[]
  readonly stop_reason: StopReason | null
  readonly stop_sequence: string | null
  readonly usage: MessagesUsage
  readonly hadal?: HadalExtension | undefined
}

export type BlockDelta =
  | { readonly type: 'thinking_delta'; readonly thinking: string }
  | { readonly type: 'signature_delta'; readonly signature: string }
  | { readonly type: 'text_delta'; readonly text: string }
  | { readonly type: 'input_json_delta'; readonly partial_json: string }

export type MessageEvent =
  | { readonly type: 'message_start'; readonly message: AnthropicMessage }
  | {
      readonly type: 'content_block_start'
      readonly index: number
      readonly content_block: ContentBlock
    }
  | { readonly type: 'content_block_delta'; readonly index: number; readonly delta: BlockDelta }
  | { readonly type: 'content_block_stop'; readonly index: number }
  | {
      readonly type: 'message_delta'
      readonly delta: { readonly stop_reason: StopReason; readonly stop_sequence: string | null }
      readonly usage: MessagesUsage
      readonly hadal: HadalExtension
    }
  | { readonly type: 'message_stop' }
  | { readonly type: 'ping' }
  | AnthropicErrorBody

export interface AnthropicErrorBody {
  readonly type: 'error'
  readonly error: { readonly type: string; readonly message: string }
  readonly request_id?: string | undefined
}

export interface CountTokensResult {
  readonly input_tokens: number
}
