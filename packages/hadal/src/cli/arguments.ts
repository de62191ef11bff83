// Strictness that the argument parser lacks: it ignores unknown flags, flags without their value and words too many.
import { parseArgs } from 'node:util'
import { suggestion } from '../options.ts'
import { UsageError } from './terminal.ts'

export interface ArgumentDefinition {
  readonly type?: string
  readonly alias?: string
}

/** Throws a UsageError for what `definitions` does not know; `words` says that any number of positionals is fine. */
export function checkArguments(
  rawArgs: readonly string[],
  definitions: Readonly<Record<string, ArgumentDefinition>>,
  words = false,
): void {
  const flags = Object.entries(definitions).filter(([, { type }]) => type !== 'positional')
  const byName = new Map(flags)
  for (const [, definition] of flags) if (definition.alias) byName.set(definition.alias, definition)
  const options = Object.fromEntries(
    flags.map(([name, { type, alias }]) => [
      name,
      { type: type === 'boolean' ? 'boolean' : 'string', ...(alias && { short: alias }) } as const,
    ]),
  )
  const { tokens } = parseArgs({
    ...{ args: [...rawArgs], options, strict: false, allowPositionals: true, tokens: true },
  })
  const most = words ? Number.POSITIVE_INFINITY : Object.keys(definitions).length - flags.length
  let positionals = 0
  for (const token of tokens) {
    if (token.kind === 'positional' && ++positionals > most)
      throw new UsageError(
        `expected ${most === 0 ? 'no argument' : `at most ${most} argument${most > 1 ? 's' : ''}`}, got "${token.value}" as well`,
      )
    if (token.kind === 'option') checkFlag(token, byName)
  }
}

interface Flag {
  readonly name: string
  readonly rawName: string
  readonly value: string | undefined
  readonly inlineValue: boolean | undefined
}

function checkFlag(flag: Flag, byName: ReadonlyMap<string, ArgumentDefinition>): void {
  const { name, rawName, value, inlineValue } = flag
  const definition = byName.get(name)
  if (definition) {
    // A number may begin with a dash; a flag is no value unless an equals sign makes it one.
    const missing = !value || (!inlineValue && /^-[^\d.]/.test(value))
    if (definition.type !== 'boolean' && missing)
      throw new UsageError(`${rawName}: expected a value, got ${value ? `"${value}"` : 'none'}`)
    return
  }
  if (name.startsWith('no-') && byName.get(name.slice(3))?.type === 'boolean') return
  const known = [...byName.keys()].filter((key) => key.length > 1)
  const dashed = suggestion(name, known).replace(/"([^"]+)"|([\w-]+)(?=[,)])/g, (_, a, b) =>
    a ? `--${a}` : `--${b}`,
  )
  throw new UsageError(`unknown flag ${rawName}${dashed}`)
}
