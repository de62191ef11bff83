// The chat wire: DeepSeek's fields, which are OpenAI's and more. Schemas: ../schema/chat.ts.
import type {
  FinishReason,
  HadalExtension,
  Maybe,
  SamplingFields,
  TokenLogprob,
  Usage,
} from './common.ts'

export interface TextContentPart {
  readonly type: 'text'
  readonly text: string
}

export type TextContent = string | readonly TextContentPart[]

export interface FunctionCall {
  readonly name: string
  /** JSON text, as the model wrote it. */
  readonly arguments: string
}

export interface ChatToolCall {
  readonly id: string
  readonly type: 'function'
  readonly function: FunctionCall
}

export interface SystemMessage {
  readonly role: 'system' | 'developer'
  readonly content: TextContent
  readonly name?: Maybe<string>
}

export interface UserMessage {
  readonly role: 'user'
  readonly content: TextContent
  readonly name?: Maybe<string>
}

export interface AssistantMessage {
  readonly role: 'assistant'
  readonly content?: Maybe<TextContent>
  readonly name?: Maybe<string>
  /** What was thought; used inside a tool loop and with `prefix`, dropped in earlier turns. */
  readonly reasoning_content?: Maybe<string>
  /** The same under the name that some servers use. */
  readonly reasoning?: Maybe<string>
  readonly tool_calls?: Maybe<readonly ChatToolCall[]>
  /** The last message alone: the answer goes on from here. */
  readonly prefix?: Maybe<boolean>
}

export interface ToolMessage {
  readonly role: 'tool'
  readonly content: TextContent
  readonly tool_call_id: string
  readonly name?: Maybe<string>
}

export type ChatMessage = SystemMessage | UserMessage | AssistantMessage | ToolMessage

export interface ChatTool {
  readonly type: 'function'
  readonly function: {
    readonly name: string
    readonly description?: Maybe<string>
    readonly parameters?: Maybe<Readonly<Record<string, unknown>>>
    readonly strict?: Maybe<boolean>
  }
}

export type ChatToolChoice =
  | 'none'
  | 'auto'
  | 'required'
  | { readonly type: 'function'; readonly function: { readonly name: string } }

export type ChatResponseFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json_object' }
  | {
      readonly type: 'json_schema'
      readonly json_schema: {
        readonly name?: Maybe<string>
        readonly description?: Maybe<string>
        readonly schema: Readonly<Record<string, unknown>>
        readonly strict?: Maybe<boolean>
      }
    }
  | { readonly type: 'regex'; readonly pattern: string }
  | { readonly type: 'choice'; readonly choices: readonly string[] }

export type ReasoningEffort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max'

export interface ChatCompletionRequest extends SamplingFields {
  readonly model?: Maybe<string>
  readonly messages: readonly ChatMessage[]
  readonly max_completion_tokens?: Maybe<number>
  readonly logprobs?: Maybe<boolean>
  readonly top_logprobs?: Maybe<number>
  readonly tools?: Maybe<readonly ChatTool[]>
  readonly tool_choice?: Maybe<ChatToolChoice>
  readonly parallel_tool_calls?: Maybe<boolean>
  readonly response_format?: Maybe<ChatResponseFormat>
  readonly thinking?: Maybe<{
    readonly type: 'enabled' | 'disabled'
    readonly budget_tokens?: Maybe<number>
  }>
  readonly reasoning_effort?: Maybe<ReasoningEffort>
  readonly max_reasoning_tokens?: Maybe<number>
  readonly chat_template_kwargs?: Maybe<{
    readonly thinking?: Maybe<boolean>
    readonly enable_thinking?: Maybe<boolean>
  }>
}

export interface ChoiceLogprobs {
  readonly content: readonly TokenLogprob[] | null
  readonly reasoning_content: readonly TokenLogprob[] | null
}

export interface ChatCompletionMessage {
  readonly role: 'assistant'
  readonly content: string
  readonly reasoning_content?: string | undefined
  readonly tool_calls?: readonly ChatToolCall[] | undefined
}

export interface ChatCompletion {
  readonly id: string
  readonly object: 'chat.completion'
  readonly created: number
  readonly model: string
  readonly system_fingerprint: string
  readonly choices: readonly {
    readonly index: number
    readonly message: ChatCompletionMessage
    readonly logprobs: ChoiceLogprobs | null
    readonly finish_reason: FinishReason
  }[]
  readonly usage: Usage
  readonly hadal: HadalExtension
}

export interface ToolCallDelta {
  readonly index: number
  readonly id?: string | undefined
  readonly type?: 'function' | undefined
  readonly function: { readonly name?: string | undefined; readonly arguments: string }
}

export interface ChatDelta {
  readonly role?: 'assistant' | undefined
  readonly content?: string | null | undefined
  readonly reasoning_content?: string | null | undefined
  readonly tool_calls?: readonly ToolCallDelta[] | undefined
}

export interface ChatCompletionChunk {
  readonly id: string
  readonly object: 'chat.completion.chunk'
  readonly created: number
  readonly model: string
  readonly system_fingerprint: string
  readonly choices: readonly {
    readonly index: number
    readonly delta: ChatDelta
    readonly logprobs: ChoiceLogprobs | null
    readonly finish_reason: FinishReason | null
  }[]
  /** With `stream_options.include_usage`: null but in the last chunk. */
  readonly usage?: Usage | null | undefined
  /** In the last chunk alone. */
  readonly hadal?: HadalExtension | undefined
}

/** The answer of `/v1/chat/completions/{id}/end_thinking` and `…/cancel`. */
export interface ControlResult {
  readonly id: string
  readonly object: 'chat.completion.control'
  readonly action: 'end_thinking' | 'cancel'
}
