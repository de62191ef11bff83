// Requests in line. The line never reorders with time: a point of priority counts as so many
// milliseconds of waiting, so who came long ago goes before who is merely more important.
import type { Request } from './request.ts'

export class Line {
  readonly #agingMs: number
  readonly #list: Request[] = []

  constructor(agingMs: number) {
    this.#agingMs = agingMs
  }

  /** First in line first. */
  get all(): readonly Request[] {
    return this.#list
  }

  get length(): number {
    return this.#list.length
  }

  get first(): Request | undefined {
    return this.#list[0]
  }

  get last(): Request | undefined {
    return this.#list.at(-1)
  }

  add(request: Request): void {
    request.due = request.submittedAt - request.priority * this.#agingMs
    let [low, high] = [0, this.#list.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (isBefore(request, this.#list[middle]!)) high = middle
      else low = middle + 1
    }
    this.#list.splice(low, 0, request)
  }

  remove(request: Request): void {
    const index = this.#list.indexOf(request)
    if (index >= 0) this.#list.splice(index, 1)
  }
}

/** `a` is served before `b`; among equals, who came first. */
export function isBefore(a: Request, b: Request): boolean {
  return a.due === b.due ? a.order < b.order : a.due < b.due
}
