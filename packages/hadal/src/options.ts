// Arguments from strangers: each wrong one is an OptionError that names it, what was expected and what came; an
// unknown name proposes the nearest known one.
import { fileURLToPath } from 'node:url'
import type { ForwardOptions } from '@hadal/model'
import type { ChatOptions, GenerateCallOptions, LoadOptions, PromptOptions } from './types.ts'

export class OptionError extends TypeError {
  readonly code = 'ERR_HADAL_OPTION'
  override readonly name = 'OptionError'
}

/** All names of an options type; the compiler keeps the list complete. */
type Names<O> = { readonly [name in keyof Required<O>]: true }

const loadNames: Names<LoadOptions> = {
  ...{ device: true, precision: true, threads: true, contextLength: true, kvBytes: true },
  ...{ maxSequences: true, maxTokens: true, isa: true, onProgress: true, prefixCache: true },
  ...{ prefixCachePath: true, maxQueue: true, queueTimeoutMs: true, maxStepMs: true },
  agingMs: true,
}

const samplingNames: Names<Omit<GenerateCallOptions, 'reasoning' | 'constraint'>> = {
  ...{ maxTokens: true, temperature: true, topP: true, topK: true, minP: true, seed: true },
  ...{ repetitionPenalty: true, presencePenalty: true, frequencyPenalty: true, logitBias: true },
  ...{ topLogprobs: true, stopIds: true, ignoreEos: true, signal: true, onFinish: true },
  ...{ priority: true, cacheSalt: true },
}

const generateNames: Names<GenerateCallOptions> = {
  ...samplingNames,
  ...{ reasoning: true, constraint: true },
}

const chatNames: Names<ChatOptions> = {
  ...samplingNames,
  ...{ stop: true, tools: true, thinking: true, maxReasoningTokens: true, endThinking: true },
  ...{ responseFormat: true, toolChoice: true, parallelToolCalls: true },
  ...{ prefix: true, partTokens: true, toolDeltas: true },
}

const forwardNames: Names<ForwardOptions> = {
  ...{ lastLogits: true, mtp: true, hiddenStates: true, routing: true, chunk: true, signal: true },
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

/** `; did you mean "threads"?`, or what is known when nothing comes near. */
export function suggestion(name: string, known: readonly string[]): string {
  const nearest = [...known].sort((a, b) => distance(name, a) - distance(name, b))[0] ?? ''
  return distance(name, nearest) <= (nearest.length < 6 ? 2 : 3)
    ? `; did you mean "${nearest}"?`
    : ` (known: ${known.join(', ')})`
}

function show(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'object' && value !== null) return `an object (${Object.keys(value)})`
  return JSON.stringify(value) ?? String(value)
}

/** Throws an OptionError unless `options` is an object whose names are all in `known`. */
export function checkNames(what: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new OptionError(`${what}: options: expected an object, got ${show(options)}`)
  for (const name of Object.keys(options))
    if (!known.includes(name))
      throw new OptionError(`${what}: unknown option "${name}"${suggestion(name, known)}`)
}

function checkKind(what: string, options: object, name: string, kind: 'function' | 'boolean') {
  const value = (options as Record<string, unknown>)[name]
  if (value === undefined || typeof value === kind) return
  throw new OptionError(`${what}: ${name}: expected a ${kind}, got ${show(value)}`)
}

/** Checks the arguments of load() and returns the folder. */
/** `load(options)` is `load(embedded, options)`. */
export function splitLoad(
  first: string | URL | LoadOptions,
  second: LoadOptions | undefined,
  embedded: string,
): [string | URL, LoadOptions] {
  const isOptions = typeof first === 'object' && first !== null && !(first instanceof URL)
  if (!isOptions || Array.isArray(first))
    return [first as string | URL, second === undefined ? {} : second]
  if (second !== undefined)
    throw new OptionError(
      `load: path: expected a checkpoint folder as a string or file: URL before the options, got ${show(first)}`,
    )
  return [embedded, first]
}

export function checkLoad(folder: unknown, options: LoadOptions): string {
  if (folder instanceof URL && folder.protocol === 'file:')
    return checkLoad(fileURLToPath(folder), options)
  if (typeof folder !== 'string' || folder === '')
    throw new OptionError(
      `load: path: expected a checkpoint folder as a string or file: URL, or undefined for the embedded model, got ${show(folder)}`,
    )
  checkNames('load', options, Object.keys(loadNames))
  checkKind('load', options, 'onProgress', 'function')
  const { device = 'auto', precision = 'fast' } = options
  if (device !== 'auto' && device !== 'cpu' && device !== 'cuda')
    throw new OptionError(`load: device: expected 'auto', 'cpu' or 'cuda', got ${show(device)}`)
  if (precision !== 'fast' && precision !== 'reference')
    throw new OptionError(`load: precision: expected 'fast' or 'reference', got ${show(precision)}`)
  const { prefixCachePath, prefixCache } = options
  if (prefixCachePath !== undefined && (typeof prefixCachePath !== 'string' || !prefixCachePath))
    throw new OptionError(`load: prefixCachePath: expected a path, got ${show(prefixCachePath)}`)
  if (prefixCachePath !== undefined && prefixCache === false)
    throw new OptionError('load: prefixCachePath: expected none with prefixCache: false')
  return folder
}

export function checkChat(options: ChatOptions): void {
  checkNames('chat', options, Object.keys(chatNames))
  checkKind('chat', options, 'onFinish', 'function')
  for (const name of ['thinking', 'prefix', 'partTokens', 'toolDeltas', 'parallelToolCalls'])
    checkKind('chat', options, name, 'boolean')
  if (options.tools !== undefined && !Array.isArray(options.tools))
    throw new OptionError(`chat: tools: expected an array, got ${show(options.tools)}`)
}

export function checkPrompt(options: PromptOptions): void {
  checkNames('countTokens', options, ['tools', 'thinking', 'prefix'])
  checkChat(options)
}

export function checkGenerate(options: GenerateCallOptions): void {
  checkNames('generate', options, Object.keys(generateNames))
  checkKind('generate', options, 'onFinish', 'function')
}

export function checkForward(options: ForwardOptions): void {
  checkNames('forward', options, Object.keys(forwardNames))
  for (const name of ['mtp', 'hiddenStates', 'routing'])
    checkKind('forward', options, name, 'boolean')
}
