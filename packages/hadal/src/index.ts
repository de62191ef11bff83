export { CheckpointError } from '@hadal/checkpoint'
export {
  type ChatFinish,
  type ChatPart,
  type Constraint,
  type ConstraintState,
  type DrainOptions,
  EngineError,
  type EngineErrorCode,
  type EngineOptions,
  type EngineStats,
  type Finish,
  type FinishReason,
  type PrefixCacheStats,
  type SavedCache,
  type Stream,
  type Token,
} from '@hadal/engine'
export { GrammarError } from '@hadal/grammar'
export {
  type Forward,
  type ForwardOptions,
  ModelError,
  type ModelInfo,
  type ModelLimits,
  supportedModels,
} from '@hadal/model'
export { type Message, type Part, TextError, type Tokenizer, type ToolCall } from '@hadal/text'
export { load } from './load.ts'
export { OptionError } from './options.ts'
export type {
  ChatOptions,
  GenerateCallOptions,
  Llm,
  LlmInfo,
  LoadOptions,
  Progress,
  ResponseFormat,
  ToolChoice,
} from './types.ts'
