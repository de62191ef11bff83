// Tool calls as DeepSeek writes them, with arguments by the tools' schemas. The markers are tokens of their own,
// so no text can be taken for one. Formats: V3 and R1 `function SEP NAME\n```json\n{…}\n```; V3.1 `NAME SEP {…}`.
import { GrammarError, show } from './error.ts'
import { Builder, type Grammar, type Node } from './ir.ts'
import { schemaNode } from './json-schema.ts'
import { JsonText } from './json-text.ts'
import { choiceNode, freeText, patternNode } from './texts.ts'

export type ToolFormat = 'v3' | 'v3.1'

/** Ids of the markers. */
export interface ToolTokens {
  readonly callsBegin: number
  readonly callsEnd: number
  readonly callBegin: number
  readonly callEnd: number
  readonly separator: number
}

/** What an answer's text may be. */
export type Content =
  | { readonly type: 'text' }
  | { readonly type: 'json_object' }
  | { readonly type: 'json_schema'; readonly schema: unknown }
  | { readonly type: 'regex'; readonly pattern: string }
  | { readonly type: 'choice'; readonly choices: readonly string[] }

export interface ToolCallOptions {
  readonly tokens: ToolTokens
  /** `auto`: text, or text and then calls. `required`: calls alone. A name: calls of that tool. Default auto. */
  readonly choice?: 'auto' | 'required' | { readonly name: string }
  /** Several calls in one answer. Default true. */
  readonly parallel?: boolean
  /** With `auto`: the text when no tool is called; a form other than `text` has no calls after it. */
  readonly content?: Content
}

const mostCalls = 32
const mostTools = 256

interface Tool {
  readonly name: string
  readonly parameters: unknown
}

function readTools(tools: unknown): Tool[] {
  if (!Array.isArray(tools) || tools.length === 0 || tools.length > mostTools)
    throw new GrammarError(`tools: expected a list of 1 to ${mostTools}, got ${show(tools)}`, {
      keyword: 'tools',
    })
  return tools.map((tool: unknown, i) => {
    const own = (tool as { function?: unknown } | null)?.function ?? tool
    const { name, parameters } = (own ?? {}) as { name?: unknown; parameters?: unknown }
    // A name of other characters could end the head of a call.
    if (typeof name !== 'string' || !/^[\w.:/-]{1,256}$/.test(name))
      throw new GrammarError(
        `tools[${i}].function.name: expected 1 to 256 of letters, digits and _-.:/, got ${show(name)}`,
        { keyword: 'tools' },
      )
    return { name, parameters }
  })
}

function argumentsNode(b: Builder, tool: Tool): Node {
  if (tool.parameters === undefined || tool.parameters === null) return new JsonText(b).object
  try {
    return schemaNode(b, tool.parameters)
  } catch (error) {
    if (!(error instanceof GrammarError)) throw error
    const { keyword, path } = error
    throw new GrammarError(`tool ${tool.name}: ${error.message}`, {
      ...(keyword !== undefined && { keyword }),
      ...(path !== undefined && { path }),
      cause: error,
    })
  }
}

export function contentNode(b: Builder, content: Content): Node {
  switch (content.type) {
    case 'json_object':
      return new JsonText(b).object
    case 'json_schema':
      return schemaNode(b, content.schema)
    case 'regex':
      return patternNode(b, content.pattern)
    case 'choice':
      return choiceNode(b, content.choices)
    case 'text':
      return freeText(b)
    default:
      throw new GrammarError(
        `response format: expected text, json_object, json_schema, regex or choice, got ${show((content as Content).type)}`,
        { keyword: 'type' },
      )
  }
}

/** The grammar of `content`. */
export function contentGrammar(content: Content): Grammar {
  const b = new Builder()
  return b.finish(contentNode(b, content))
}

/** Answers with tool calls. `tools`: as OpenAI describes them, `{ type: 'function', function: { name, parameters } }`. */
export function toolCalls(
  format: ToolFormat,
  tools: readonly unknown[],
  options: ToolCallOptions,
): Grammar {
  const { tokens, choice = 'auto', parallel = true, content = { type: 'text' } } = options
  const b = new Builder()
  const all = readTools(tools)
  const named = typeof choice === 'object' ? all.filter((tool) => tool.name === choice.name) : all
  if (named.length === 0)
    throw new GrammarError(
      `tool choice: expected one of ${all.map((tool) => tool.name).join(', ')}, got ${show((choice as { name: string }).name)}`,
      { keyword: 'tool_choice' },
    )
  const call = b.choice(...named.map((tool) => callNode(b, format, tool, tokens)))
  const gap = format === 'v3' ? b.optional(b.literal('\n')) : b.empty
  const more = b.repeat(b.sequence(gap, call), 0, parallel ? mostCalls - 1 : 0)
  const calls = b.sequence(b.token(tokens.callsBegin), call, more, b.token(tokens.callsEnd))
  if (choice !== 'auto') return b.finish(calls)
  const words = contentNode(b, content)
  if (content.type !== 'text') return b.finish(b.choice(words, calls))
  return b.finish(b.sequence(words, b.optional(calls)))
}

function callNode(b: Builder, format: ToolFormat, tool: Tool, tokens: ToolTokens): Node {
  const [begin, separator, end] = [tokens.callBegin, tokens.separator, tokens.callEnd].map((id) =>
    b.token(id),
  ) as [Node, Node, Node]
  const body = argumentsNode(b, tool)
  if (format === 'v3.1') return b.sequence(begin, b.literal(tool.name), separator, body, end)
  const [head, fence] = [b.literal(`${tool.name}\n\`\`\`json\n`), b.literal('\n```')]
  return b.sequence(begin, b.literal('function'), separator, head, body, fence, end)
}
