// How a model learns which tools it has. DeepSeek's published templates (V3, R1, V3.1) render tool calls and
// their outputs but not the list of tools; the model card of V3.1 gives the words for it, which follow here. For
// V3 and R1 the same words carry that format's call (a fence, and "function" in front).
import { isObject, TextError } from './error.ts'
import { toolMarkers } from './tool-calls.ts'

export interface ToolFunction {
  readonly name: string
  readonly description?: string
  readonly parameters?: unknown
}

/** The function of a tool in OpenAI's shape; throws a TextError that names its place. */
export function toolFunction(tool: unknown, at: number): ToolFunction {
  const found = isObject(tool) && isObject(tool.function) ? tool.function : undefined
  if (!found || typeof found.name !== 'string')
    throw new TextError(`tools[${at}]: expected {type: 'function', function: {name}}, got neither`)
  const { name, description, parameters } = found
  return {
    name,
    ...(typeof description === 'string' && { description }),
    ...(parameters !== undefined && { parameters }),
  }
}

/** `plain` makes a stranger's text harmless; the format's own markers stay what they are. */
export function toolPrompt(
  tools: readonly unknown[],
  fenced: boolean,
  plain: (text: string) => string,
): string {
  const list = tools.map((tool, i) => {
    const { name, description = '', parameters = {} } = toolFunction(tool, i)
    return plain(
      `### ${name}\nDescription: ${description}\n\nParameters: ${JSON.stringify(parameters)}\n`,
    )
  })
  const { callsBegin, callBegin, separator, callEnd, callsEnd } = toolMarkers
  const call = fenced
    ? `${callBegin}function${separator}tool_call_name\n\`\`\`json\ntool_call_arguments\n\`\`\`${callEnd}`
    : `${callBegin}tool_call_name${separator}tool_call_arguments${callEnd}`
  return `## Tools
You have access to the following tools:

${list.join('\n')}
IMPORTANT: ALWAYS adhere to this exact format for tool use:
${callsBegin}${call}{additional_tool_calls}${callsEnd}

Where:
- \`tool_call_name\` must be an exact match to one of the available tools
- \`tool_call_arguments\` must be valid JSON that strictly follows the tool's Parameters Schema
- For multiple tool calls, chain them ${fenced ? 'with a newline as separator' : 'directly without separators or spaces'}`
}

/** A copy with every string, keys included, passed through `plain`. */
export function mapStrings(value: unknown, plain: (text: string) => string): unknown {
  if (typeof value === 'string') return plain(value)
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, plain))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [plain(key), mapStrings(item, plain)]),
  )
}
