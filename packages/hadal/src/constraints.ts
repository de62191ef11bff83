// From what a caller asks of an answer (its format, its tool calls) to the constraint that the engine follows.
// Grammars are compiled once for each distinct wish; the last few are kept.
import { createHash } from 'node:crypto'
import type { Constraint } from '@hadal/engine'
import {
  type CompiledGrammar,
  type Content,
  contentGrammar,
  type Grammar,
  type ToolFormat,
  type ToolTokens,
  toolCalls,
  Vocabulary,
} from '@hadal/grammar'
import { type Tokenizer, toolMarkers } from '@hadal/text'
import { OptionError } from './options.ts'
import type { ChatOptions, ToolChoice } from './types.ts'

type Wish = Pick<ChatOptions, 'responseFormat' | 'toolChoice' | 'parallelToolCalls' | 'tools'>

const kept = 32

export class Constraints {
  readonly #tokenizer: Tokenizer
  readonly #size: number
  readonly #endIds: readonly number[]
  readonly #toolFormat: ToolFormat | undefined
  readonly #grammars = new Map<string, CompiledGrammar>()
  #vocabulary: Vocabulary | undefined

  /** `size`: ids of the model's logits. */
  constructor(
    tokenizer: Tokenizer,
    size: number,
    endIds: readonly number[],
    toolFormat: ToolFormat | undefined,
  ) {
    this.#tokenizer = tokenizer
    this.#size = size
    this.#endIds = endIds
    this.#toolFormat = toolFormat
  }

  /** The constraint, or undefined when the answer is free. Compiled when a request starts, which is where a GrammarError comes out. */
  of(wish: Wish): Constraint | undefined {
    const make = this.#grammarOf(wish)
    if (!make) return undefined
    let compiled: CompiledGrammar | undefined
    return {
      start: (options) => {
        // Others may have pushed it out since, as while the model thought.
        if (!compiled || compiled.disposed) compiled = this.#compile(wish, make)
        return compiled.start(options)
      },
    }
  }

  #grammarOf(wish: Wish): (() => Grammar) | undefined {
    const { responseFormat, tools = [], parallelToolCalls: parallel = true } = wish
    const choice = checkToolChoice(wish.toolChoice ?? 'auto', tools)
    const content: Content = checkFormat(responseFormat ?? { type: 'text' })
    const free = content.type === 'text'
    if (tools.length === 0 && free) return undefined
    if (tools.length === 0 || choice === 'none') return () => contentGrammar(content)
    if (choice === 'auto' && free && !tools.some(isStrict)) return undefined
    const { format, tokens } = this.#tools()
    return () => toolCalls(format, tools, { tokens, choice, parallel, content })
  }

  #tools(): { readonly format: ToolFormat; readonly tokens: ToolTokens } {
    const id = (marker: string): number => {
      const found = this.#tokenizer.idOf(marker)
      if (found !== undefined) return found
      throw new OptionError(
        `toolChoice: expected a model that knows tool calls, got one without the token ${marker}`,
      )
    }
    const tokens: ToolTokens = {
      callsBegin: id(toolMarkers.callsBegin),
      callsEnd: id(toolMarkers.callsEnd),
      callBegin: id(toolMarkers.callBegin),
      callEnd: id(toolMarkers.callEnd),
      separator: id(toolMarkers.separator),
    }
    return { format: this.#toolFormat ?? 'v3.1', tokens }
  }

  #compile(wish: Wish, make: () => Grammar): CompiledGrammar {
    const { responseFormat, toolChoice, parallelToolCalls, tools } = wish
    const key = keyOf([responseFormat, toolChoice, parallelToolCalls, tools])
    const known = key === undefined ? undefined : this.#grammars.get(key)
    this.#vocabulary ??= new Vocabulary(this.#tokenizer, {
      size: this.#size,
      endIds: this.#endIds,
    })
    const compiled = known ?? this.#vocabulary.compile(make())
    if (key === undefined) return compiled
    // The map's order is that of use.
    this.#grammars.delete(key)
    this.#grammars.set(key, compiled)
    const [oldest] = this.#grammars
    if (this.#grammars.size > kept && oldest) this.#drop(...oldest)
    return compiled
  }

  /** Frees its memory now: the collector sees a small handle, and none of the automaton and masks behind it. */
  #drop(key: string, grammar: CompiledGrammar): void {
    this.#grammars.delete(key)
    grammar.dispose()
  }
}

/** undefined for what cannot be written as JSON; compiling it says what is wrong. */
function keyOf(wish: readonly unknown[]): string | undefined {
  try {
    return createHash('sha256').update(JSON.stringify(wish)).digest('base64')
  } catch {
    return undefined
  }
}

const isStrict = (tool: unknown): boolean =>
  (tool as { function?: { strict?: unknown } } | null)?.function?.strict === true

function checkFormat(format: Content): Content {
  const known = ['text', 'json_object', 'json_schema', 'regex', 'choice']
  if (typeof format === 'object' && format !== null && known.includes(format.type)) return format
  const got = JSON.stringify((format as { type?: unknown } | null)?.type ?? format)
  throw new OptionError(`responseFormat.type: expected one of ${known.join(', ')}, got ${got}`)
}

function checkToolChoice(choice: ToolChoice, tools: readonly unknown[]): ToolChoice {
  const named = typeof choice === 'object' && choice !== null && typeof choice.name === 'string'
  if (!named && choice !== 'auto' && choice !== 'none' && choice !== 'required')
    throw new OptionError(
      `toolChoice: expected 'auto', 'none', 'required' or { name }, got ${JSON.stringify(choice)}`,
    )
  if ((named || choice === 'required') && tools.length === 0)
    throw new OptionError(`toolChoice: expected tools to choose from, got none`)
  return choice
}
