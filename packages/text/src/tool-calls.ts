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

interface Head {
  readonly name: string
  /** Where the arguments begin. */
  readonly start: number
  /** They stand between fences, as V3 writes them. */
  readonly fenced: boolean
}

const fence = '```'
/** What comes before the arguments is shorter than this, or it is no call. */
const longestHead = 1024

// No regular expressions from here on: a model can write 10^5 spaces or backticks, and they would go over them
// again and again.

/** The name and where the arguments begin, as soon as enough of the call is there. */
function findHead(call: string): Head | undefined {
  const text = call.slice(0, longestHead)
  const at = text.indexOf(toolMarkers.separator)
  if (at < 0) return undefined
  const head = text.slice(0, at).trim()
  const start = at + toolMarkers.separator.length
  if (head === '') return undefined
  if (head !== 'function') return { name: head, start, fenced: false }
  const body = text.slice(start).trimStart()
  const end = body.indexOf('\n')
  const name = body.slice(0, Math.max(end, 0)).trim()
  if (end < 0 || name === '') return undefined
  const opening = [`${fence}json\n`, `${fence}\n`].find((line) => body.startsWith(line, end + 1))
  if (!opening) return undefined
  return { name, start: text.length - body.length + end + 1 + opening.length, fenced: true }
}

/** Without white space around it and, of V3, the closing fence; undefined when that is not there. */
function bare(text: string, fenced: boolean): string | undefined {
  const trimmed = text.trim()
  if (!fenced) return trimmed
  return trimmed.endsWith(fence) ? trimmed.slice(0, -fence.length).trim() : undefined
}

/** The call between callBegin and callEnd, or undefined when the text is no call. */
export function parseToolCall(text: string, id: string): ToolCall | undefined {
  const head = findHead(text)
  const args = head && bare(text.slice(head.start), head.fenced)
  return args === undefined ? undefined : { id, name: (head as Head).name, arguments: args }
}

const maybeEnd = (c: string | undefined): boolean =>
  c !== undefined && (c === '`' || c.trim() === '')

/** Reads one call while it is being written: its arguments in pieces that join to the parsed ones. */
export class CallReader {
  #text = ''
  #head: Head | undefined
  /** The end so far may turn out to be the fence, or white space in front of the closing marker. */
  #held = ''
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
    if (this.#head) return this.#take(text) || undefined
    if (this.#text.length - text.length > longestHead) return undefined
    this.#head = findHead(this.#text)
    return this.#head && this.#take(this.#text.slice(this.#head.start))
  }

  /** What was held back, without the fence. */
  end(): string {
    if (!this.#head) return ''
    const rest = this.#all === '' ? this.#held.trim() : this.#held.trimEnd()
    const ends = this.#head.fenced && rest.endsWith(fence)
    const piece = ends ? rest.slice(0, -fence.length).trimEnd() : rest
    this.#held = ''
    this.#all += piece
    return piece
  }

  #take(text: string): string {
    let end = text.length
    while (end > 0 && maybeEnd(text[end - 1])) end--
    if (end === 0) {
      // White space in front of all arguments is not theirs.
      if (this.#all !== '' || text.trim() !== '') this.#held += text
      return ''
    }
    const piece = this.#held + text.slice(0, end)
    this.#held = text.slice(end)
    const given = this.#all === '' ? piece.trimStart() : piece
    this.#all += given
    return given
  }
}
