// Tool calls as DeepSeek writes them, in both formats. V3 and R1: `function<｜tool▁sep｜>NAME\n```json\n{…}\n```;
// V3.1: `NAME<｜tool▁sep｜>{…}`. Source: the models' chat templates.
import type { ToolCall } from './chat-template.ts'

export const toolMarkers = {
  callsBegin: '<｜tool▁calls▁begin｜>',
  callsEnd: '<｜tool▁calls▁end｜>',
  callBegin: '<｜tool▁call▁begin｜>',
  callEnd: '<｜tool▁call▁end｜>',
  separator: '<｜tool▁sep｜>',
} as const

/** The call between callBegin and callEnd, or undefined when the text is no call. */
export function parseToolCall(text: string, id: string): ToolCall | undefined {
  const at = text.indexOf(toolMarkers.separator)
  if (at < 0) return undefined
  const head = text.slice(0, at).trim()
  const body = text.slice(at + toolMarkers.separator.length)
  if (head !== 'function')
    return head === '' ? undefined : { id, name: head, arguments: body.trim() }
  const fenced = /^\s*([^\n]+)\n```(?:json)?\n([\s\S]*?)\n?```\s*$/.exec(body)
  if (!fenced) return undefined
  return { id, name: (fenced[1] as string).trim(), arguments: (fenced[2] as string).trim() }
}
