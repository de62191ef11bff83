// The server's wire as this page uses it. The types are the server's own; what is added says which part of them
// the page sends and reads.
import type { ChatCompletionChunk, ChatCompletionRequest } from '@hadal/server/protocol'

export type {
  FinishReason,
  HadalExtension,
  Health,
  ModelList,
  ToolCallDelta,
  Usage,
} from '@hadal/server/protocol'

export interface WireMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
  /** Only on a last assistant message with `prefix`: the thinking to go on from. */
  readonly reasoning_content?: string
  /** Go on from this message instead of answering it. */
  readonly prefix?: true
}

/** Always a stream with its usage. Without a model's name the server answers with the one that it has. */
export interface ChatRequest extends ChatCompletionRequest {
  readonly messages: readonly WireMessage[]
  readonly stream: true
  readonly stream_options: { readonly include_usage: true }
  readonly thinking: { readonly type: 'enabled' | 'disabled' }
}

type Choice = ChatCompletionChunk['choices'][number]

/** Of a chunk, what the page reads. */
export interface ChatChunk extends Pick<ChatCompletionChunk, 'id' | 'usage' | 'hadal'> {
  readonly model?: string
  readonly choices: readonly Pick<Choice, 'index' | 'delta' | 'finish_reason'>[]
}
