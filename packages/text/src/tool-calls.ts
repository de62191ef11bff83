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

/** Where the name and the arguments of a call begin, as soon as enough of it is there. */
function findHead(text: string): { name: string; start: number } | undefined {
  const at = text.indexOf(toolMarkers.separator)
  if (at < 0) return undefined
  const head = text.slice(0, at).trim()
  const start = at + toolMarkers.separator.length
  if (head === '') return undefined
  if (head !== 'function') return { name: head, start }
  const opening = /^\s*([^\n]+)\n```(?:json)?\n/.exec(text.slice(start))
  return opening
    ? { name: (opening[1] as string).trim(), start: start + opening[0].length }
    : undefined
}

/** Reads one call while it is being written: its arguments in pieces that join to the parsed ones. */
export class CallReader {
  #text = ''
  #head: { name: string; start: number } | undefined
  #all = ''

  /** The name, once known: from then on it is a call and not text. */
  get name(): string | undefined {
    return this.#head?.name
  }

  /** The whole text so far. */
  get text(): string {
    return this.#text
  }

  /** All arguments given so far. */
  get all(): string {
    return this.#all
  }

  /** New arguments, possibly '' when only the name became known; undefined: nothing new. */
  push(text: string): string | undefined {
    this.#text += text
    const known = this.#head !== undefined
    this.#head ??= findHead(this.#text)
    if (!this.#head) return undefined
    // The end may yet turn out to be the fence or white space in front of the closing marker.
    const piece = this.#take(/[\s`]*$/)
    return piece === '' && known ? undefined : piece
  }

  /** What was held back, without the fence. */
  end(): string {
    return this.#head ? this.#take(/\s*(?:```)?\s*$/) : ''
  }

  #take(held: RegExp): string {
    const start = (this.#head as { start: number }).start
    const ready = this.#text.slice(start).trimStart().replace(held, '')
    const piece = ready.slice(this.#all.length)
    this.#all += piece
    return piece
  }
}
