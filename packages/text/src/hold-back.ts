// Watching a stream of text for markers that may be cut anywhere: everything is passed on at once except the
// longest end that could still become a marker.

export interface Match {
  /** Text before the marker, or all that is safe to pass on. */
  readonly text: string
  /** The marker found, if any. */
  readonly marker: string | undefined
}

export class HoldBack {
  #held = ''

  /** Adds text; gives what is certain, up to and without the first marker. Call with '' to look again. */
  push(text: string, markers: readonly string[]): Match {
    this.#held += text
    let found: { at: number; marker: string } | undefined
    for (const marker of markers) {
      const at = this.#held.indexOf(marker)
      // The first to end, of these the first to begin: what a reader of single characters would meet.
      const gap = found ? at + marker.length - found.at - found.marker.length : -1
      if (at >= 0 && (!found || gap < 0 || (gap === 0 && at < found.at))) found = { at, marker }
    }
    if (found) {
      const before = this.#held.slice(0, found.at)
      this.#held = this.#held.slice(found.at + found.marker.length)
      return { text: before, marker: found.marker }
    }
    const keep = Math.max(0, ...markers.map((marker) => pendingLength(this.#held, marker)))
    const out = this.#held.slice(0, this.#held.length - keep)
    this.#held = this.#held.slice(this.#held.length - keep)
    return { text: out, marker: undefined }
  }

  /** What was held back, when no more text will come. */
  end(): string {
    const rest = this.#held
    this.#held = ''
    return rest
  }
}

/** Length of the longest end of `text` that is a beginning of `marker`. */
export function pendingLength(text: string, marker: string): number {
  for (let n = Math.min(text.length, marker.length - 1); n > 0; n--)
    if (text.endsWith(marker.slice(0, n))) return n
  return 0
}
