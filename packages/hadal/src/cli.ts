#!/usr/bin/env node
// The `hadal` command: one file per subcommand under cli/.
import { readFileSync } from 'node:fs'
import { defineCommand, renderUsage, runCommand as runCitty } from 'citty'
import { benchCommand } from './cli/bench.ts'
import { chatCommand } from './cli/chat.ts'
import { doctorCommand } from './cli/doctor.ts'
import { inspectCommand } from './cli/inspect.ts'
import { quantizeCommand, synthCommand } from './cli/make.ts'
import { runCommand } from './cli/run.ts'
import { serveCommand } from './cli/serve.ts'
import { exitCodes, reportError } from './cli/terminal.ts'

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

async function start(args: string[]): Promise<void> {
  const [name = ''] = args
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${version}\n`)
    return
  }
  const command = Object.hasOwn(commands, name)
    ? commands[name as keyof typeof commands]
    : undefined
  if (args.includes('--help') || args.includes('-h') || name === '' || name === 'help') {
    process.stdout.write(
      `${await renderUsage((command ?? main) as never, command ? (main as never) : undefined)}\n`,
    )
    return
  }
  if (!command) {
    process.stderr.write(
      `hadal: expected one of ${Object.keys(commands).join(', ')}, got "${name}"\n`,
    )
    process.exitCode = exitCodes.usage
    return
  }
  await runCitty(command as never, { rawArgs: args.slice(1) })
}

// A reader that goes away (`hadal run … | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCodes.ok)
})

start(process.argv.slice(2)).catch((error) => {
  const usage = error?.name === 'CLIError'
  process.exitCode = usage ? exitCodes.usage : reportError(error)
  if (usage) process.stderr.write(`hadal: ${error.message}\n`)
})
