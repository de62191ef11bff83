#!/usr/bin/env node
// What can be said of the compiled kernels without a GPU: every .cu compiles for sm_90a, no spills, no local
// memory, no static shared memory, registers within the launch bounds, no complaint of ptxas, and the expected
// instructions in the machine code. native/cuda/gates.json holds what each kernel must have and the exceptions
// with their reasons. Facts are remembered by the digest of a kernel's sources (.cache/gates.json).
//   node scripts/kernel-gates.mjs [--filter=regex] [--fresh] [--table]
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { digestOf, execute, findDisassembler, findNvcc, inspect, nvccFlags } from './cuda-tools.mjs'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const memory = path.join(root, '.cache/gates.json')
const registersOfAnSm = 65536

/** Kernels of tests: they need only compile. */
function testSources() {
  const folder = 'native/tests/cuda/kernels'
  return readdirSync(path.join(root, folder))
    .filter((name) => name.endsWith('.cu'))
    .map((name) => `${folder}/${name}`)
    .sort()
}

export function kernelSources(folder = root) {
  const cuda = path.join(folder, 'native/cuda')
  return readdirSync(cuda, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) =>
      readdirSync(path.join(cuda, entry.name)).map((name) => `${entry.name}/${name}`),
    )
    .filter((name) => name.endsWith('.cu'))
    .map((name) => `native/cuda/${name}`)
    .sort()
}

/** Each a thing that may be wrong with a kernel; its key is what an exception in gates.json names. */
const rules = {
  spills: (k) =>
    k.spillStores + k.spillLoads > 0 &&
    `${k.spillStores} bytes of spill stores, ${k.spillLoads} of loads`,
  'local memory': (k) => k.stack > 0 && `${k.stack} bytes of stack`,
  'static shared memory': (k) =>
    k.staticShared > 0 && `${k.staticShared} bytes: all of it should be shared<T>()`,
  registers: (k) => {
    const used = Math.ceil(k.registers / 8) * 8 * Math.ceil(k.threads / 32) * 32 * k.blocks
    return (
      used > registersOfAnSm &&
      `${k.registers} a thread × ${k.threads} threads × ${k.blocks} blocks are more than ${registersOfAnSm}`
    )
  },
  'local memory in the code': (k) =>
    k.opcodes?.some((o) => /^(LDL|STL)/.test(o)) && 'LDL or STL in the machine code',
  // A warp's 32 narrow accesses cost as many instructions as 32 wide ones, for an eighth of the bytes.
  'narrow access': (k) => {
    const narrow = k.opcodes?.filter((o) => /^(LDG|STG)\..*\b[US](8|16)\b/.test(o)) ?? []
    return (
      narrow.length > 0 && `${narrow.length} of 1 or 2 bytes (${[...new Set(narrow)].join(', ')})`
    )
  },
  // What threads wrote to shared memory is seen by the copy engine only after this fence.
  'fence before a bulk store': (k) => {
    let open = false
    for (const opcode of k.opcodes ?? []) {
      if (/^(STS|STSM)/.test(opcode)) open = true
      if (/^FENCE\.VIEW\.ASYNC/.test(opcode)) open = false
      if (/^(UTMASTG|UBLKCP)/.test(opcode) && open)
        return `${opcode} after STS without FENCE.VIEW.ASYNC`
    }
    return false
  },
}

/** What gates.json asks of a kernel: pattern of an opcode → least count. */
function missing(kernel, expected) {
  return Object.entries(expected).flatMap(([pattern, least]) => {
    const found = kernel.opcodes.filter((opcode) => new RegExp(`^${pattern}$`).test(opcode)).length
    return found < least ? [`expected ${least} or more ${pattern}, got ${found}`] : []
  })
}

/** Problems of one kernel, by the table; `used` collects the exceptions that were needed. */
export function judge(name, kernel, table, used = new Set()) {
  const problems = []
  for (const [rule, check] of Object.entries(rules)) {
    const wrong = check(kernel)
    if (!wrong) continue
    const index = table.exceptions.findIndex(
      (e) => e.rule === rule && new RegExp(`^(${e.kernels})$`).test(name),
    )
    if (index >= 0) used.add(index)
    else problems.push(`${rule}: ${wrong}`)
  }
  const entry = table.instructions.find((e) => new RegExp(`^(${e.kernels})$`).test(name))
  if (!entry) problems.push('native/cuda/gates.json says nothing of its instructions')
  else if (kernel.opcodes) problems.push(...missing(kernel, entry.expect))
  return problems
}

async function factsOf(sources, nvcc, disassembler, { filter, fresh, jobs }) {
  const version = (await execute(nvcc, ['--version'])).stdout
  const remembered = existsSync(memory) && !fresh ? JSON.parse(readFileSync(memory, 'utf8')) : {}
  const facts = {}
  const kept = {}
  let compiled = 0
  let next = 0
  const worker = async () => {
    for (let i = next++; i < sources.length; i = next++) {
      const salt = [version, disassembler, ...nvccFlags].join('\n')
      const digest = digestOf(root, sources[i], salt)
      const known = remembered[digest]
      const result = known ?? (await inspect(root, sources[i], nvcc, disassembler))
      if (!known) compiled += 1
      facts[sources[i]] = result
      if (!result.error) kept[digest] = result
    }
  }
  await Promise.all(Array.from({ length: jobs }, worker))
  mkdirSync(path.dirname(memory), { recursive: true })
  writeFileSync(memory, JSON.stringify(filter ? { ...remembered, ...kept } : kept))
  return { facts, compiled }
}

function report(facts, table, print) {
  const used = new Set()
  const count = { passed: 0, failed: 0 }
  for (const source of Object.keys(facts).sort()) {
    const { error, kernels = {}, complaints = [] } = facts[source]
    const ships = !source.startsWith('native/tests/')
    const problems = error ? [`does not compile:\n${error}`] : ships ? [...complaints] : []
    for (const [symbol, kernel] of Object.entries(ships ? kernels : {})) {
      const name = symbol.replace(/^hadal_/, '')
      problems.push(...judge(name, kernel, table, used).map((text) => `${name}: ${text}`))
      if (print)
        process.stdout.write(
          `    ${name}: ${kernel.registers} registers, ${kernel.threads} threads × ${kernel.blocks}\n`,
        )
    }
    count[problems.length === 0 ? 'passed' : 'failed'] += 1
    const instances = Object.keys(kernels).length
    process.stdout.write(`${problems.length === 0 ? '✓' : '✗'} ${source}: ${instances} instances\n`)
    for (const problem of problems) process.stdout.write(`    ${problem}\n`)
  }
  return { ...count, used }
}

/**
 * All kernels in one translation unit: two inline functions of one name would silently be one in the test
 * programs, which hold every kernel.
 */
async function checkOneUnit() {
  const compiler = process.env.CXX?.split(' ')[0] ?? 'c++'
  const text = kernelSources()
    .map((source) => `#include "${path.join(root, source)}"\n`)
    .join('')
  const flags = ['-std=c++20', '-fsyntax-only', '-w', '-x', 'c++', '-']
  const includes = ['native', 'native/include'].flatMap((f) => ['-I', path.join(root, f)])
  const run = await execute(compiler, [...flags, ...includes], { input: text })
  const ok = run.status === 0
  process.stdout.write(`${ok ? '✓' : '✗'} no name of a kernel file clashes with another file\n`)
  if (!ok) process.stdout.write(`${run.stderr.slice(0, 4000)}\n`)
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1 }
}

/** Runs the gates; `{ passed, failed, skipped }`, one for each .cu. */
export async function runGates({ filter, fresh = false, print = false } = {}) {
  const sources = [...kernelSources(), ...testSources()].filter((source) =>
    new RegExp(filter ?? '').test(source),
  )
  const unit = await checkOneUnit()
  const nvcc = findNvcc()
  if (!nvcc) {
    process.stdout.write(
      `skipped: no nvcc (PATH, CUDACXX, /usr/local/cuda*/bin): ${sources.length} files\n`,
    )
    return { ...unit, skipped: sources.length }
  }
  const disassembler = findDisassembler(nvcc)
  const started = Date.now()
  const jobs = Math.max(1, availableParallelism())
  const { facts, compiled } = await factsOf(sources, nvcc, disassembler, { filter, fresh, jobs })
  const table = JSON.parse(readFileSync(path.join(root, 'native/cuda/gates.json'), 'utf8'))
  const { passed, failed, used } = report(facts, table, print)
  const idle = table.exceptions.filter((_, i) => !used.has(i) && disassembler && !filter)
  for (const e of idle)
    process.stdout.write(
      `    gates.json: the exception of ${e.kernels} (${e.rule}) is not needed any more\n`,
    )
  const bytes = Object.values(facts).reduce((sum, f) => sum + (f.bytes ?? 0), 0)
  const instances = Object.values(facts).flatMap((f) => Object.keys(f.kernels ?? {})).length
  const seconds = ((Date.now() - started) / 1000).toFixed(1)
  if (!disassembler)
    process.stdout.write(
      'skipped: no cuobjdump (PATH, HADAL_CUOBJDUMP): instructions not looked at\n',
    )
  process.stdout.write(
    `${instances} instances, ${(bytes / 1024).toFixed(0)} KB of machine code, ${compiled} of ${sources.length} files compiled in ${seconds} s\n`,
  )
  const skipped = disassembler ? 0 : 1
  return { passed: passed + unit.passed, failed: failed + unit.failed + idle.length, skipped }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: {
      filter: { type: 'string' },
      fresh: { type: 'boolean', default: false },
      table: { type: 'boolean', default: false },
    },
  })
  const { failed } = await runGates({ ...values, print: values.table })
  process.exitCode = failed === 0 ? 0 : 1
}
