// `hadal serve [folder]`: the HTTP server. It listens at once and says how far loading is; the first signal drains it,
// the second ends it. Keys, prices and the rest come from flags, which beat the environment.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { LogLevel, Prices, ServeOptions, ServerHandle } from '@hadal/server'
import { pageHeaders } from '@hadal/web'
import { type CommandDef, defineCommand } from 'citty'
import type { Llm, Progress } from '../types.ts'
import { loadFromFlags, modelArgs, numberFlag } from './model-options.ts'
import { dim, exitCodes, reportError, UsageError } from './terminal.ts'

const flags = {
  host: { type: 'string', description: 'address to listen on; default 127.0.0.1 (HADAL_HOST)' },
  port: { type: 'string', description: '0 takes a free one; default 8000 (HADAL_PORT)' },
  'api-key': {
    type: 'string',
    description: 'a key that clients must have; repeat for several (HADAL_API_KEY, with commas)',
  },
  'api-key-file': { type: 'string', description: 'keys, one a line (HADAL_API_KEY_FILE)' },
  public: {
    type: 'boolean',
    description: 'listen beyond this machine without a key (HADAL_PUBLIC=1)',
  },
  cors: {
    type: 'string',
    description: 'an origin whose pages may call, or *; repeat for several (HADAL_CORS)',
  },
  'allow-host': {
    type: 'string',
    description: 'a name that this machine goes by, or *; repeat (HADAL_ALLOW_HOST)',
  },
  'max-queue': {
    type: 'string',
    description: 'answers that may wait; default 256 (HADAL_MAX_QUEUE)',
  },
  'queue-timeout': {
    type: 'string',
    description: 'most seconds that an answer waits; default: no limit (HADAL_QUEUE_TIMEOUT)',
  },
  'prefix-cache': {
    type: 'string',
    description: 'file that keeps the prefix cache between runs (HADAL_PREFIX_CACHE)',
  },
  parallel: { type: 'string', description: 'answers at work at once; default 32 (HADAL_PARALLEL)' },
  prices: {
    type: 'string',
    description: 'JSON file of prices for a million tokens (HADAL_PRICES)',
  },
  name: { type: 'string', description: 'the model’s name for clients (HADAL_NAME)' },
  page: {
    type: 'boolean',
    default: true,
    negativeDescription: 'do not serve the chat page (HADAL_PAGE=0)',
  },
  log: {
    type: 'string',
    description: 'off, requests (default), or prompts: with what was asked (HADAL_LOG)',
  },
  grace: {
    type: 'string',
    description: 'seconds that answers get to end when the server does; default 30 (HADAL_GRACE)',
  },
} as const

type Values = Record<string, unknown>

const variable = (name: string): string => `HADAL_${name.toUpperCase().replaceAll('-', '_')}`

function text(values: Values, name: string): string | undefined {
  const value = values[name] ?? process.env[variable(name)]
  return value === undefined || value === '' ? undefined : String(value)
}

const number = (values: Values, name: string): number | undefined =>
  numberFlag({ [name]: text(values, name) }, name)

/** Every value of a flag that may be repeated; those of its variable, split at commas, when there is none. */
function list(rawArgs: readonly string[], name: string): readonly string[] {
  const given = rawArgs.flatMap((arg, i) => {
    if (arg === `--${name}`) return rawArgs[i + 1] ?? []
    return arg.startsWith(`--${name}=`) ? arg.slice(name.length + 3) : []
  })
  const values = given.length > 0 ? given : (process.env[variable(name)] ?? '').split(',')
  return values.map((value) => value.trim()).filter((value) => value !== '')
}

function readText(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`--${flag}: ${(error as Error).message}`)
  }
}

function keys(values: Values, rawArgs: readonly string[]): readonly string[] {
  const file = text(values, 'api-key-file')
  const lines = file
    ? readText('api-key-file', file)
        .split('\n')
        .map((line) => line.trim())
    : []
  return [...list(rawArgs, 'api-key'), ...lines.filter((line) => line !== '')]
}

function prices(values: Values, parse: (value: unknown) => Prices): Prices | undefined {
  const file = text(values, 'prices')
  if (!file) return undefined
  const source = readText('prices', file)
  try {
    return parse(JSON.parse(source))
  } catch (error) {
    throw new UsageError(`--prices: ${file}: ${(error as Error).message}`)
  }
}

function logLevel(values: Values): LogLevel {
  const level = text(values, 'log') ?? 'requests'
  if (level === 'off' || level === 'requests' || level === 'prompts') return level
  throw new UsageError(`--log: expected off, requests or prompts, got "${level}"`)
}

/** The built page lies beside the command. */
function pageFolder(values: Values): string | undefined {
  if (values.page === false || process.env.HADAL_PAGE === '0') return undefined
  const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), 'page')
  return existsSync(path.join(folder, 'index.html')) ? folder : undefined
}

/** The first signal drains; the second does not wait. */
function endOnSignal(handle: ServerHandle, graceMs: number, dispose: () => Promise<void>): void {
  let ending = false
  const end = (signal: NodeJS.Signals) => {
    if (ending) process.exit(signal === 'SIGINT' ? exitCodes.interrupted : 143)
    ending = true
    process.stderr.write(dim('ending; once more to end at once\n', process.stderr))
    void handle
      .drain(graceMs)
      .then(dispose)
      // Warnings, as of a cache that could not be saved, are written a tick later than they are given.
      .then(() => nextTurn())
      .then(() => process.exit(exitCodes.ok))
  }
  process.on('SIGINT', end)
  process.on('SIGTERM', end)
}

function greeting(url: string, model: string, key: boolean, page: boolean): string {
  const auth = key ? " -H 'Authorization: Bearer YOUR_KEY'" : ''
  return `${model} at ${url}${page ? ' (chat page and API)' : ''}

  curl ${url}/v1/chat/completions -H 'Content-Type: application/json'${auth} \\
    -d '{"messages": [{"role": "user", "content": "What is 47 * 36?"}], "stream": true}'

OpenAI clients: base URL ${url}/v1 · description ${url}/openapi.json
`
}

async function run(values: Values, rawArgs: readonly string[]): Promise<void> {
  const server = await import('@hadal/server')
  const folder = (values.folder as string | undefined) ?? process.env.HADAL_MODEL
  const modelId =
    text(values, 'name') ?? (folder ? path.basename(path.resolve(folder)) : 'hadal-nano')
  const [parallel, maxQueue] = [number(values, 'parallel'), number(values, 'max-queue')]
  const [cache, queueSeconds] = [text(values, 'prefix-cache'), number(values, 'queue-timeout')]
  const [host, page, priceList] = [
    text(values, 'host') ?? '127.0.0.1',
    pageFolder(values),
    prices(values, server.parsePrices),
  ]
  const apiKeys = keys(values, rawArgs)
  const open = values.public === true || process.env.HADAL_PUBLIC === '1'
  if (!server.isLoopback(host) && apiKeys.length === 0 && !open)
    throw new UsageError(`--host ${host}: anybody could use it; give --api-key, or say --public`)
  let progress: Progress | undefined
  let begin: () => void = () => {}
  const model = new Promise<void>((resolve) => {
    begin = resolve
  }).then(() =>
    loadFromFlags(folder, values, {
      ...(parallel !== undefined && { maxSequences: parallel }),
      ...(cache !== undefined && { prefixCachePath: cache }),
      ...(queueSeconds !== undefined && { queueTimeoutMs: queueSeconds * 1000 }),
      onProgress: (now) => {
        progress = now
      },
    }),
  )
  const options: ServeOptions = {
    ...{ model, modelId, apiKeys, host, port: number(values, 'port') ?? 8000 },
    ...{ public: open, logLevel: logLevel(values), progress: () => progress },
    ...{ cors: list(rawArgs, 'cors'), allowedHosts: list(rawArgs, 'allow-host') },
    ...(maxQueue !== undefined && { maxQueue }),
    ...(priceList && { prices: priceList }),
    ...(page && { page: { folder: page, headers: pageHeaders } }),
  }
  const handle = await server.serve(options)
  if (!server.isLoopback(host) && apiKeys.length === 0)
    process.stderr.write(`warning: ${host} without an API key: anybody who reaches it can use it\n`)
  // The other commands end where their output cannot be written; a server's work is not its greeting.
  process.stdout.removeAllListeners('error').on('error', () => {})
  process.stdout.write(greeting(handle.url, modelId, apiKeys.length > 0, page !== undefined))
  begin()
  const loaded: Promise<Llm | undefined> = model.catch(() => undefined)
  endOnSignal(handle, (number(values, 'grace') ?? 30) * 1000, async () => {
    await (await Promise.race([loaded, Promise.resolve(undefined)]))?.dispose()
  })
  await model.catch(async (error) => {
    process.exitCode = reportError(error)
    await handle.drain(0)
    process.exit()
  })
  process.stderr.write(dim('ready\n', process.stderr))
}

export const serveCommand = defineCommand({
  meta: {
    name: 'serve',
    description: 'DeepSeek’s and OpenAI’s API on this machine, for any client of theirs',
  },
  args: {
    folder: {
      type: 'positional',
      required: false,
      description: 'checkpoint folder (HADAL_MODEL); default: the embedded model',
    },
    ...flags,
    ...modelArgs,
  },
  run: ({ args, rawArgs }) => run(args, rawArgs),
}) as unknown as CommandDef
