// Option objects from strangers: an unknown name is an error that proposes the nearest known one.

export class OptionError extends TypeError {
  readonly code = 'ERR_HADAL_OPTION'
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}

/** Throws an OptionError for a name that is not in `known`. */
export function checkNames(what: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const nearest = [...known].sort((a, b) => distance(name, a) - distance(name, b))[0] ?? ''
    const hint =
      distance(name, nearest) <= 3
        ? `; did you mean "${nearest}"?`
        : ` (known: ${known.join(', ')})`
    throw new OptionError(`${what}: unknown option "${name}"${hint}`)
  }
}
