// `hadal doctor`: what Hadal finds on this machine. Exit code 1 when something keeps it from working.
import { readFileSync } from 'node:fs'
import { nanoPath } from '@hadal/nano'
import { loadBinding } from '@hadal/native'
import { type CommandDef, defineCommand } from 'citty'
import { load } from '../load.ts'
import { bytes, exitCodes } from './terminal.ts'

type Check = readonly [name: string, work: () => string | Promise<string>]

/** A machine without a GPU lacks nothing: the CPU does the work. */
function cudaState(): string {
  const binding = loadBinding()
  const { problem, name, memoryTotal, driverVersion } = binding.cuda()
  if (problem) return `not used: ${problem.replace(/^CUDA: /, '')}`
  const driver = `${Math.floor(driverVersion / 1000)}.${Math.floor((driverVersion % 1000) / 10)}`
  const have = new Set(binding.cudaOpList())
  const missing = binding.opList().filter((op) => !have.has(op))
  const kernels = missing.length === 0 ? 'all kernels' : `no kernels yet for ${missing.join(', ')}`
  return `${name}, ${bytes(memoryTotal)}, driver for CUDA ${driver}; ${kernels}`
}

const checks: readonly Check[] = [
  ['node', () => `${process.version} on ${process.platform}-${process.arch}`],
  [
    'addon',
    () =>
      `version ${loadBinding().version()}, ABI ${loadBinding().abiVersion()}, ${loadBinding().opList().length} operations`,
  ],
  [
    'cpu',
    () => {
      const cpu = loadBinding().cpu()
      return `${cpu.model} · kernels for ${cpu.isa} · ${cpu.physicalCores} physical cores, ${cpu.logicalCores} logical`
    },
  ],
  ['features', () => loadBinding().cpu().features],
  [
    'memory',
    () => {
      const cpu = loadBinding().cpu()
      return `${bytes(cpu.memoryTotal)}, ${bytes(cpu.memoryAvailable)} available`
    },
  ],
  [
    'huge pages',
    () =>
      process.platform === 'linux'
        ? readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8').trim()
        : 'not asked',
  ],
  ['cuda', cudaState],
  [
    'model',
    async () => {
      const llm = await load(nanoPath)
      try {
        const ids: number[] = []
        for await (const { id } of llm.generate('2', { maxTokens: 1, temperature: 0 })) ids.push(id)
        return `the embedded model loads and runs on ${llm.info.device} with ${llm.info.threads} threads`
      } finally {
        await llm.dispose()
      }
    },
  ],
]

export const doctorCommand = defineCommand({
  meta: { name: 'doctor', description: 'What Hadal finds on this machine, and what is wrong' },
  async run() {
    const told = new Map<string, string>()
    for (const [name, work] of checks) {
      try {
        process.stdout.write(`✓ ${name.padEnd(11)}${await work()}\n`)
      } catch (error) {
        process.exitCode = exitCodes.error
        const { message } = error as Error
        const same = told.get(message)
        process.stdout.write(`✗ ${name.padEnd(11)}${same ? `as ${same}` : message}\n`)
        told.set(message, same ?? name)
      }
    }
  },
}) as unknown as CommandDef
