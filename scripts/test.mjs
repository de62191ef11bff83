#!/usr/bin/env node
// The whole test run: repository checks, native tests, CUDA kernels (kernels.mjs), TypeScript tests (vitest).
// Its last line is the sum, `N passed, N failed, N skipped`.
//   npm test                       everything
//   npm test -- <path or -t name>  only vitest, with these arguments
//   npm test -- --native [regex]   only native tests
//   npm run test:kernels           only the CUDA kernels: case tables in the emulator, planted faults, gates
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { runChecks } from './check.mjs'
import { runKernels } from './kernels.mjs'
import { createTotal, heading, runNativeTests, runVitest } from './test-runs.mjs'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const programs = path.join(root, 'packages/native/build/tests')
const total = createTotal()
const args = process.argv.slice(2)
if (args[0] === '--native') await runNativeTests(programs, total, { filter: args[1] })
else if (args[0] === '--kernels') await runKernels(total)
else if (args.length > 0) runVitest(args, total)
else {
  heading('checks')
  total.add({ skipped: 0, ...(await runChecks()) })
  heading('native')
  await runNativeTests(programs, total, { only: /^(?!cuda_).*_test$|^abi$/ })
  heading('kernels')
  await runKernels(total)
  heading('typescript')
  runVitest([], total)
}
total.finish()
