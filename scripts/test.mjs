#!/usr/bin/env node
// The whole test run: repository checks, native tests (ctest), TypeScript tests (vitest). Its last line is
// the sum, `N passed, N failed, N skipped`.
//   npm test                       everything
//   npm test -- <path or -t name>  only vitest, with these arguments
//   npm test -- --native [regex]   only native tests
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { runChecks } from './check.mjs'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const total = { passed: 0, failed: 0, skipped: 0 }

function count(passed, failed, skipped) {
  total.passed += passed
  total.failed += failed
  total.skipped += skipped
}

function heading(text) {
  process.stdout.write(`\n── ${text} ──\n`)
}

/** Every native test program prints its own count last; a crash or a missing count is one failure. */
function native(filter) {
  const folder = path.join(root, 'packages/native/build/tests')
  const programs = existsSync(folder)
    ? readdirSync(folder).filter((n) => /_test$|^abi$/.test(n))
    : []
  const chosen = programs.filter((name) => !filter || new RegExp(filter).test(name)).sort()
  if (chosen.length === 0) {
    process.stdout.write(`no native test programs in ${folder}\n`)
    return count(0, 1, 0)
  }
  for (const name of chosen) {
    const run = spawnSync(path.join(folder, name), [], { encoding: 'utf8', maxBuffer: 1 << 28 })
    const lines = `${run.stdout}`.trimEnd().split('\n')
    const match = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(lines.at(-1) ?? '')
    if (match && run.status === (match[2] === '0' ? 0 : 1)) {
      count(Number(match[1]), Number(match[2]), Number(match[3]))
      process.stdout.write(`${match[2] === '0' ? '✓' : '✗'} ${name}: ${match[0]}\n`)
      if (match[2] !== '0') process.stdout.write(`${run.stdout}${run.stderr}\n`)
    } else {
      count(0, 1, 0)
      const end = run.signal ?? `exit code ${run.status}`
      process.stdout.write(`✗ ${name} ended with ${end}\n${run.stdout}${run.stderr}\n`)
    }
  }
}

function vitest(args) {
  const report = path.join(root, '.cache', 'vitest.json')
  mkdirSync(path.dirname(report), { recursive: true })
  const vitestPath = path.join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const flags = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const run = spawnSync(process.execPath, [vitestPath, 'run', ...flags, ...args], {
    cwd: root,
    stdio: 'inherit',
  })
  const results = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined
  if (!results) return count(0, 1, 0)
  const suites = results.testResults.filter(
    (r) => r.status === 'failed' && r.assertionResults.length === 0,
  )
  count(results.numPassedTests, results.numFailedTests + suites.length, results.numPendingTests)
  if (run.status !== 0 && results.numFailedTests + suites.length === 0) count(0, 1, 0)
}

const args = process.argv.slice(2)
if (args[0] === '--native') native(args[1])
else if (args.length > 0) vitest(args)
else {
  heading('checks')
  const checks = await runChecks()
  count(checks.passed, checks.failed, 0)
  heading('native')
  native()
  heading('typescript')
  vitest([])
}
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`)
process.exitCode = total.failed === 0 ? 0 : 1
