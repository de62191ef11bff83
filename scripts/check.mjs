#!/usr/bin/env node
// Repository checks that need no build: import law, native include law, file sizes, types, formatting,
// and that the README's tree names what exists. `npm run check` runs them; `npm test` counts them.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')

/** package → packages that it may import; `only` narrows an arrow to some files. */
const importLaw = {
  native: {},
  kernels: { native: true },
  checkpoint: {},
  text: {},
  model: { kernels: true, checkpoint: true },
  engine: { model: true, text: /^chat\.ts$/ },
  grammar: { native: true },
  server: { engine: true, text: true },
  nano: {},
  // Types of the wire only.
  web: { server: /^api\/wire\.ts$/ },
  hadal: {
    server: true,
    engine: true,
    model: true,
    checkpoint: true,
    text: true,
    grammar: true,
    nano: true,
    kernels: /^cli\//,
    native: /^cli\//,
    web: /^cli\//,
  },
  'ai-sdk-provider': { hadal: true },
}

/** native folder → folders whose headers it may include. */
const includeLaw = {
  include: ['hadal'],
  core: ['core', 'hadal'],
  cpu: ['cpu', 'core', 'hadal'],
  grammar: ['grammar', 'core', 'hadal'],
  addon: ['addon', 'hadal'],
  // Kernels know the emulator through their wrappers alone (cuda/device), the driver's interface serves both.
  cuda: ['cuda', 'core', 'hadal'],
  'cuda/device': ['cuda', 'simt'],
  simt: ['simt', 'cuda'],
  bench: ['bench', 'simt', 'cuda', 'core', 'hadal'],
  tests: ['tests', 'bench', 'simt', 'cuda', 'grammar', 'cpu', 'core', 'hadal'],
}

export function list(folder, pattern) {
  const full = path.join(root, folder)
  if (!existsSync(full)) return []
  return readdirSync(full, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => path.relative(root, path.join(entry.parentPath ?? entry.path, entry.name)))
    .filter((file) => !/node_modules|\/dist\/|\/build\//.test(file))
}

const read = (file) => readFileSync(path.join(root, file), 'utf8')
const importPattern = /(?:from|import|import\()\s*['"]([^'"]+)['"]/g

function packageOf(specifier) {
  if (specifier === 'hadal') return 'hadal'
  return /^@hadal\/([^/]+)(\/.*)?$/.exec(specifier)?.[1]
}

export function checkImports() {
  const problems = []
  for (const file of list('packages', /\.tsx?$/)) {
    const [, name, inside] = /^packages\/([^/]+)\/(?:src|app)\/(.+)$/.exec(file) ?? []
    if (!name || name === 'testing' || name === 'clients-test') continue
    const isTest = /\.test\.ts$|^testdata\//.test(inside)
    for (const [, specifier] of read(file).matchAll(importPattern)) {
      const target = packageOf(specifier)
      if (specifier.startsWith('.')) {
        const resolved = path.join(path.dirname(file), specifier)
        const escapes = !resolved.startsWith(`packages/${name}/`)
        if (escapes) problems.push(`${file}: "${specifier}" leaves the package`)
      } else if (target && !isTest && target !== name) {
        const rule = importLaw[name]?.[target]
        const allowed = rule === true || (rule instanceof RegExp && rule.test(inside))
        if (!allowed) problems.push(`${file}: ${name} may not import ${target}`)
      }
    }
  }
  return problems
}

export function checkIncludes() {
  const problems = []
  for (const file of list('native', /\.(h|cpp|c|inl|cu|cuh)$/)) {
    const [, family, part] = file.split('/')
    const folder = part && includeLaw[`${family}/${part}`] ? `${family}/${part}` : family
    for (const [, header] of read(file).matchAll(/^#include "([^"]+)"/gm)) {
      const target = header.includes('/') ? header.split('/')[0] : folder
      const allowed =
        includeLaw[folder]?.includes(target) ||
        existsSync(path.join(root, path.dirname(file), header))
      if (!allowed) problems.push(`${file}: ${folder} may not include "${header}"`)
    }
  }
  return problems
}

/** Tables of cases, generated data and hostile-input lists may be longer. */
const longFiles = /_test\.cpp$|\.test\.(ts|mjs)$|hostile|presets|testdata/

export function checkSizes() {
  const sources = [
    ...list('packages', /\.(tsx?|mjs|cjs)$/),
    ...list('native', /\.(h|cpp|c|inl|cu|cuh)$/),
    ...list('scripts', /\.mjs$/),
    ...list('bench', /\.mjs$/),
  ]
  return sources
    .filter((file) => !longFiles.test(file))
    .map((file) => ({ file, lines: read(file).split('\n').length - 1 }))
    .filter(({ lines }) => lines > 400)
    .map(({ file, lines }) => `${file}: ${lines} lines, at most 400`)
}

/** Every path in the README's annotated tree exists, and every package is in it. */
export function checkTree() {
  const tree = /```tree\n([\s\S]*?)```/.exec(read('README.md'))?.[1]
  if (!tree) return ['README.md: no ```tree block']
  const problems = []
  const stack = []
  const named = new Set()
  for (const line of tree.split('\n')) {
    const match = /^( *)([\w.@/-]+)/.exec(line)
    if (!match) continue
    const depth = match[1].length / 2
    stack.length = depth
    stack[depth] = match[2].replace(/\/$/, '')
    const full = stack.join('/')
    named.add(full)
    if (!existsSync(path.join(root, full)))
      problems.push(`README.md: the tree names ${full}, which does not exist`)
  }
  for (const name of readdirSync(path.join(root, 'packages')))
    if (!named.has(`packages/${name}`))
      problems.push(`README.md: the tree leaves out packages/${name}`)
  return problems
}

function tool(script, args) {
  const run = spawnSync(process.execPath, [path.join(root, script), ...args], {
    cwd: root,
    encoding: 'utf8',
  })
  return run.status === 0 ? [] : `${run.stdout}${run.stderr}`.trim().split('\n').slice(0, 60)
}

const checks = {
  'import law between packages': checkImports,
  'include law in native': checkIncludes,
  'files of at most 400 lines': checkSizes,
  'the README tree is true': checkTree,
  'types (tsc)': () => tool('node_modules/typescript/bin/tsc', ['--noEmit', '-p', 'tsconfig.json']),
  'types of the chat page (tsc)': () =>
    tool('node_modules/typescript/bin/tsc', ['--noEmit', '-p', 'packages/web/tsconfig.json']),
  'format and lint (biome)': () => tool('node_modules/@biomejs/biome/bin/biome', ['check', '.']),
}

export async function runChecks() {
  let passed = 0
  let failed = 0
  for (const [name, check] of Object.entries(checks)) {
    const problems = await check()
    process.stdout.write(`${problems.length === 0 ? '✓' : '✗'} ${name}\n`)
    for (const problem of problems) process.stdout.write(`    ${problem}\n`)
    if (problems.length === 0) passed += 1
    else failed += 1
  }
  return { passed, failed }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { passed, failed } = await runChecks()
  process.stdout.write(`\n${passed} passed, ${failed} failed, 0 skipped\n`)
  process.exitCode = failed === 0 ? 0 : 1
}
