// What a caller asks for, checked and completed: options + the checkpoint's defaults → plain numbers.
// Every message names the option, what was expected and what came.
import { randomBytes } from 'node:crypto'
import type { Constraint } from './constraint.ts'
import { reject } from './error.ts'
import type { ReasoningOptions } from './reasoning.ts'

export interface GenerateOptions {
  /** Most ids to produce; default: max_new_tokens of generation_config.json, else the rest of the context. */
  readonly maxTokens?: number
  /** 0 is greedy. Defaults of this and the next ones: `EngineDefaults`, else neutral. */
  readonly temperature?: number
  readonly topP?: number
  /** 0: off. */
  readonly topK?: number
  readonly minP?: number
  readonly repetitionPenalty?: number
  readonly presencePenalty?: number
  readonly frequencyPenalty?: number
  /** 0 .. 2^64−1; default: random. The same request and seed give the same ids, whatever else runs. */
  readonly seed?: number | bigint
  /** Added to the logits of single ids. */
  readonly logitBias?: Readonly<Record<number, number>> | ReadonlyMap<number, number>
  /** Alternatives to report per token, 0 .. 20. */
  readonly topLogprobs?: number
  /** Ids that end the generation, besides those of the defaults; they are not yielded. */
  readonly stopIds?: Iterable<number>
  /** Do not stop at the end ids of the defaults. */
  readonly ignoreEos?: boolean
  /** Cancels: the stream ends with reason 'cancelled'. */
  readonly signal?: AbortSignal
  readonly reasoning?: ReasoningOptions
  /** −1000 .. 1000, default 0: higher goes first; see `EngineOptions.agingMs`. */
  readonly priority?: number
  /** Only requests with the same salt share cached prefixes, so that none can tell what others asked. */
  readonly cacheSalt?: string
  /** What the answer may be, id by id; thinking is free. Complete, it ends with reason 'stop'. */
  readonly constraint?: Constraint
}

/** What the checkpoint's authors recommend (generation_config.json), as read by the caller. */
export interface EngineDefaults {
  /** false: greedy unless the request gives a temperature. */
  readonly doSample?: boolean
  readonly temperature?: number
  readonly topP?: number
  readonly topK?: number
  readonly minP?: number
  readonly repetitionPenalty?: number
  /** The most ids that a request without maxTokens gets (max_new_tokens). */
  readonly maxTokens?: number
  /** Ids that end a generation. */
  readonly eosTokenIds?: readonly number[]
}

/** Options of one request, complete. */
export interface Sampling {
  readonly maxTokens: number
  readonly temperature: number
  readonly topP: number
  readonly topK: number
  readonly minP: number
  readonly repetitionPenalty: number
  readonly presencePenalty: number
  readonly frequencyPenalty: number
  readonly seed: bigint
  readonly bias: ReadonlyMap<number, number> | undefined
  readonly topLogprobs: number
  readonly stopIds: ReadonlySet<number>
  readonly reasoning: ReasoningOptions | undefined
  readonly priority: number
  readonly constraint: Constraint | undefined
  readonly vocabularySize: number
}

export interface Range {
  readonly min: number
  readonly max: number
  readonly int?: boolean
}

// The bounds keep every value exact enough in the F32 that the sampler reads; a value which it
// refused there would fail the whole step and not this request alone.
const ranges = {
  maxTokens: { min: 1, max: Number.MAX_SAFE_INTEGER, int: true },
  temperature: { min: 0, max: 100 },
  topP: { min: 0, max: 1 },
  topK: { min: 0, max: 2 ** 24 - 1, int: true },
  minP: { min: 0, max: 1 },
  repetitionPenalty: { min: 0.01, max: 100 },
  presencePenalty: { min: -100, max: 100 },
  frequencyPenalty: { min: -100, max: 100 },
  topLogprobs: { min: 0, max: 20, int: true },
  priority: { min: -1000, max: 1000 },
} as const satisfies Record<string, Range>

const known: ReadonlySet<string> = new Set([
  ...Object.keys(ranges),
  ...['seed', 'logitBias', 'stopIds', 'ignoreEos', 'signal', 'reasoning', 'cacheSalt'],
  'constraint',
])

const smallestTopP = 1e-6
const coldest = 1e-4
// What the model has room for per row.
const mostBiases = 1024
const biasRange: Range = { min: -1e6, max: 1e6 }

/** Checks `options` and completes them. Throws EngineError ERR_HADAL_REQUEST. */
export function resolveSampling(
  options: GenerateOptions,
  defaults: EngineDefaults,
  vocabularySize: number,
): Sampling {
  if (typeof options !== 'object' || options === null) {
    reject(`options: expected an object, got ${show(options)}`)
  }
  for (const name of Object.keys(options)) {
    if (!known.has(name)) reject(`option ${name}: expected one of ${[...known].join(', ')}`)
  }
  const pick = (name: keyof typeof ranges, fallback: number): number => {
    const value = options[name]
    return value === undefined ? fallback : checkNumber(`option ${name}`, value, ranges[name])
  }
  checkSignal(options.signal)
  const temperature = pick('temperature', defaultTemperature(defaults))
  const topP = pick('topP', defaults.topP ?? 1)
  return {
    maxTokens: pick('maxTokens', defaults.maxTokens ?? Number.POSITIVE_INFINITY),
    // Colder than this, dividing by it leaves the range of F32; it is greedy in all but name.
    temperature: temperature < coldest ? 0 : temperature,
    // 0 keeps the most likely id alone, as does any value that is small enough.
    topP: Math.max(topP, smallestTopP),
    topK: pick('topK', defaults.topK ?? 0),
    minP: pick('minP', defaults.minP ?? 0),
    repetitionPenalty: pick('repetitionPenalty', defaults.repetitionPenalty ?? 1),
    presencePenalty: pick('presencePenalty', 0),
    frequencyPenalty: pick('frequencyPenalty', 0),
    topLogprobs: pick('topLogprobs', 0),
    seed: resolveSeed(options.seed),
    bias: resolveBias(options.logitBias, vocabularySize),
    stopIds: resolveStopIds(options, defaults, vocabularySize),
    reasoning: resolveReasoning(options.reasoning, vocabularySize),
    priority: pick('priority', 0),
    constraint: checkConstraint(options.constraint),
    vocabularySize,
  }
}

/** Checks `cacheSalt`. */
export function checkSalt(salt: unknown): string | undefined {
  if (salt === undefined || (typeof salt === 'string' && salt !== '')) return salt
  reject(`option cacheSalt: expected a text with at least one character, got ${show(salt)}`)
}

/** Checks the defaults once, when the engine is made. */
export function checkDefaults(defaults: EngineDefaults): EngineDefaults {
  for (const name of [
    'temperature',
    'topP',
    'topK',
    'minP',
    'repetitionPenalty',
    'maxTokens',
  ] as const) {
    const value = defaults[name]
    if (value !== undefined) checkNumber(`default ${name}`, value, ranges[name])
  }
  return defaults
}

/** Throws unless every id is an integer of the vocabulary; returns them as I32. */
export function checkIds(what: string, ids: ArrayLike<number>, vocabularySize: number): Int32Array {
  if (typeof ids !== 'object' || ids === null || typeof ids.length !== 'number') {
    reject(`${what}: expected an Int32Array or an array of ids, got ${show(ids)}`)
  }
  for (let i = 0; i < ids.length; i++) {
    const id: unknown = ids[i]
    if (isId(id, vocabularySize)) continue
    reject(`${what}[${i}]: expected an id from 0 to ${vocabularySize - 1}, got ${show(id)}`)
  }
  return Int32Array.from(ids)
}

export function checkSignal(signal: unknown, name = 'signal'): void {
  if (signal === undefined || signal instanceof AbortSignal) return
  reject(`option ${name}: expected an AbortSignal, got ${show(signal)}`)
}

function defaultTemperature(defaults: EngineDefaults): number {
  return defaults.doSample === false ? 0 : (defaults.temperature ?? 1)
}

function isId(value: unknown, vocabularySize: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < vocabularySize
}

/** `value` if it lies in the range. Throws ERR_HADAL_REQUEST. */
export function checkNumber(what: string, value: unknown, range: Range): number {
  const fits = typeof value === 'number' && value >= range.min && value <= range.max
  if (fits && (!range.int || Number.isInteger(value))) return value
  const kind = range.int ? 'an integer' : 'a number'
  const upTo = range.max === Number.MAX_SAFE_INTEGER ? 'or more' : `to ${range.max}`
  reject(
    `${what}: expected ${kind} ${upTo === 'or more' ? `of ${range.min} or more` : `from ${range.min} ${upTo}`}, got ${show(value)}`,
  )
}

function resolveSeed(seed: unknown): bigint {
  if (seed === undefined) return randomBytes(8).readBigUInt64LE()
  const value = Number.isSafeInteger(seed) ? BigInt(seed as number) : seed
  if (typeof value === 'bigint' && value >= 0n && value < 1n << 64n) return value
  reject(
    `option seed: expected an integer from 0 to 2^64-1 (a bigint above 2^53), got ${show(seed)}`,
  )
}

function resolveBias(
  bias: unknown,
  vocabularySize: number,
): ReadonlyMap<number, number> | undefined {
  if (bias === undefined) return undefined
  if (typeof bias !== 'object' || bias === null || Array.isArray(bias)) {
    reject(`option logitBias: expected a Map or an object from id to number, got ${show(bias)}`)
  }
  const entries: Iterable<[unknown, unknown]> =
    bias instanceof Map
      ? bias
      : Object.entries(bias).map(([key, value]) => [/^\d+$/.test(key) ? Number(key) : key, value])
  const map = new Map<number, number>()
  for (const [id, value] of entries) {
    if (!isId(id, vocabularySize)) {
      reject(`option logitBias: expected ids from 0 to ${vocabularySize - 1}, got ${show(id)}`)
    }
    map.set(id, checkNumber(`option logitBias[${id}]`, value, biasRange))
  }
  if (map.size > mostBiases) {
    reject(`option logitBias: expected at most ${mostBiases} ids, got ${map.size}`)
  }
  return map.size > 0 ? map : undefined
}

function resolveStopIds(
  options: GenerateOptions,
  defaults: EngineDefaults,
  vocabularySize: number,
): ReadonlySet<number> {
  const { stopIds, ignoreEos } = options
  if (ignoreEos !== undefined && typeof ignoreEos !== 'boolean') {
    reject(`option ignoreEos: expected a boolean, got ${show(ignoreEos)}`)
  }
  const set = new Set(ignoreEos ? [] : (defaults.eosTokenIds ?? []))
  if (stopIds === undefined) return set
  if (typeof stopIds !== 'object' || stopIds === null || !(Symbol.iterator in stopIds)) {
    reject(`option stopIds: expected an iterable of ids, got ${show(stopIds)}`)
  }
  for (const id of checkIds('option stopIds', [...stopIds], vocabularySize)) set.add(id)
  return set
}

function resolveReasoning(
  reasoning: ReasoningOptions | undefined,
  vocabularySize: number,
): ReasoningOptions | undefined {
  if (reasoning === undefined) return undefined
  if (typeof reasoning !== 'object' || reasoning === null) {
    reject(`option reasoning: expected an object, got ${show(reasoning)}`)
  }
  const { open, openId, closeId, budget, closeIds } = reasoning
  if (typeof open !== 'boolean') {
    reject(`option reasoning.open: expected a boolean, got ${show(open)}`)
  }
  for (const [name, id] of Object.entries({ openId, closeId })) {
    if ((name === 'openId' && id === undefined) || isId(id, vocabularySize)) continue
    reject(
      `option reasoning.${name}: expected an id from 0 to ${vocabularySize - 1}, got ${show(id)}`,
    )
  }
  if (budget !== undefined)
    checkNumber('option reasoning.budget', budget, { ...ranges.maxTokens, min: 0 })
  checkSignal(reasoning.endSignal, 'reasoning.endSignal')
  checkIds('option reasoning.exitIds', reasoning.exitIds ?? [], vocabularySize)
  const ids = checkIds('option reasoning.closeIds', closeIds, vocabularySize)
  if (!ids.includes(closeId) || (openId !== undefined && ids.includes(openId))) {
    reject(
      `option reasoning.closeIds: expected closeId ${closeId} and not openId ${openId} among them, got [${ids.join(', ')}]`,
    )
  }
  return { ...reasoning, closeIds: ids }
}

function checkConstraint(constraint: Constraint | undefined): Constraint | undefined {
  if (constraint === undefined || typeof constraint?.start === 'function') return constraint
  reject(`option constraint: expected an object with start(), got ${show(constraint)}`)
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'object' && value !== null)
    return `an object (${value.constructor?.name ?? 'no prototype'})`
  return typeof value === 'function' ? 'a function' : String(value)
}
