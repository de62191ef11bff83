#!/usr/bin/env node
// The mutation suite of the CUDA kernels: each planted fault (see mutant-files.mjs) is built into its test
// program, beside the objects that the ordinary build has left, and run in the emulator with several seeds.
// Caught: on every seed the emulator reports a hazard or a test finds wrong numbers. A crash is no catch, unless
// the emulator has said which thread of which kernel left all memory.
//   node scripts/kernel-mutants.mjs [--filter=regex] [--seeds=5] [--full] [--fresh] [--write]
//     --full  runs every case, not only until a seed is caught; --write puts a table into docs/kernel-mutants.md;
//             --fresh forgets earlier results
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { mutate, readMutants } from './mutant-files.mjs'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const build = path.join(root, 'packages/native/build/cmake')
const scratch = path.join(root, '.cache/mutants')
const memory = path.join(root, '.cache/mutants.json')
const runLimit = 120_000

const read = (file) => readFileSync(path.join(root, file), 'utf8')

function execute(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { timeout: runLimit, killSignal: 'SIGKILL', ...options })
    let output = ''
    const take = (data) => {
      if (output.length < 1 << 24) output += data
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.on('error', (error) => resolve({ status: -1, output: String(error) }))
    child.on('close', (status, signal) => resolve({ status, signal, output }))
  })
}

/** A command line of compile_commands.json as arguments. */
function words(command) {
  const all = []
  for (const [text] of command.matchAll(/(?:"(?:\\.|[^"])*"|\\.|[^\s"])+/g))
    all.push(text.replace(/\\(.)|"/g, '$1'))
  return all
}

/** How the ordinary build compiles: file → arguments and object, and the objects of each target. */
function readBuild() {
  const file = path.join(build, 'compile_commands.json')
  if (!existsSync(file)) throw new Error(`${file} is missing: build first (npm run build)`)
  return JSON.parse(readFileSync(file, 'utf8')).map((entry) => {
    const args = words(entry.command)
    const output = args[args.indexOf('-o') + 1]
    const target = /CMakeFiles\/([^/]+)\.dir\//.exec(output)?.[1]
    const object = path.resolve(entry.directory, output)
    return {
      source: path.relative(root, entry.file),
      args,
      target,
      object,
      folder: entry.directory,
    }
  })
}

function kernelsOf(test) {
  const folders = readdirSync(path.join(root, 'native/cuda'), { withFileTypes: true })
  const files = folders
    .filter((f) => f.isDirectory())
    .map((f) => `native/cuda/${f.name}/${test}.cu`)
  return files.filter((file) => existsSync(path.join(root, file)))
}

function sourcesOf(mutant) {
  if (mutant.compile) return mutant.compile.split(/,\s*/)
  return /\.(cu|cpp)$/.test(mutant.file) ? [mutant.file] : kernelsOf(mutant.test)
}

/** Compiles `source` with the mutated file before all others; an edit that is not compiled in is an error. */
async function compileMutant(entry, mutant, folder) {
  const object = path.join(folder, `${path.basename(entry.source)}.o`)
  const dependencies = `${object}.d`
  const mutated = path.join(folder, mutant.file)
  const [compiler, ...args] = entry.args
  args[args.indexOf('-o') + 1] = object
  if (entry.source === mutant.file) args[args.indexOf('-c') + 1] = mutated
  const include = path.join(folder, 'native')
  const flags = ['-I', include, ...args, '-w', '-MMD', '-MF', dependencies]
  const run = await execute(compiler, flags, { cwd: entry.folder })
  if (run.status !== 0) throw new Error(`does not compile:\n${run.output.slice(0, 2000)}`)
  const parts = readFileSync(dependencies, 'utf8').split(/[\s\\]+/)
  if (!parts.some((part) => path.resolve(entry.folder, part) === mutated))
    throw new Error(`${mutant.file} is no part of ${entry.source}: say "compile:"`)
  return object
}

/** The test program with the fault inside; its path. */
async function buildMutant(commands, mutant, folder) {
  mkdirSync(path.dirname(path.join(folder, mutant.file)), { recursive: true })
  writeFileSync(path.join(folder, mutant.file), mutate(read(mutant.file), mutant))
  const sources = sourcesOf(mutant)
  if (sources.length === 0) throw new Error(`no kernel named ${mutant.test}: say "compile:"`)
  const program = `cuda_${mutant.test}_test`
  const targets = [
    program,
    'hadal_cuda_host',
    'hadal_cuda_emulated',
    'hadal_cuda_test_kernels',
    'hadal_simt',
  ]
  const parts = commands.filter((entry) => targets.includes(entry.target))
  if (!parts.some((entry) => entry.target === program)) throw new Error(`no program ${program}`)
  const objects = new Map(parts.map((entry) => [entry.source, entry.object]))
  for (const source of sources) {
    const entry = parts.find((part) => part.source === source)
    if (!entry) throw new Error(`${source} is no part of ${program}`)
    objects.set(source, await compileMutant(entry, mutant, folder))
  }
  const output = path.join(folder, 'mutant')
  const compiler = parts[0].args[0]
  const libraries = [path.join(build, 'libhadal.a'), '-pthread', '-ldl']
  const link = await execute(compiler, [...objects.values(), ...libraries, '-o', output])
  if (link.status !== 0) throw new Error(`does not link:\n${link.output.slice(0, 2000)}`)
  return output
}

/** The name of the first case that a hazard or wrong numbers showed in. */
function caseThatCaught(output) {
  let name
  for (const line of output.split('\n')) {
    name = /^(?:ok {3}|FAIL )(.*)$/.exec(line)?.[1] ?? name
    if (/^FAIL |^seed \d+: (?:[1-9]|0 hazards, numbers wrong)/.test(line)) return name
  }
  return undefined
}

/** What a run says: for each seed whether hazards were reported and whether numbers were wrong. */
export function readVerdict(run, seeds) {
  const hazards = new Set()
  const numbers = new Set()
  for (const [, seed, count, verdict] of run.output.matchAll(
    /^seed (\d+): (\d+) hazards, numbers (right|wrong)$/gm,
  )) {
    if (count !== '0') hazards.add(seed)
    if (verdict === 'wrong') numbers.add(seed)
  }
  // A test without seeds (a launcher that no longer refuses) fails alike on all of them.
  const plain = /^FAIL .*$(?!\n(?: {2}.*\n)*seed )/m.test(run.output)
  if (plain) for (let seed = 1; seed <= seeds; ++seed) numbers.add(String(seed))
  const caught = new Set([...hazards, ...numbers])
  const ended = /^\d+ passed, \d+ failed, \d+ skipped$/m.test(run.output)
  const example = /^ {2}hazard: (.*)$/m.exec(run.output)?.[1]
  return {
    ...{ seeds, caught: caught.size, hazards: hazards.size, numbers: numbers.size, example },
    case: caseThatCaught(run.output),
    ...(ended ? {} : { ended: run.signal === 'SIGKILL' ? 'ran out of time' : 'crashed' }),
  }
}

/** What the emulator says of a thread that leaves all memory, before the process ends. */
const crashReport = /^hadal_\w+: thread \d+ of block .* dereferences .*$/m

/** Each seed in a process of its own: the emulator's last words count as its report. */
async function seedBySeed(program, env, seeds) {
  const sum = { seeds, caught: 0, hazards: 0, numbers: 0 }
  for (let seed = 1; seed <= seeds; ++seed) {
    const run = await execute(program, [], { env: { ...env, HADAL_TEST_ONLY_SEED: String(seed) } })
    const crash = crashReport.exec(run.output)?.[0]
    const verdict = readVerdict(run, seeds)
    const hazard = verdict.hazards > 0 || crash !== undefined
    sum.hazards += hazard ? 1 : 0
    sum.numbers += verdict.numbers > 0 ? 1 : 0
    sum.caught += hazard || verdict.numbers > 0 ? 1 : 0
    sum.example ??= crash ?? verdict.example
  }
  return sum
}

async function tryMutant(commands, mutant, index, { seeds, full }) {
  const folder = path.join(scratch, String(index))
  try {
    const program = await buildMutant(commands, mutant, folder)
    const env = {
      ...process.env,
      HADAL_TEST_MUTANT: full ? 'all' : 'first',
      HADAL_TEST_SEEDS: String(seeds),
      ...(mutant.case && !full ? { HADAL_TEST_ONLY: mutant.case } : {}),
    }
    const run = await execute(program, [], { env })
    if (!crashReport.test(run.output)) return readVerdict(run, seeds)
    return await seedBySeed(program, env, seeds)
  } catch (error) {
    return { error: error.message }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Everything that a mutant's outcome can depend on: kernels, emulator, tests and the CPU's oracles. */
function digestOfSources() {
  const hash = createHash('sha256').update(process.version)
  for (const folder of ['cuda', 'simt', 'core', 'cpu', 'tests'].map((name) => `native/${name}`))
    for (const name of readdirSync(path.join(root, folder), { recursive: true }).sort())
      if (/\.(h|cpp|cu|cuh|inl)$/.test(name)) hash.update(name).update(read(`${folder}/${name}`))
  return hash.digest('hex')
}

// A crash after every seed was caught changes nothing.
const isCaught = (r) => !r.error && r.caught === r.seeds
/** As it should be: caught, or missed where the file says so. */
const isFine = (m, r) => !r.error && isCaught(r) === !m['known-miss']

function describe(mutant, result) {
  const name = `${mutant.test}: ${mutant.mutant} (${mutant.class})`
  if (result.error) return `✗ ${name}\n    ${result.error}`
  const by = `hazards on ${result.hazards}, wrong numbers on ${result.numbers} of ${result.seeds} seeds`
  if (isCaught(result))
    return `${mutant['known-miss'] ? '✗ no longer missed:' : '✓'} ${name}: ${by}`
  const end = result.ended ? `; the program ${result.ended}` : ''
  return `${mutant['known-miss'] ? '– missed, as known:' : '✗ MISSED:'} ${name}: ${by}${end}`
}

async function runAll(mutants, commands, options) {
  const remembered = existsSync(memory) ? JSON.parse(readFileSync(memory, 'utf8')) : {}
  const digest = digestOfSources()
  const known = options.fresh || remembered.digest !== digest ? {} : remembered.results
  const results = []
  const keyOf = (m) => {
    const content = { ...m, where: undefined, seeds: options.seeds, full: options.full }
    return createHash('sha256').update(JSON.stringify(content)).digest('hex')
  }
  let next = 0
  const worker = async () => {
    for (let i = next++; i < mutants.length; i = next++) {
      const key = keyOf(mutants[i])
      results[i] = known[key] ?? (await tryMutant(commands, mutants[i], i, options))
      if (!results[i].error) known[key] = results[i]
      process.stdout.write(`${describe(mutants[i], results[i])}\n`)
    }
  }
  await Promise.all(Array.from({ length: options.jobs }, worker))
  mkdirSync(path.dirname(memory), { recursive: true })
  writeFileSync(memory, JSON.stringify({ digest, results: known }))
  return results
}

function table(mutants, results, { seeds, full }) {
  const rows = mutants.map((m, i) => {
    const r = results[i]
    const cell = (count) =>
      count === r.seeds ? 'all' : count === 0 ? '–' : `${count} of ${r.seeds}`
    return `| ${m.test} | ${m.mutant} | ${m.class} | ${cell(r.hazards)} | ${cell(r.numbers)} |`
  })
  const caught = results.filter(isCaught).length
  const numbersAlone = results.filter((r) => isCaught(r) && r.hazards === 0).length
  return `# Planted faults

Each row is a fault put into a real kernel (\`native/tests/cuda/mutants/\`) and run through the kernel's own tests in the emulator, with ${seeds} seeds of its scheduler. ${caught} of ${mutants.length} are caught on every seed. The last columns say on how many seeds the emulator reported a hazard, and on how many the numbers came out wrong, in the first case that caught it${full ? ' or any other' : ' (the rest are not run)'}: ${numbersAlone} show in numbers alone, the others also or only as hazards. Whoever wrote the faults knew the emulator: this is no rate of what it would find in a stranger's kernel.

Written by \`node scripts/kernel-mutants.mjs --write\`.

| test | fault | class | hazard | numbers |
|---|---|---|---|---|
${rows.join('\n')}
`
}

/** Runs the suite; `{ passed, failed, skipped }` as other runs, a mutant caught being one passed. */
export async function runMutants({
  filter,
  seeds = 5,
  full = false,
  fresh = false,
  write = false,
  jobs = Math.max(1, availableParallelism()),
} = {}) {
  const started = Date.now()
  rmSync(scratch, { recursive: true, force: true })
  const pattern = new RegExp(filter ?? '')
  const mutants = readMutants(root).filter((m) =>
    pattern.test(`${m.test}: ${m.mutant} (${m.class})`),
  )
  const results = await runAll(mutants, readBuild(), { seeds, full, fresh, jobs })
  const caught = results.filter(isCaught).length
  const fine = results.filter((r, i) => isFine(mutants[i], r)).length
  const seconds = ((Date.now() - started) / 1000).toFixed(0)
  process.stdout.write(
    `${mutants.length} mutants: ${caught} caught, ${mutants.length - caught} missed, ${seeds} seeds each, ${seconds} s\n`,
  )
  if (write && fine === mutants.length)
    writeFileSync(
      path.join(root, 'docs/kernel-mutants.md'),
      table(mutants, results, { seeds, full }),
    )
  return {
    passed: fine,
    failed: mutants.length - fine,
    skipped: 0,
    mutants: mutants.length,
    caught,
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: {
      filter: { type: 'string' },
      seeds: { type: 'string', default: '5' },
      full: { type: 'boolean', default: false },
      fresh: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
    },
  })
  const { failed } = await runMutants({ ...values, seeds: Number(values.seeds) })
  process.exitCode = failed === 0 ? 0 : 1
}
