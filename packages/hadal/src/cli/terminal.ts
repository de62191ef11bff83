// What the commands share about the terminal: colours, progress on stderr, human numbers, exit codes.

/** 0 ok, 1 an error, 2 wrong usage, 130 interrupted. */
export const exitCodes = { ok: 0, error: 1, usage: 2, interrupted: 130 } as const

export function wantsColor(stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env
  if (NO_COLOR) return false
  return FORCE_COLOR ? true : stream.isTTY === true && TERM !== 'dumb'
}

export const dim = (text: string, stream: NodeJS.WriteStream = process.stdout): string =>
  wantsColor(stream) ? `\x1b[2m${text}\x1b[22m` : text

export const bold = (text: string, stream: NodeJS.WriteStream = process.stdout): string =>
  wantsColor(stream) ? `\x1b[1m${text}\x1b[22m` : text

/** A model may write escape sequences; a terminal would obey them, so it is shown pictures of them. */
export const harmless = (text: string, stream: NodeJS.WriteStream): string =>
  stream.isTTY
    ? text.replace(/(?![\n\t])\p{Cc}/gu, (c) => {
        const code = c.codePointAt(0) as number
        return code < 32 ? String.fromCodePoint(0x2400 + code) : '\ufffd'
      })
    : text

export function bytes(n: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB']
  const i = n < 1 ? 0 : Math.min(Math.floor(Math.log10(n) / 3), units.length - 1)
  return `${i === 0 ? n : (n / 1000 ** i).toFixed(n / 1000 ** i < 10 ? 2 : 1)} ${units[i]}`
}

export function count(n: number): string {
  for (const [size, unit] of [
    [1e12, 'T'],
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'K'],
  ] as const)
    if (n >= size) return `${(n / size).toFixed(n / size < 10 ? 2 : 1)} ${unit}`
  return String(n)
}

export function duration(ms: number): string {
  if (ms < 100) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
}

/** A bar on stderr for work that takes longer than a second; silent when stderr is no terminal. */
export function progressBar(): {
  update(p: { stage: string; done: number; total: number }): void
  end(): void
} {
  const started = performance.now()
  const shown = process.stderr.isTTY === true
  let drawn = false
  return {
    update({ stage, done, total }) {
      if (!shown || performance.now() - started < 1000) return
      const filled = Math.round((24 * done) / Math.max(total, 1))
      const bar = '█'.repeat(filled) + '░'.repeat(24 - filled)
      process.stderr.write(
        `\r\x1b[2K${bar} ${stage} ${Math.floor((100 * done) / Math.max(total, 1))} %`,
      )
      drawn = true
    },
    end() {
      if (drawn) process.stderr.write('\r\x1b[2K')
      drawn = false
    },
  }
}

export class UsageError extends Error {}

const flagName = (option: string): string =>
  `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

/** One clear line on stderr; the stack only with HADAL_DEBUG=1. */
export function reportError(error: unknown): number {
  const e = error instanceof Error ? error : new Error(String(error))
  // The library names its options; the flags of the command are the same in kebab-case.
  const [prefix, option] = /^option (\w+)(?=:)/.exec(e.message) ?? []
  const message = prefix && option ? flagName(option) + e.message.slice(prefix.length) : e.message
  process.stderr.write(`hadal: ${process.env.HADAL_DEBUG ? (e.stack ?? message) : message}\n`)
  return error instanceof UsageError || prefix ? exitCodes.usage : exitCodes.error
}
