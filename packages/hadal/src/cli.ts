#!/usr/bin/env node
// The `hadal` command: one file per subcommand under cli/.
import { readFileSync } from 'node:fs'
import { stripVTControlCharacters } from 'node:util'
import { defineCommand, renderUsage, runCommand as runCitty } from 'citty'
import { checkArguments } from './cli/arguments.ts'
import { benchCommand } from './cli/bench.ts'
import { chatCommand } from './cli/chat.ts'
import { doctorCommand } from './cli/doctor.ts'
import { inspectCommand } from './cli/inspect.ts'
import { quantizeCommand, synthCommand } from './cli/make.ts'
import { runCommand } from './cli/run.ts'
import { serveCommand } from './cli/serve.ts'
import { exitCodes, reportError, UsageError, wantsColor } from './cli/terminal.ts'
import { suggestion } from './options.ts'

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string }

const commands = {
  chat: chatCommand,
  run: runCommand,
  serve: serveCommand,
  inspect: inspectCommand,
  bench: benchCommand,
  synth: synthCommand,
  quantize: quantizeCommand,
  doctor: doctorCommand,
}

const main = defineCommand({
  meta: { name: 'hadal', version, description: 'Run DeepSeek-V3 and R1 on your own machine' },
  subCommands: commands as never,
})

async function help(command: unknown): Promise<void> {
  const text = await renderUsage((command ?? main) as never, command ? (main as never) : undefined)
  process.stdout.write(`${wantsColor(process.stdout) ? text : stripVTControlCharacters(text)}\n`)
}

async function start(args: string[]): Promise<void> {
  const [name = '', ...rest] = args
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${version}\n`)
    return
  }
  const asked = name === 'help' ? (rest[0] ?? '') : name
  if (['', 'help', '--help', '-h'].includes(asked)) return help(undefined)
  if (!Object.hasOwn(commands, asked))
    throw new UsageError(
      `expected one of ${Object.keys(commands).join(', ')}, got "${asked}"${nearest(asked)}`,
    )
  const command = commands[asked as keyof typeof commands]
  const end = rest.indexOf('--')
  const flags = end < 0 ? rest : rest.slice(0, end)
  if (name === 'help' || flags.includes('--help') || flags.includes('-h')) return help(command)
  checkArguments(rest, (command.args ?? {}) as never, asked === 'run')
  await runCitty(command as never, { rawArgs: rest })
}

function nearest(name: string): string {
  const hint = suggestion(name, Object.keys(commands))
  return hint.startsWith(';') ? hint : ''
}

// A reader that goes away (`hadal run … | head`) is no error; a full disk is.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCodes.ok)
  process.stderr.write(`hadal: stdout: ${error.message}\n`)
  process.exit(exitCodes.error)
})
// Nobody reads the thinking or the errors; the answer still goes to stdout.
process.stderr.on('error', () => {})

start(process.argv.slice(2)).catch((error) => {
  const usage = error?.name === 'CLIError'
  process.exitCode = reportError(usage ? new UsageError(error.message) : error)
})
