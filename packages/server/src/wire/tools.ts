// Tools and what constrains an answer, as options of the engine; every wire brings them in a shape of its own.
import { invalid } from '../errors.ts'
import type { ToolChoice } from '../model.ts'
import type { ChatTool } from '../protocol/chat.ts'
import { given } from './sampling.ts'

export interface ToolOptions {
  readonly tools?: readonly ChatTool[]
  readonly toolChoice?: ToolChoice
}

/** `param`: where the request names the tool it chose. */
export function toolOptions(
  list: readonly ChatTool[] | null | undefined,
  choice: ToolChoice,
  param: string,
): ToolOptions {
  const tools = list?.length ? list.map(plainTool) : undefined
  if (choice === 'none') return {}
  if (!tools) {
    if (choice === 'auto') return {}
    throw invalid('tool_choice', 'expected tools beside it, got none')
  }
  if (typeof choice === 'object' && !tools.some((t) => t.function.name === choice.name))
    throw invalid(
      param,
      `expected one of ${tools.map((t) => t.function.name).join(', ')}, got ${choice.name}`,
    )
  return choice === 'auto' ? { tools } : { tools, toolChoice: choice }
}

/** Without nulls, which a template would print. */
function plainTool({ type, function: { name, ...rest } }: ChatTool): ChatTool {
  return { type, function: { name, ...given(rest) } } as ChatTool
}
