// Flags that every command that loads a model shares; each has an environment variable that the flag beats.
import { load } from '../load.ts'
import type { Llm, LoadOptions } from '../types.ts'
import { progressBar, UsageError } from './terminal.ts'

export const modelArgs = {
  threads: { type: 'string', description: 'threads of the kernels (HADAL_THREADS)' },
  context: { type: 'string', description: 'longest conversation in tokens (HADAL_CONTEXT)' },
  precision: { type: 'string', description: 'fast (default) or reference' },
  device: { type: 'string', description: 'auto (default), cpu or cuda (HADAL_DEVICE)' },
  isa: {
    type: 'string',
    description: 'avx512bf16, avx512vbmi, avx512, avx2 or portable (HADAL_ISA)',
  },
} as const

export const samplingArgs = {
  temperature: { type: 'string', description: '0 is greedy; default: the model’s' },
  'top-p': { type: 'string', description: 'keep the likeliest tokens up to this probability' },
  'top-k': { type: 'string', description: 'keep this many of the likeliest tokens' },
  'min-p': { type: 'string', description: 'drop tokens below this share of the likeliest' },
  seed: { type: 'string', description: 'same seed, same answer' },
  'max-tokens': { type: 'string', description: 'most tokens of an answer' },
  'max-reasoning-tokens': { type: 'string', description: 'most tokens of thinking' },
} as const

type Values = Record<string, unknown>

/** A number from a flag; UsageError names the flag. */
export function numberFlag(values: Values, name: string): number | undefined {
  const value = values[name]
  if (value === undefined || value === '') return undefined
  const n = Number(value)
  if (!Number.isFinite(n)) throw new UsageError(`--${name}: expected a number, got "${value}"`)
  return n
}

/** A whole number of at least 1 from a flag. */
function countFlag(values: Values, name: string): number | undefined {
  const n = numberFlag(values, name)
  if (n !== undefined && !(Number.isSafeInteger(n) && n >= 1))
    throw new UsageError(`--${name}: expected a whole number of at least 1, got "${values[name]}"`)
  return n
}

export function samplingOptions(values: Values): Record<string, number> {
  const names = {
    temperature: 'temperature',
    'top-p': 'topP',
    'top-k': 'topK',
    'min-p': 'minP',
    seed: 'seed',
    'max-tokens': 'maxTokens',
    'max-reasoning-tokens': 'maxReasoningTokens',
  }
  const out: Record<string, number> = {}
  for (const [flag, option] of Object.entries(names)) {
    const value = numberFlag(values, flag)
    if (value !== undefined) out[option] = value
  }
  return out
}

/** The device of --device, else of HADAL_DEVICE. */
export function deviceFlag(flag: unknown, variable: string | undefined): LoadOptions['device'] {
  const [name, value] = flag !== undefined ? ['--device', flag] : ['HADAL_DEVICE', variable]
  if (value === undefined || value === '') return undefined
  if (value !== 'auto' && value !== 'cpu' && value !== 'cuda')
    throw new UsageError(`${name}: expected auto, cpu or cuda, got "${value}"`)
  return value
}

/** Loads the model that the flags name, with a bar on stderr when it takes long. */
export async function loadFromFlags(
  folder: string | undefined,
  values: Values,
  more: LoadOptions = {},
): Promise<Llm> {
  const threads =
    countFlag(values, 'threads') ?? countFlag({ threads: process.env.HADAL_THREADS }, 'threads')
  const contextLength =
    countFlag(values, 'context') ?? countFlag({ context: process.env.HADAL_CONTEXT }, 'context')
  const { precision } = values
  if (precision !== undefined && precision !== 'fast' && precision !== 'reference')
    throw new UsageError(`--precision: expected fast or reference, got "${precision}"`)
  const device = deviceFlag(values.device, process.env.HADAL_DEVICE)
  const bar = progressBar()
  const options: LoadOptions = {
    onProgress: bar.update,
    ...more,
    ...(threads !== undefined && { threads }),
    ...(contextLength !== undefined && { contextLength }),
    ...(precision !== undefined && { precision }),
    ...(device !== undefined && { device }),
    ...(values.isa !== undefined && { isa: String(values.isa) }),
  }
  try {
    return await load(folder ?? process.env.HADAL_MODEL ?? undefined, options)
  } finally {
    bar.end()
  }
}
