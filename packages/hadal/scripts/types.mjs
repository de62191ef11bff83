// The type declarations of the public API, with those of the internal packages beside them: the internal
// packages are bundled and never published, so no declaration may name them.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const here = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const packages = path.resolve(here, '..')
const out = path.join(here, 'dist', 'types')
rmSync(out, { recursive: true, force: true })

const tsc = path.join(packages, '..', 'node_modules', 'typescript', 'bin', 'tsc')
const run = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.types.json'], {
  cwd: here,
  encoding: 'utf8',
})
if (run.status !== 0) {
  process.stderr.write(run.stdout + run.stderr)
  process.exit(1)
}

for (const entry of readdirSync(out, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue
  const file = path.join(entry.parentPath, entry.name)
  const text = readFileSync(file, 'utf8')
    .replace(
      /(['"])@hadal\/(checkpoint|engine|grammar|kernels|model|text)\1/g,
      (_, quote, name) => {
        const target = path.relative(path.dirname(file), path.join(out, name, 'src', 'index.js'))
        return `${quote}${target.startsWith('.') ? target : `./${target}`}${quote}`
      },
    )
    .replace(/((?:from|import\()\s*['"]\.{1,2}\/[^'"]+)\.ts(['"])/g, '$1.js$2')
  writeFileSync(file, text)
}
