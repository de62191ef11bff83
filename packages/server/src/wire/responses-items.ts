// Parts of an answer to items of the Responses wire, and the events that tell of each change. Thinking, words and
// calls are an item each; an item is over when another kind of part comes.
import { newId } from '../job.ts'
import type { ServedPart } from '../model.ts'
import type { TokenLogprob } from '../protocol/common.ts'
import type {
  FunctionCallItem,
  ItemStatus,
  OutputItem,
  OutputText,
  ReasoningText,
  ResponseEvent,
} from '../protocol/responses.ts'

type WithoutNumber<E> = E extends ResponseEvent ? Omit<E, 'sequence_number'> : never
export type ItemEvent = WithoutNumber<ResponseEvent>

interface Open {
  readonly kind: 'reasoning' | 'message' | 'function_call'
  readonly id: string
  /** Of a call: its number in the answer. */
  readonly call?: number
  readonly callId: string
  readonly name: string
  text: string
  logprobs: TokenLogprob[]
}

const prefixes = { reasoning: 'rs_', message: 'msg_', function_call: 'fc_' } as const

export class OutputItems {
  /** Items that are over. */
  readonly done: OutputItem[] = []
  #open: Open | undefined

  /** Everything so far; one that is not over yet is as it stands. */
  get items(): readonly OutputItem[] {
    return this.#open ? [...this.done, item(this.#open, 'in_progress')] : this.done
  }

  /** `logprobs`: of the part's tokens, when the request wants them. */
  *add(part: ServedPart, logprobs: readonly TokenLogprob[]): Generator<ItemEvent, void, void> {
    if (part.type === 'tool-call') return // its pieces came before it
    const call = part.type === 'tool-call-delta' ? part.index : undefined
    const kind =
      part.type === 'text' ? 'message' : part.type === 'reasoning' ? 'reasoning' : 'function_call'
    if (this.#open?.kind !== kind || this.#open.call !== call) {
      yield* this.close('completed')
      const name = part.type === 'tool-call-delta' ? part.name : ''
      const ids = { id: newId(prefixes[kind]), callId: newId('call_') }
      this.#open = {
        kind,
        ...ids,
        name,
        ...(call !== undefined && { call }),
        text: '',
        logprobs: [],
      }
      yield* this.#added(this.#open)
    }
    const open = this.#open as Open
    open.text += part.text
    open.logprobs.push(...logprobs)
    if (part.text !== '') yield this.#delta(open, part.text, logprobs)
  }

  *#added(open: Open): Generator<ItemEvent, void, void> {
    const empty = item(open, 'in_progress')
    const added = 'content' in empty ? { ...empty, content: [] } : empty
    yield { type: 'response.output_item.added', output_index: this.done.length, item: added }
    const part = contentPart(open)
    if (part) yield { type: 'response.content_part.added', ...this.#content(open), part }
  }

  #delta(open: Open, delta: string, logprobs: readonly TokenLogprob[]): ItemEvent {
    if (open.kind === 'function_call')
      return { type: 'response.function_call_arguments.delta', ...this.#item(open), delta }
    const at = this.#content(open)
    return open.kind === 'reasoning'
      ? { type: 'response.reasoning_text.delta', ...at, delta }
      : { type: 'response.output_text.delta', ...at, delta, logprobs }
  }

  /** Ends the open item, if any. */
  *close(status: ItemStatus): Generator<ItemEvent, void, void> {
    const open = this.#open
    if (!open) return
    const { text, logprobs, name } = open
    if (open.kind === 'function_call')
      yield {
        type: 'response.function_call_arguments.done',
        ...{ ...this.#item(open), name, arguments: text },
      }
    else if (open.kind === 'reasoning')
      yield { type: 'response.reasoning_text.done', ...this.#content(open), text }
    else yield { type: 'response.output_text.done', ...this.#content(open), text, logprobs }
    const part = contentPart(open)
    if (part) yield { type: 'response.content_part.done', ...this.#content(open), part }
    const whole = item(open, status)
    yield { type: 'response.output_item.done', output_index: this.done.length, item: whole }
    this.done.push(whole)
    this.#open = undefined
  }

  #item(open: Open): { item_id: string; output_index: number } {
    return { item_id: open.id, output_index: this.done.length }
  }

  #content(open: Open): { item_id: string; output_index: number; content_index: number } {
    return { ...this.#item(open), content_index: 0 }
  }
}

function contentPart({ kind, text, logprobs }: Open): OutputText | ReasoningText | undefined {
  if (kind === 'reasoning') return { type: 'reasoning_text', text }
  if (kind === 'message') return { type: 'output_text', text, annotations: [], logprobs }
  return undefined
}

function item(open: Open, status: ItemStatus): OutputItem {
  const { kind, id, callId, name, text } = open
  if (kind === 'function_call')
    return { id, type: kind, status, call_id: callId, name, arguments: text }
  const content = [contentPart(open)]
  return kind === 'reasoning'
    ? { id, type: kind, status, summary: [], content: content as ReasoningText[] }
    : { id, type: kind, role: 'assistant', status, content: content as OutputText[] }
}

export const isCall = (output: OutputItem): output is FunctionCallItem =>
  output.type === 'function_call'
