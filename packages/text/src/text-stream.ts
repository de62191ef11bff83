// From ids to parts: bytes → characters → reasoning and answer → stop strings and tool calls. Synchronous;
// one for each answer.
//
// Rules: one newline after <think> and the newlines around </think> belong to the tags, not to the texts.
// Stop strings end the answer and are looked for there, not in the reasoning. An answer without </think> is
// reasoning to its end. A malformed tool call is passed on as text.
import type { ToolCall } from './chat-template.ts'
import { HoldBack } from './hold-back.ts'
import type { Tokenizer } from './tokenizer.ts'
import { CallReader, parseToolCall, toolMarkers } from './tool-calls.ts'

export type Part =
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool-call'; readonly text: string; readonly toolCall: ToolCall }
  | ToolCallDelta

/** A piece of a call's arguments; the first of a call may be empty. The whole call follows as `tool-call`. */
export interface ToolCallDelta {
  readonly type: 'tool-call-delta'
  /** The number of the call in this answer. */
  readonly index: number
  readonly name: string
  readonly text: string
}

export interface TextStreamOptions {
  /** The prompt ended inside <think>. */
  readonly opensReasoning?: boolean
  /** Texts that end the answer; they are not part of it. */
  readonly stop?: readonly string[]
  /** Recognise tool calls. Default true. */
  readonly tools?: boolean
  /** Recognise thinking tags. Default true. */
  readonly tags?: boolean
  /** Also give the arguments of tool calls as they are written. Default false. */
  readonly toolDeltas?: boolean
  /** Goes on from a text of the prompt: line ends at the beginning belong to it. */
  readonly continues?: boolean
}

const [thinkOpen, thinkClose] = ['<think>', '</think>']

type Mode = 'start' | 'reasoning' | 'answer' | 'calls' | 'call' | 'stopped'

export class TextStream {
  readonly #tokenizer: Tokenizer
  readonly #stop: readonly string[]
  readonly #tools: boolean
  readonly #toolDeltas: boolean
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  readonly #hold = new HoldBack()
  #mode: Mode
  /** Line ends that belong to a tag unless more text of the same kind follows. */
  #newlines = ''
  #atStart: boolean
  #call = new CallReader()
  #calls = 0
  #stopText: string | undefined

  constructor(tokenizer: Tokenizer, options: TextStreamOptions = {}) {
    this.#tokenizer = tokenizer
    this.#stop = (options.stop ?? []).filter((text) => text !== '')
    this.#tools = options.tools ?? true
    this.#toolDeltas = options.toolDeltas ?? false
    const plain = options.continues || options.tags === false
    this.#mode = options.opensReasoning ? 'reasoning' : plain ? 'answer' : 'start'
    this.#atStart = !plain
  }

  /** A stop string was found; later ids give nothing. */
  get stopped(): boolean {
    return this.#mode === 'stopped'
  }

  /** The stop string that ended the answer. */
  get stopText(): string | undefined {
    return this.#stopText
  }

  /** Inside the reasoning now. */
  get reasoning(): boolean {
    return this.#mode === 'reasoning'
  }

  push(id: number): Part[] {
    if (this.#mode === 'stopped') return []
    return this.#feed(this.#decoder.decode(this.#tokenizer.bytesOf(id), { stream: true }))
  }

  /** What was held back when no more ids will come. */
  end(): Part[] {
    if (this.#mode === 'stopped') return []
    const parts = this.#feed(this.#decoder.decode())
    const rest = this.#hold.end()
    if (this.#mode === 'call' || this.#mode === 'calls') {
      const inCall = this.#mode === 'call'
      this.#mode = 'answer'
      // A call that was passed on in pieces stays one, cut off as it is.
      if (!(inCall && this.#toolDeltas && this.#call.name !== undefined))
        this.#emit(inCall ? toolMarkers.callBegin + this.#call.text + rest : rest, parts)
    } else this.#emit(rest, parts)
    this.#mode = 'stopped'
    return merge(parts)
  }

  #markers(): readonly string[] {
    const calls = this.#tools ? [toolMarkers.callsBegin] : []
    switch (this.#mode) {
      case 'start':
        return [thinkOpen, thinkClose, ...calls, ...this.#stop]
      case 'reasoning':
        return [thinkClose, ...calls]
      case 'answer':
        return [...calls, ...this.#stop]
      case 'calls':
        return [toolMarkers.callBegin, toolMarkers.callsEnd]
      case 'call':
        return [toolMarkers.callEnd]
      default:
        return []
    }
  }

  #feed(text: string): Part[] {
    const parts: Part[] = []
    let next = text
    for (;;) {
      const { text: certain, marker } = this.#hold.push(next, this.#markers())
      this.#emit(certain, parts)
      if (marker === undefined) return merge(parts)
      // Behind words of an answer a tag is a word itself, also when both came in one piece.
      const word = this.#mode === 'answer' && (marker === thinkOpen || marker === thinkClose)
      if (word) this.#emit(marker, parts)
      else this.#meet(marker, parts)
      if (this.#mode === 'stopped') return merge(parts)
      next = ''
    }
  }

  #emit(text: string, parts: Part[]): void {
    if (text === '' || this.#mode === 'stopped') return
    if (this.#mode === 'call') {
      const piece = this.#call.push(text)
      if (piece !== undefined) this.#delta(piece, parts)
      return
    }
    if (this.#mode === 'calls') return // whitespace between calls
    if (this.#mode === 'start' && text.trim() !== '') this.#mode = 'answer'
    const type = this.#mode === 'reasoning' ? 'reasoning' : 'text'
    let body = this.#newlines + text
    this.#newlines = ''
    if (this.#atStart) body = body.replace(/^\n+/, '')
    // Ends of lines wait: before </think> they are the tag's.
    if (type === 'reasoning') {
      let end = body.length
      while (end > 0 && body[end - 1] === '\n') end--
      this.#newlines = body.slice(end)
      body = body.slice(0, end)
    }
    if (body === '') return
    this.#atStart = false
    parts.push({ type, text: body })
  }

  #meet(marker: string, parts: Part[]): void {
    if (this.#stop.includes(marker) && (this.#mode === 'answer' || this.#mode === 'start')) {
      this.#mode = 'stopped'
      this.#stopText = marker
    } else if (marker === thinkOpen) this.#enter('reasoning')
    else if (marker === thinkClose) this.#enter('answer')
    else if (marker === toolMarkers.callsBegin) this.#enter('calls')
    else if (marker === toolMarkers.callBegin) {
      this.#call = new CallReader()
      this.#mode = 'call'
    } else if (marker === toolMarkers.callEnd) this.#finishCall(parts)
    else this.#enter('answer')
  }

  #enter(mode: Mode): void {
    this.#mode = mode
    this.#newlines = ''
    this.#atStart = true
  }

  #delta(text: string, parts: Part[]): void {
    const { name } = this.#call
    if (this.#toolDeltas && name !== undefined)
      parts.push({ type: 'tool-call-delta', index: this.#calls, name, text })
  }

  #finishCall(parts: Part[]): void {
    const raw = toolMarkers.callBegin + this.#call.text + toolMarkers.callEnd
    const rest = this.#call.end()
    if (rest !== '') this.#delta(rest, parts)
    const toolCall = this.#parse(`call_${this.#calls}`)
    this.#mode = 'calls'
    if (toolCall) {
      this.#calls++
      parts.push({ type: 'tool-call', text: raw, toolCall })
    } else parts.push({ type: 'text', text: raw })
  }

  #parse(id: string): ToolCall | undefined {
    const { text, name } = this.#call
    const parsed = parseToolCall(text, id)
    if (parsed || !this.#toolDeltas || name === undefined) return parsed
    // Its pieces went out already: a missing fence does not make it text again.
    return { id, name, arguments: this.#call.all }
  }
}

/** Neighbouring parts of one kind become one. */
function merge(parts: readonly Part[]): Part[] {
  const out: Part[] = []
  for (const part of parts) {
    const last = out.at(-1)
    const joins = part.type === 'reasoning' || part.type === 'text'
    if (joins && last?.type === part.type)
      out[out.length - 1] = { type: part.type, text: last.text + part.text }
    else out.push(part)
  }
  return out
}
