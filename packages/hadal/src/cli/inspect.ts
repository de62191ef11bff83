// `hadal inspect <folder | config.json>`: what a model is and whether it fits here. A config alone is enough.
import { access, stat } from 'node:fs/promises'
import { freemem, totalmem } from 'node:os'
import path from 'node:path'
import { impliedStorage, openCheckpoint, readConfig } from '@hadal/checkpoint'
import { type ModelConfig, modelSize, parseConfig } from '@hadal/model'
import { type CommandDef, defineCommand } from 'citty'
import { bold, bytes, count, dim, UsageError } from './terminal.ts'

interface Report {
  readonly architecture: string
  readonly modelType: string
  readonly layers: number
  readonly hiddenSize: number
  readonly heads: number
  readonly experts: string | undefined
  readonly attention: string
  readonly vocabulary: number
  readonly maxPositions: number
  readonly parameters: number
  readonly activeParameters: number
  readonly mtpParameters: number
  readonly kvBytesPerToken: number
  readonly weightBytes: number
  /** The bytes are those of the files; otherwise they are computed from the config. */
  readonly measured: boolean
  readonly dtypes: Readonly<Record<string, number>>
  readonly tensors: number
  readonly kvBytes: Readonly<Record<string, number>>
  readonly memoryTotal: number
  readonly memoryFree: number
  readonly fits: 'yes' | 'slowly' | 'no'
}

function describeAttention(c: ModelConfig): string {
  if (c.family === 'dense') return `grouped-query, ${c.kvHeads} KV heads of ${c.headDim}`
  return `latent (MLA), rank ${c.kvLoraRank} + ${c.ropeDim}${c.qLoraRank ? `, queries through rank ${c.qLoraRank}` : ''}`
}

function describeExperts(c: ModelConfig): string | undefined {
  if (c.family === 'dense' || c.experts === 0) return undefined
  const { scoring, groups, groupsKept } = c.gating
  const grouped = groups > 1 ? ` in ${groups} groups, ${groupsKept} kept` : ''
  const dense = c.moeLayers.filter((moe) => !moe).length
  return `${c.expertsPerToken} of ${c.experts}${grouped}, ${c.sharedExperts} shared, ${scoring} scores; ${dense} of ${c.layers} layers dense`
}

export async function inspect(target: string): Promise<Report> {
  const exists = await access(target).then(
    () => true,
    () => false,
  )
  if (!exists) throw new UsageError(`inspect: ${target}: no such file or folder`)
  const isFolder = (await stat(target)).isDirectory()
  const { config, file } = await readConfig(target)
  const parsed = parseConfig(config, file)
  const size = modelSize(parsed)
  const hasWeights = isFolder && (await hasSafetensors(target))
  const checkpoint = hasWeights ? await openCheckpoint(target) : undefined
  const stored = checkpoint
    ? { ...checkpoint, tensors: checkpoint.tensors.size }
    : impliedStorage(config, file)
  const weightBytes = stored.bytes
  const kvBytesPerToken = 2 * size.kvValuesPerToken
  const lengths = [4096, 32_768, 131_072].filter((n) => n <= Math.max(parsed.maxPositions, 4096))
  const kvBytes = Object.fromEntries(lengths.map((n) => [n, n * kvBytesPerToken]))
  const needed = weightBytes + 4096 * kvBytesPerToken
  const memoryTotal = process.constrainedMemory?.() || totalmem()
  const limit = Math.min(memoryTotal, totalmem())
  return {
    architecture: parsed.architecture,
    modelType: parsed.modelType,
    layers: parsed.layers,
    hiddenSize: parsed.hiddenSize,
    heads: parsed.heads,
    experts: describeExperts(parsed),
    attention: describeAttention(parsed),
    vocabulary: parsed.vocabSize,
    maxPositions: parsed.maxPositions,
    ...size,
    kvBytesPerToken,
    weightBytes,
    measured: checkpoint !== undefined,
    dtypes: stored.dtypes,
    tensors: stored.tensors,
    kvBytes,
    memoryTotal: limit,
    memoryFree: freemem(),
    fits: needed < 0.9 * limit ? 'yes' : 4096 * kvBytesPerToken + 2e9 < limit ? 'slowly' : 'no',
  }
}

const hasSafetensors = async (folder: string): Promise<boolean> => {
  for (const name of ['model.safetensors', 'model.safetensors.index.json'])
    if (
      await access(path.join(folder, name)).then(
        () => true,
        () => false,
      )
    )
      return true
  return false
}

function verdict(r: Report): string {
  const need = `${bytes(r.weightBytes)} of weights and ${bytes(4096 * r.kvBytesPerToken)} of KV at 4,096 tokens`
  if (r.fits === 'yes') return `fits: ${need} in ${bytes(r.memoryTotal)}`
  if (r.fits === 'slowly')
    return `does not fit in memory: ${need}, ${bytes(r.memoryTotal)} here. It would run from disk, reading about ${bytes((r.weightBytes * r.activeParameters) / r.parameters)} a token; a machine with ${bytes(r.weightBytes * 1.1)} would hold it`
  return `does not fit: ${need}, ${bytes(r.memoryTotal)} here`
}

function print(r: Report): void {
  const line = (name: string, value: string) =>
    process.stdout.write(`${dim(name.padEnd(14))}${value}\n`)
  process.stdout.write(`${bold(r.architecture)} (${r.modelType})\n`)
  line('layers', `${r.layers}, hidden ${r.hiddenSize}, ${r.heads} heads`)
  line('attention', r.attention)
  if (r.experts) line('experts', r.experts)
  line('vocabulary', `${r.vocabulary}, up to ${r.maxPositions} positions`)
  line(
    'parameters',
    `${count(r.parameters)}, ${count(r.activeParameters)} active a token${r.mtpParameters > 0 ? `, and ${count(r.mtpParameters)} in the MTP module` : ''}`,
  )
  const parts = Object.entries(r.dtypes).map(([dtype, n]) => `${dtype} ${bytes(n)}`)
  line(
    'weights',
    `${bytes(r.weightBytes)} in ${r.tensors.toLocaleString('en')} tensors (${parts.join(', ')})${r.measured ? '' : ', computed from the config'}`,
  )
  const kv = Object.entries(r.kvBytes).map(
    ([n, b]) => `${Number(n).toLocaleString('en')}: ${bytes(b)}`,
  )
  line('KV cache', `${r.kvBytesPerToken.toLocaleString('en')} bytes a token (${kv.join(', ')})`)
  line('memory here', `${bytes(r.memoryTotal)}, ${bytes(r.memoryFree)} free`)
  line('verdict', verdict(r))
}

export const inspectCommand = defineCommand({
  meta: {
    name: 'inspect',
    description: 'What a model is, and whether it fits here; a config.json is enough',
  },
  args: {
    target: { type: 'positional', required: true, description: 'checkpoint folder or config.json' },
    json: { type: 'boolean', description: 'as JSON' },
  },
  async run({ args }) {
    const report = await inspect(args.target)
    if (args.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
    else print(report)
  },
}) as unknown as CommandDef
