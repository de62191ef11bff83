// OpenAI's Responses wire, as open-weight servers speak it: the thinking is an item with its whole text. Schemas:
// ../schema/responses.ts and ../schema/response-events.ts.
import type { HadalExtension, Maybe, SamplingFields, TokenLogprob } from './common.ts'

export type ItemStatus = 'in_progress' | 'completed' | 'incomplete'

export interface InputText {
  readonly type: 'input_text' | 'output_text' | 'text'
  readonly text: string
}

export type InputContent = string | readonly InputText[]

export interface InputMessage {
  readonly type?: Maybe<'message'>
  readonly role: 'user' | 'system' | 'developer' | 'assistant'
  readonly content: InputContent
}

export interface InputReasoning {
  readonly type: 'reasoning'
  readonly content?: Maybe<readonly { readonly type: 'reasoning_text'; readonly text: string }[]>
}

export interface InputFunctionCall {
  readonly type: 'function_call'
  readonly call_id: string
  readonly name: string
  readonly arguments: string
}

export interface InputFunctionOutput {
  readonly type: 'function_call_output'
  readonly call_id: string
  readonly output: InputContent
}

export type InputItem = InputMessage | InputReasoning | InputFunctionCall | InputFunctionOutput

export interface FunctionTool {
  readonly type: 'function'
  readonly name: string
  readonly description?: Maybe<string>
  readonly parameters?: Maybe<Readonly<Record<string, unknown>>>
  readonly strict?: Maybe<boolean>
}

export type ResponsesToolChoice =
  | 'none'
  | 'auto'
  | 'required'
  | { readonly type: 'function'; readonly name: string }

export type TextFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json_object' }
  | {
      readonly type: 'json_schema'
      readonly name: string
      readonly description?: Maybe<string>
      readonly schema: Readonly<Record<string, unknown>>
      readonly strict?: Maybe<boolean>
    }

export type Effort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max'

/** Sampling as in chat, for a single answer. */
type OneAnswer = Omit<SamplingFields, 'n' | 'max_tokens' | 'stream_options'>

export interface ResponsesRequest extends OneAnswer {
  readonly model?: Maybe<string>
  readonly input: string | readonly InputItem[]
  /** The system's words for this response alone; a response that goes on from it does not inherit them. */
  readonly instructions?: Maybe<string>
  readonly max_output_tokens?: Maybe<number>
  readonly reasoning?: Maybe<{
    readonly effort?: Maybe<Effort>
    /** Accepted; the whole thinking is given instead of a summary. */
    readonly summary?: Maybe<'auto' | 'concise' | 'detailed'>
  }>
  readonly text?: Maybe<{ readonly format?: Maybe<TextFormat> }>
  readonly tools?: Maybe<readonly FunctionTool[]>
  readonly tool_choice?: Maybe<ResponsesToolChoice>
  readonly parallel_tool_calls?: Maybe<boolean>
  readonly top_logprobs?: Maybe<number>
  readonly include?: Maybe<
    readonly ('message.output_text.logprobs' | 'reasoning.encrypted_content')[]
  >
  /** Keep it in memory, so that others can go on from it. Default true. */
  readonly store?: Maybe<boolean>
  readonly previous_response_id?: Maybe<string>
  readonly metadata?: Maybe<Readonly<Record<string, string>>>
  readonly safety_identifier?: Maybe<string>
  readonly prompt_cache_key?: Maybe<string>
  readonly max_tool_calls?: Maybe<number>
}

export interface ReasoningText {
  readonly type: 'reasoning_text'
  readonly text: string
}

export interface OutputText {
  readonly type: 'output_text'
  readonly text: string
  readonly annotations: readonly never[]
  readonly logprobs: readonly TokenLogprob[]
}

export interface ReasoningItem {
  readonly id: string
  readonly type: 'reasoning'
  readonly status: ItemStatus
  readonly summary: readonly never[]
  readonly content: readonly ReasoningText[]
}

export interface MessageItem {
  readonly id: string
  readonly type: 'message'
  readonly role: 'assistant'
  readonly status: ItemStatus
  readonly content: readonly OutputText[]
}

export interface FunctionCallItem {
  readonly id: string
  readonly type: 'function_call'
  readonly status: ItemStatus
  readonly call_id: string
  readonly name: string
  readonly arguments: string
}

export type OutputItem = ReasoningItem | MessageItem | FunctionCallItem

export interface ResponsesUsage {
  readonly input_tokens: number
  readonly input_tokens_details: { readonly cached_tokens: number }
  readonly output_tokens: number
  readonly output_tokens_details: { readonly reasoning_tokens: number }
  readonly total_tokens: number
}

export type ResponseStatus = 'in_progress' | 'completed' | 'incomplete' | 'failed' | 'cancelled'

export interface ResponseResource {
  readonly id: string
  readonly object: 'response'
  readonly created_at: number
  readonly completed_at: number | null
  readonly status: ResponseStatus
  readonly error: { readonly code: string; readonly message: string } | null
  readonly incomplete_details: { readonly reason: 'max_output_tokens' } | null
  readonly model: string
  readonly previous_response_id: string | null
  readonly instructions: string | null
  readonly output: readonly OutputItem[]
  readonly usage: ResponsesUsage | null
  readonly tools: readonly FunctionTool[]
  readonly tool_choice: ResponsesToolChoice
  readonly parallel_tool_calls: boolean
  readonly reasoning: { readonly effort: Effort | null; readonly summary: null }
  readonly text: { readonly format: TextFormat }
  readonly temperature: number
  readonly top_p: number
  readonly presence_penalty: number
  readonly frequency_penalty: number
  readonly top_logprobs: number
  readonly max_output_tokens: number | null
  readonly max_tool_calls: number | null
  readonly truncation: 'disabled'
  readonly store: boolean
  readonly background: false
  readonly service_tier: 'default'
  readonly metadata: Readonly<Record<string, string>>
  readonly user: string | null
  readonly safety_identifier: string | null
  readonly prompt_cache_key: string | null
  /** Once it has ended. */
  readonly hadal?: HadalExtension | undefined
}

interface Numbered<Type extends string> {
  readonly type: Type
  /** From 0, one more with each event. */
  readonly sequence_number: number
}

interface OfItem<Type extends string> extends Numbered<Type> {
  readonly item_id: string
  readonly output_index: number
}

interface OfContent<Type extends string> extends OfItem<Type> {
  readonly content_index: number
}

export interface ResponseStateEvent
  extends Numbered<
    | 'response.created'
    | 'response.in_progress'
    | 'response.completed'
    | 'response.incomplete'
    | 'response.failed'
  > {
  readonly response: ResponseResource
}

export interface OutputItemEvent
  extends Numbered<'response.output_item.added' | 'response.output_item.done'> {
  readonly output_index: number
  readonly item: OutputItem
}

export interface ContentPartEvent
  extends OfContent<'response.content_part.added' | 'response.content_part.done'> {
  readonly part: OutputText | ReasoningText
}

export interface OutputTextDelta extends OfContent<'response.output_text.delta'> {
  readonly delta: string
  readonly logprobs: readonly TokenLogprob[]
}

export interface OutputTextDone extends OfContent<'response.output_text.done'> {
  readonly text: string
  readonly logprobs: readonly TokenLogprob[]
}

export interface ReasoningTextDelta extends OfContent<'response.reasoning_text.delta'> {
  readonly delta: string
}

export interface ReasoningTextDone extends OfContent<'response.reasoning_text.done'> {
  readonly text: string
}

export interface ArgumentsDelta extends OfItem<'response.function_call_arguments.delta'> {
  readonly delta: string
}

export interface ArgumentsDone extends OfItem<'response.function_call_arguments.done'> {
  readonly name: string
  readonly arguments: string
}

export type ResponseEvent =
  | ResponseStateEvent
  | OutputItemEvent
  | ContentPartEvent
  | OutputTextDelta
  | OutputTextDone
  | ReasoningTextDelta
  | ReasoningTextDone
  | ArgumentsDelta
  | ArgumentsDone

/** The answer of `DELETE /v1/responses/{id}`. */
export interface ResponseDeleted {
  readonly id: string
  readonly object: 'response.deleted'
  readonly deleted: true
}
