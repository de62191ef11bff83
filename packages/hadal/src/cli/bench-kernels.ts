// `hadal bench kernels --device cuda`: the kernels of the CUDA backend, one by one, at DeepSeek-V3's shapes. The
// measuring is a native program beside the addon, which also runs where there is no Node (scripts/gpu-suite).
import { spawn } from 'node:child_process'
import { nativeFile } from '@hadal/native'
import { UsageError } from './terminal.ts'

const program = 'bench/hadal_cuda_bench'

export const kernelArgs = {
  list: {
    type: 'boolean',
    description: 'kernels: their rows, floors and predictions as JSON; needs no GPU',
  },
  filter: { type: 'string', description: 'kernels: only rows with this text' },
  csv: { type: 'string', description: 'kernels: also write this file' },
} as const

interface Flags {
  readonly device: 'auto' | 'cpu' | 'cuda' | undefined
  readonly list: boolean
  readonly json: boolean
  readonly filter: string | undefined
  readonly csv: string | undefined
}

/** Resolves with the program's exit status. Throws UsageError for a device without rows or a missing program. */
export async function benchKernels(flags: Flags): Promise<number> {
  if (flags.device !== 'cuda')
    throw new UsageError(
      `bench kernels: expected --device cuda, got ${flags.device ?? 'none'}: the CPU’s kernels have no rows here yet`,
    )
  const file = nativeFile(program)
  if (!file)
    throw new UsageError(
      `bench kernels: ${program} is not built; in a checkout: node packages/native/scripts/build.mjs`,
    )
  const args = [
    ...(flags.list ? ['--list'] : []),
    ...(flags.filter ? [`--filter=${flags.filter}`] : []),
    ...(flags.csv ? [`--csv=${flags.csv}`] : []),
    ...(flags.json && !flags.list ? ['--json=/dev/stdout'] : []),
  ]
  const child = spawn(file, args, { stdio: 'inherit' })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? 1))
  })
}
