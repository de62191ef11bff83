// What the server needs of a model: ids, text, parts. Structural, so that `Llm` of the package hadal satisfies it
// and the server knows neither files nor weights.
import type {
  ChatFinish,
  ChatOptions,
  ChatPart,
  EngineStats,
  Finish,
  GenerateOptions,
  Stream,
  Token,
} from '@hadal/engine'
import type { Message, Tokenizer } from '@hadal/text'

/** What constrains the answer; compiled by whoever provides the model. */
export type ResponseFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json_object' }
  | {
      readonly type: 'json_schema'
      readonly schema: unknown
      readonly name?: string
      readonly strict?: boolean
    }
  | { readonly type: 'regex'; readonly pattern: string }
  | { readonly type: 'choice'; readonly choices: readonly string[] }

export type ToolChoice = 'none' | 'auto' | 'required' | { readonly name: string }

/** The engine's, with what constrains the answer in words instead of compiled. */
export interface ServedChatOptions extends Omit<ChatOptions, 'constraint'> {
  readonly responseFormat?: ResponseFormat
  readonly toolChoice?: ToolChoice
}

/** Of `chat`, or of `generate`, which knows no text. */
export type ServedFinish = Finish & Partial<Omit<ChatFinish, keyof Finish>>

/** A piece of an answer: of `chat`, or text made of the tokens of `generate`. */
export type ServedPart = ChatPart
export type PartStream = Stream<ServedPart, ServedFinish>

export interface ServedModel {
  readonly info: {
    readonly architecture: string
    readonly vocabularySize: number
    readonly contextLength: number
    /** How requests that do not say sample. */
    readonly sampling?: { readonly temperature: number; readonly topP: number }
  }
  readonly limits: { readonly maxSequences: number }
  readonly stats: EngineStats
  readonly tokenizer: Tokenizer
  chat(messages: readonly Message[], options?: ServedChatOptions): Stream<ServedPart, ChatFinish>
  /** Tokens of the prompt that `chat` would make of these. */
  countTokens?(
    messages: readonly Message[],
    options?: Pick<ServedChatOptions, 'tools' | 'thinking' | 'prefix'>,
  ): number
  generate(
    prompt: Int32Array | readonly number[],
    options?: Omit<GenerateOptions, 'constraint'>,
  ): Stream<Token, Finish>
}

export interface LoadProgress {
  readonly stage: string
  readonly done: number
  readonly total: number
}
