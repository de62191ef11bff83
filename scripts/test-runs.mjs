// Runs native test programs and vitest, and sums what they count. Shared by test.mjs and sanitizers.mjs.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')

/** A running sum of { passed, failed, skipped } with the line that every run ends with. */
export function createTotal() {
  const total = { passed: 0, failed: 0, skipped: 0 }
  return {
    get passed() {
      return total.passed
    },
    get failed() {
      return total.failed
    },
    get skipped() {
      return total.skipped
    },
    add({ passed, failed, skipped }) {
      total.passed += passed
      total.failed += failed
      total.skipped += skipped
    },
    finish() {
      const { passed, failed, skipped } = total
      process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`)
      process.exitCode = failed === 0 ? 0 : 1
    },
  }
}

export function heading(text) {
  process.stdout.write(`\n── ${text} ──\n`)
}

const oneFailure = { passed: 0, failed: 1, skipped: 0 }

/** What a program printed and how it ended. */
function runToEnd(program, env) {
  return new Promise((resolve) => {
    const child = spawn(program, [], { env: { ...process.env, ...env } })
    const output = { stdout: '', stderr: '' }
    for (const stream of ['stdout', 'stderr'])
      child[stream].setEncoding('utf8').on('data', (data) => {
        output[stream] += data
      })
    child.on('error', (error) => resolve({ ...output, status: -1, signal: String(error) }))
    child.on('close', (status, signal) => resolve({ ...output, status, signal }))
  })
}

async function runProgram(folder, name, env) {
  const run = await runToEnd(path.join(folder, name), env)
  const match = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(
    `${run.stdout}`.trimEnd().split('\n').at(-1) ?? '',
  )
  if (match && run.status === (match[2] === '0' ? 0 : 1)) {
    const [passed, failed, skipped] = match.slice(1).map(Number)
    process.stdout.write(`${failed === 0 ? '✓' : '✗'} ${name}: ${match[0]}\n`)
    if (failed > 0) process.stdout.write(`${run.stdout}${run.stderr}\n`)
    return { passed, failed, skipped }
  }
  const end = run.signal ?? `exit code ${run.status}`
  process.stdout.write(`✗ ${name} ended with ${end}\n${run.stdout}${run.stderr}\n`)
  return oneFailure
}

/** The test programs of a folder whose names match `only` and, if given, `filter`. */
function programsIn(folder, only, filter) {
  const all = existsSync(folder) ? readdirSync(folder) : []
  return all.filter((name) => only.test(name) && new RegExp(filter ?? '').test(name)).sort()
}

/**
 * Every native test program prints its own count last; a crash or a missing count is one failure. `jobs`: so
 * many at a time, for programs that keep to one thread.
 */
export async function runNativeTests(
  folder,
  total,
  { filter, env = {}, only = /_test$|^abi$/, jobs = 1 } = {},
) {
  const chosen = programsIn(folder, only, filter)
  if (chosen.length === 0) {
    process.stdout.write(`no native test programs in ${folder}\n`)
    total.add(oneFailure)
    return
  }
  let next = 0
  const worker = async () => {
    while (next < chosen.length) total.add(await runProgram(folder, chosen[next++], env))
  }
  await Promise.all(Array.from({ length: jobs }, worker))
}

/** Runs vitest; a file that could not be collected, and a run without a report, are failures too. */
export function runVitest(args, total, { env = {} } = {}) {
  const report = path.join(root, '.cache', 'vitest.json')
  mkdirSync(path.dirname(report), { recursive: true })
  rmSync(report, { force: true })
  const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const flags = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const run = spawnSync(process.execPath, [vitest, 'run', ...flags, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  if (!existsSync(report)) return total.add(oneFailure)
  const results = JSON.parse(readFileSync(report, 'utf8'))
  const suites = results.testResults.filter(
    (r) => r.status === 'failed' && r.assertionResults.length === 0,
  )
  const failed = results.numFailedTests + suites.length
  total.add({
    passed: results.numPassedTests,
    failed: failed === 0 && run.status !== 0 ? 1 : failed,
    skipped: results.numPendingTests,
  })
}
