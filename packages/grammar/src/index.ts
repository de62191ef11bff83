export { GrammarError, limits } from './error.ts'
export type { Grammar } from './ir.ts'
export { jsonSchema } from './json-schema.ts'
export { choice, jsonObject, regex, text } from './texts.ts'
export {
  type Content,
  contentGrammar,
  type ToolCallOptions,
  type ToolFormat,
  type ToolTokens,
  toolCalls,
} from './tool-calls.ts'
export {
  CompiledGrammar,
  Matcher,
  type TokenSource,
  Vocabulary,
  type VocabularyOptions,
} from './vocabulary.ts'
