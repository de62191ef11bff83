// What the server is told when it starts, and every limit with its default.
import { z } from 'zod'
import type { LoadProgress, ServedModel } from './model.ts'

export interface Limits {
  /** Bytes of one request's body. */
  readonly bodyBytes: number
  /** Bytes of all bodies that are being read. */
  readonly allBodiesBytes: number
  readonly headerBytes: number
  readonly headers: number
  /** To receive the headers, and the whole request. */
  readonly headersMs: number
  readonly bodyMs: number
  /** A socket on which nothing moves is closed: a reader that stopped reading. */
  readonly idleMs: number
  /** Between two requests on one connection. */
  readonly keepAliveMs: number
  readonly connections: number
  /** Answers that one request may ask for: `n` times prompts. */
  readonly choices: number
  /** Characters of a prompt for each token of the context; a longer one cannot fit. */
  readonly charactersPerToken: number
  /** From arrival to the first token, and to the end. */
  readonly firstTokenMs: number
  readonly requestMs: number
  /** Responses kept in memory for /v1/responses, the least used going first; 0 of either keeps none. */
  readonly storedResponses: number
  readonly storedBytes: number
  /** Silence after which a comment (or a blank) is sent, so that nobody gives up. */
  readonly commentMs: number
}

export const defaultLimits: Limits = {
  bodyBytes: 8 << 20,
  allBodiesBytes: 64 << 20,
  headerBytes: 16 << 10,
  headers: 100,
  headersMs: 10_000,
  bodyMs: 60_000,
  idleMs: 120_000,
  keepAliveMs: 10_000,
  connections: 1024,
  choices: 16,
  charactersPerToken: 64,
  firstTokenMs: 600_000,
  requestMs: 3_600_000,
  storedResponses: 256,
  storedBytes: 32 << 20,
  commentMs: 15_000,
}

/** Money for a million tokens. */
export interface Prices {
  readonly currency: string
  readonly input_cache_hit: number
  readonly input_cache_miss: number
  readonly output: number
}

const price = z.number().min(0)
const pricesSchema: z.ZodType<Prices> = z.strictObject({
  currency: z.string().regex(/^[A-Za-z]{1,8}$/),
  input_cache_hit: price,
  input_cache_miss: price,
  output: price,
})

/** Checks a price list; throws a TypeError that says what is wrong. */
export function parsePrices(value: unknown): Prices {
  const result = pricesSchema.safeParse(value)
  if (result.success) return result.data
  const { path, message } = result.error.issues[0] as z.core.$ZodIssue
  throw new TypeError(`prices: ${path.join('.') || 'the list'}: ${message}`)
}

/** `off`; `requests`: a line a request, without what was said; `prompts`: with it. */
export type LogLevel = 'off' | 'requests' | 'prompts'

export interface PageFolder {
  readonly folder: string
  /** Headers of a file, by its path in the folder; they win over ours. */
  readonly headers?: (file: string) => Readonly<Record<string, string>>
}

export interface ServerOptions {
  /** The model, or its promise: until it is there, the server says how far loading is. */
  readonly model: ServedModel | Promise<ServedModel>
  /** Its name on the wire. `deepseek-chat` and `deepseek-reasoner` mean it too, without and with thinking. */
  readonly modelId?: string
  /** How far the model's loading is. */
  readonly progress?: () => LoadProgress | undefined
  /** With keys, every path but /health and the page wants one. */
  readonly apiKeys?: readonly string[]
  /** Origins whose pages may call; `*` for all. Default: the server's own page alone. */
  readonly cors?: readonly string[]
  /** Names that a Host header may carry besides addresses and localhost; `*` for all. */
  readonly allowedHosts?: readonly string[]
  /** Choices that may wait beyond those that run. Default 256. */
  readonly maxQueue?: number
  readonly prices?: Prices
  /** A folder of built files for the chat page, with headers of its own if it has any. */
  readonly page?: string | PageFolder
  readonly logLevel?: LogLevel
  /** Where lines of the log go. Default: stderr. */
  readonly writeLog?: (line: string) => void
  readonly limits?: Partial<Limits>
}
