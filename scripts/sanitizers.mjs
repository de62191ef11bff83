#!/usr/bin/env node
// The native core and the addon under sanitizers; CI has a job of its own for it. A report ends the program
// that caused it, which counts as a failure.
//   node scripts/sanitizers.mjs            AddressSanitizer and UBSan: native tests, then the addon's vitest
//   node scripts/sanitizers.mjs --thread   ThreadSanitizer: native tests (Node itself is not built for it)
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { createTotal, heading, runNativeTests, runVitest } from './test-runs.mjs'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const thread = process.argv.includes('--thread')
const kinds = thread ? 'thread' : 'address,undefined'
const output = path.join(root, 'packages/native', `build-${kinds.replaceAll(',', '-')}`)

function build() {
  const script = path.join(root, 'packages/native/scripts/build.mjs')
  const run = spawnSync(process.execPath, [script, `--sanitize=${kinds}`], { stdio: 'inherit' })
  if (run.status !== 0) process.exit(run.status ?? 1)
}

/** Where the compiler keeps a sanitizer's run-time library; Node must load it before the addon. */
function runtime(name) {
  const compiler = process.env.CXX?.split(' ')[0] ?? 'c++'
  const run = spawnSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' })
  const file = run.stdout?.trim() ?? ''
  if (path.isAbsolute(file)) return file
  process.stderr.write(
    `hadal: ${name} not found by ${compiler}: install the sanitizers' libraries\n`,
  )
  process.exit(1)
}

// SIGBUS belongs to the guard of mapped files, also here; refused allocations are tested.
const common = 'handle_sigbus=0:abort_on_error=1:allocator_may_return_null=1'
const environment = {
  UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  TSAN_OPTIONS: 'halt_on_error=1:exitcode=66:allocator_may_return_null=1',
}

const total = createTotal()
build()
heading(`native tests, ${kinds}`)
await runNativeTests(path.join(output, 'tests'), total, {
  env: { ...environment, ASAN_OPTIONS: `${common}:detect_leaks=1` },
})
if (!thread) {
  heading(`the addon in Node, ${kinds}`)
  // Node and V8 keep memory until exit, so leaks are looked for in the native programs alone.
  const preload = `${runtime('libasan.so')} ${runtime('libubsan.so')}`
  const suites = ['native', 'kernels', 'model', 'engine', 'grammar'].map((s) => `packages/${s}`)
  runVitest([...suites, '--testTimeout=300000', '--hookTimeout=300000'], total, {
    env: {
      ...environment,
      ASAN_OPTIONS: `${common}:detect_leaks=0`,
      LD_PRELOAD: preload,
      HADAL_NATIVE_PATH: path.join(output, 'hadal.node'),
      HADAL_SANITIZED: '1',
    },
  })
}
total.finish()
