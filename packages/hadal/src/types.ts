// What people touch. Everything here is part of the public API.
import type {
  ChatFinish,
  ChatPart,
  DrainOptions,
  ChatOptions as EngineChatOptions,
  EngineOptions,
  EngineStats,
  Finish,
  GenerateOptions,
  SavedCache,
  Stream,
  Token,
} from '@hadal/engine'
import type { Forward, ForwardOptions, ModelInfo, ModelLimits } from '@hadal/model'
import type { Message, Tokenizer } from '@hadal/text'

export interface Progress {
  /** What is being done, e.g. `reading weights`. */
  readonly stage: string
  readonly done: number
  readonly total: number
}

export interface LoadOptions extends EngineOptions {
  /**
   * `'auto'` (default) takes a GPU where the CUDA backend is usable and has kernels for all that the model
   * needs, else the CPU; `llm.info.deviceReason` then says why. `'cuda'` throws ERR_HADAL_UNSUPPORTED with
   * that sentence instead. Today some kernels are still to come, so that every model runs on the CPU.
   */
  readonly device?: 'auto' | 'cpu' | 'cuda'
  /** `'fast'` (default): vector kernels. `'reference'`: the scalar oracle of every operation, slow. */
  readonly precision?: 'fast' | 'reference'
  /** Threads of the kernels. Default: the physical cores that this process may use. */
  readonly threads?: number
  /** Longest sequence in tokens. Default: the model's, at most 8192 and what kvBytes holds (not below 1024). */
  readonly contextLength?: number
  /** Bytes for the KV cache; memory is taken as sequences grow. Default: what 32 sequences need, at most a quarter of free memory. */
  readonly kvBytes?: number
  /** Most requests in one step. Default 32. */
  readonly maxSequences?: number
  /** Most tokens in one step. Default 256. */
  readonly maxTokens?: number
  /** Forces a kernel set: `'avx512bf16'`, `'avx512vbmi'`, `'avx512'`, `'avx2'` or `'portable'`. */
  readonly isa?: string
  /**
   * A file for the prefix cache: read at load, if it is there and fits this model, and written at
   * dispose. It tells what was asked and answered; only this user can read it.
   */
  readonly prefixCachePath?: string
  readonly onProgress?: (progress: Progress) => void
}

/** What the answer's text must be. Enforced id by id; docs/structured-output.md lists what a schema may say. */
export type ResponseFormat =
  | { readonly type: 'text' }
  /** Any JSON object. */
  | { readonly type: 'json_object' }
  | {
      readonly type: 'json_schema'
      readonly schema: unknown
      readonly name?: string
      readonly strict?: boolean
    }
  /** The whole text matches. */
  | { readonly type: 'regex'; readonly pattern: string }
  | { readonly type: 'choice'; readonly choices: readonly string[] }

/** Whether tools may, must not or must be called; `{ name }`: this one. */
export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string }

export interface ChatOptions extends Omit<EngineChatOptions, 'constraint'> {
  /** Default: text. The model thinks freely first. A schema that is not supported is a GrammarError. */
  readonly responseFormat?: ResponseFormat
  /** Default 'auto': the model decides; its calls are held to the tools' schemas if one says `strict: true`. */
  readonly toolChoice?: ToolChoice
  /** Several calls in one answer, where calls are enforced. Default true. */
  readonly parallelToolCalls?: boolean
  /** Called once at the end, with the reason, counts and speed. */
  readonly onFinish?: (finish: ChatFinish) => void
}

/** What of the options shapes the prompt. */
export type PromptOptions = Pick<ChatOptions, 'tools' | 'thinking' | 'prefix'>

export type GenerateCallOptions = GenerateOptions & {
  /** Called once at the end. */
  readonly onFinish?: (finish: Finish) => void
}

export interface LlmInfo extends ModelInfo {
  /** The checkpoint's folder. */
  readonly path: string
  readonly contextLength: number
  /** Bytes that the KV cache may grow to. */
  readonly kvBudgetBytes: number
  /** The chat template has a switch for thinking. */
  readonly thinkingSwitch: boolean
  /** How calls that do not say sample: by generation_config.json. */
  readonly sampling: { readonly temperature: number; readonly topP: number }
}

export interface Llm {
  readonly info: LlmInfo
  readonly limits: ModelLimits
  readonly tokenizer: Tokenizer
  /** Requests, blocks, speed, right now. */
  readonly stats: EngineStats
  /**
   * Answers a conversation. Parts stream as they come: `reasoning`, then `text`; `tool-call` where the model calls one.
   * `break`, `return()` and `options.signal` stop the work at once.
   */
  chat(messages: readonly Message[], options?: ChatOptions): Stream<ChatPart, ChatFinish>
  /** Tokens of the prompt that `chat` would make of these; throws what chat would throw of them. */
  countTokens(messages: readonly Message[], options?: PromptOptions): number
  /** Continues ids, or text that is encoded with its begin-of-sentence id. */
  generate(
    prompt: Int32Array | readonly number[] | string,
    options?: GenerateCallOptions,
  ): Stream<Token, Finish>
  /** Logits of every position, and with `mtp` those of the multi-token-prediction module: row t predicts token t + 2. */
  forward(ids: Int32Array | readonly number[], options?: ForwardOptions): Promise<Forward>
  /** Writes the prefix cache to a file, which only this user can read. */
  savePrefixCache(path: string): Promise<SavedCache>
  /** Reads a saved prefix cache of the same checkpoint; EngineError ERR_HADAL_CACHE_FILE says what does not fit. */
  loadPrefixCache(path: string): Promise<SavedCache>
  /** Takes no more requests (ERR_HADAL_DRAINING), lets those that are in end, and cancels the rest after `timeoutMs`. */
  drain(options?: DrainOptions): Promise<{ readonly cancelled: number }>
  /** Cancels what runs and frees everything. Idempotent. */
  dispose(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
