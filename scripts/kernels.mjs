// What npm test does for the CUDA kernels without a GPU: every case table in the emulator, the planted faults,
// the gates on what nvcc makes of them, the suite for a GPU in its emulated form, and whether docs/kernels.md is
// current. Minutes at most; says at the end how many kernels, cases and faults that were.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { runGates } from './kernel-gates.mjs'
import { runMutants } from './kernel-mutants.mjs'
import { checkTable } from './kernel-table.mjs'
import { createTotal, heading, runNativeTests } from './test-runs.mjs'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const build = path.join(root, 'packages/native/build')

/** One named check among those that count. */
function check(total, name, problems) {
  process.stdout.write(`${problems.length === 0 ? '✓' : '✗'} ${name}\n`)
  for (const problem of problems) process.stdout.write(`    ${problem}\n`)
  const failed = problems.length > 0 ? 1 : 0
  total.add({ passed: 1 - failed, failed, skipped: 0 })
}

function emulatedSuite() {
  const python = ['python3', 'python'].find((name) => spawnSync(name, ['--version']).status === 0)
  if (!python) return ['skipped']
  const suite = path.join(root, 'scripts/gpu-suite')
  const run = spawnSync(python, [suite, '--emulated', '--only', 'conformance,list'], {
    encoding: 'utf8',
    cwd: root,
  })
  return run.status === 0 ? [] : `${run.stdout}${run.stderr}`.trim().split('\n').slice(-20)
}

export async function runKernels(total) {
  const bench = path.join(build, 'bench/hadal_cuda_bench')
  if (!existsSync(bench)) {
    process.stdout.write(`no kernels in this build (${path.relative(root, bench)} is missing)\n`)
    total.add({ passed: 0, failed: process.platform === 'win32' ? 0 : 1, skipped: 1 })
    return
  }
  const started = Date.now()
  const names = spawnSync(bench, ['--kernels'], { encoding: 'utf8' }).stdout.trim().split('\n')
  const cases = createTotal()
  heading('kernels: cases in the emulator')
  const jobs = Math.max(1, availableParallelism())
  await runNativeTests(path.join(build, 'tests'), cases, { only: /^cuda_.*_test$/, jobs })
  total.add(cases)
  heading('kernels: planted faults')
  const mutants = await runMutants({ seeds: 3 }) // docs/kernel-mutants.md has five
  total.add(mutants)
  heading('kernels: gates')
  total.add(await runGates())
  check(total, 'docs/kernels.md is current', checkTable())
  const suite = emulatedSuite()
  if (suite[0] === 'skipped') {
    process.stdout.write('skipped: scripts/gpu-suite --emulated (no Python)\n')
    total.add({ passed: 0, failed: 0, skipped: 1 })
  } else check(total, 'scripts/gpu-suite --emulated', suite)
  process.stdout.write(
    `\n${names.length} kernels, ${cases.passed + cases.failed} cases, ${mutants.caught} of ${mutants.mutants} planted faults caught, ${((Date.now() - started) / 1000).toFixed(0)} s\n`,
  )
}
