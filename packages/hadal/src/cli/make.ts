// `hadal quantize` and `hadal synth`: checkpoints made from others, or from nothing.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { presetNames, quantizeCheckpoint, synthCheckpoint } from '@hadal/checkpoint'
import { type CommandDef, defineCommand } from 'citty'
import { numberFlag } from './model-options.ts'
import { bytes, progressBar, UsageError } from './terminal.ts'

const force = {
  type: 'boolean',
  description: 'write over the checkpoint that the folder already holds',
} as const

/** Weights take hours to download: nothing is written over them unless that was said. */
function checkTarget(folder: string, forced: boolean | undefined): void {
  const held = ['config.json', 'model.safetensors', 'model.safetensors.index.json'].find((name) =>
    existsSync(path.join(folder, name)),
  )
  if (held && !forced)
    throw new UsageError(
      `${folder}: expected a folder without a checkpoint, found ${held}; --force writes over it`,
    )
}

export const quantizeCommand = defineCommand({
  meta: {
    name: 'quantize',
    description: 'A BF16, F16 or F32 checkpoint to FP8 in 128×128 blocks, as DeepSeek ships them',
  },
  args: {
    in: { type: 'positional', required: true, description: 'checkpoint folder' },
    out: { type: 'positional', required: true, description: 'folder to write' },
    dtype: { type: 'string', default: 'fp8', description: 'fp8' },
    'scale-format': {
      type: 'string',
      default: 'f32',
      description: 'f32, or ue8m0 for power-of-two scales',
    },
    force,
  },
  async run({ args }) {
    if (args.dtype !== 'fp8') throw new UsageError(`--dtype: expected fp8, got "${args.dtype}"`)
    const format = args['scale-format']
    if (format !== 'f32' && format !== 'ue8m0')
      throw new UsageError(`--scale-format: expected f32 or ue8m0, got "${format}"`)
    checkTarget(args.out, args.force)
    const bar = progressBar()
    const written = await quantizeCheckpoint(args.in, args.out, {
      scaleFormat: format,
      onProgress: bar.update,
    }).finally(bar.end)
    process.stdout.write(`${args.out}: ${bytes(written)}\n`)
  },
}) as unknown as CommandDef

export const synthCommand = defineCommand({
  meta: {
    name: 'synth',
    description: 'A random checkpoint of a given architecture, for tests and benchmarks',
  },
  args: {
    folder: { type: 'positional', required: true, description: 'folder to write' },
    preset: { type: 'string', default: 'r1-tiny', description: presetNames.join(', ') },
    dtype: { type: 'string', default: 'fp8', description: 'fp8 or bf16' },
    seed: { type: 'string', default: '1', description: 'same seed, same bytes' },
    force,
  },
  async run({ args }) {
    const { dtype, preset } = args
    if (dtype !== 'fp8' && dtype !== 'bf16')
      throw new UsageError(`--dtype: expected fp8 or bf16, got "${dtype}"`)
    if (!presetNames.includes(preset as never))
      throw new UsageError(`--preset: expected one of ${presetNames.join(', ')}, got "${preset}"`)
    checkTarget(args.folder, args.force)
    const bar = progressBar()
    const seed = numberFlag(args, 'seed') ?? 1
    const written = await synthCheckpoint(args.folder, {
      preset,
      dtype,
      seed,
      onProgress: bar.update,
    }).finally(bar.end)
    process.stdout.write(`${args.folder}: ${bytes(written)}\n`)
  },
}) as unknown as CommandDef
