// One line of JSON for each request; what was asked and answered is in it only when the operator wants that.
// Strangers' words are escaped to ASCII: no new line, no terminal code, no reversed text gets through.
import type { LogLevel } from './options.ts'

export type LogFields = Readonly<Record<string, unknown>>

export class Log {
  readonly level: LogLevel
  readonly #write: (line: string) => void

  constructor(level: LogLevel, write: (line: string) => void) {
    this.level = level
    this.#write = write
  }

  request(fields: LogFields): void {
    if (this.level !== 'off') this.#line({ event: 'request', ...fields })
  }

  /** An error that clients see as a bare 500. */
  error(error: unknown, fields: LogFields = {}): void {
    const e = error instanceof Error ? error : new Error(String(error))
    const cause = e.cause instanceof Error ? e.cause : e
    this.#line({ event: 'error', ...fields, error: cause.message, stack: cause.stack })
  }

  #line(fields: LogFields): void {
    const line = JSON.stringify({ time: new Date().toISOString(), ...fields })
    try {
      this.#write(line.replace(/[^\x20-\x7e]/g, escaped))
    } catch {
      // A full disk costs lines of the log, never an answer.
    }
  }
}

const escaped = (c: string) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`
