// Responses that others may go on from: in memory alone, bounded by number and by bytes; the least used goes first.
// Ids are random and long: who does not know one cannot ask for it.
import type { Message } from '@hadal/text'
import type { Limits } from '../options.ts'
import type { ResponseResource } from '../protocol/responses.ts'

export interface StoredResponse {
  readonly response: ResponseResource
  /** Everything said up to and with this response. */
  readonly conversation: readonly Message[]
}

type Entry = StoredResponse & { readonly bytes: number }

export class ResponseStore {
  readonly #most: number
  readonly #mostBytes: number
  /** The last one is the one used last. */
  readonly #entries = new Map<string, Entry>()
  #bytes = 0

  constructor(limits: Pick<Limits, 'storedResponses' | 'storedBytes'>) {
    this.#most = limits.storedResponses
    this.#mostBytes = limits.storedBytes
  }

  get size(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Whether anything can be kept at all. */
  get open(): boolean {
    return this.#most > 0 && this.#mostBytes > 0
  }

  get(id: string): StoredResponse | undefined {
    const entry = this.#entries.get(id)
    if (!entry) return undefined
    this.#entries.delete(id)
    this.#entries.set(id, entry)
    return entry
  }

  put(stored: StoredResponse): void {
    // UTF-16 in memory: two bytes a unit.
    const bytes = 2 * JSON.stringify(stored).length
    if (!this.open || bytes > this.#mostBytes) return
    const { id } = stored.response
    this.delete(id)
    this.#entries.set(id, { ...stored, bytes })
    this.#bytes += bytes
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#most && this.#bytes <= this.#mostBytes) return
      this.delete(oldest)
    }
  }

  delete(id: string): boolean {
    const entry = this.#entries.get(id)
    if (!entry) return false
    this.#bytes -= entry.bytes
    return this.#entries.delete(id)
  }
}
