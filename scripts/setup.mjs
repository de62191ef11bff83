#!/usr/bin/env node
// Brings a fresh clone to the point where a verb can run, then runs it. Each step is skipped when its
// inputs have not changed, so the second call costs a fraction of a second. Needs Node alone; says what
// to install when a compiler or CMake is missing.
//   node scripts/setup.mjs <js|native|build|chat|serve|test|bench> [-- command args...]
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const cache = path.join(root, '.cache')
const pnpmVersion = '12.21.0'
const pnpm = path.join(cache, 'tools', 'node_modules', '.bin', 'pnpm')
const bins = [path.dirname(pnpm), path.join(root, 'node_modules', '.bin')]
const env = { ...process.env, PATH: [...bins, process.env.PATH].join(path.delimiter) }
const color = process.stderr.isTTY && !process.env.NO_COLOR

function fail(message) {
  process.stderr.write(`\nhadal: ${message}\n`)
  process.exit(1)
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const ok = major > 20 || (major === 20 && minor >= 19)
  if (!ok) fail(`Node ≥ 20.19 is needed, this is ${process.version}. See https://nodejs.org`)
}

/** Runs a step with a live elapsed-time line; its output is shown only when it fails. */
async function step(title, command, args, options = {}) {
  const started = Date.now()
  const seconds = () => `${((Date.now() - started) / 1000).toFixed(0)} s`
  const line = (text) => process.stderr.write(color ? `\r\x1b[2K${text}` : `${text}\n`)
  line(`▸ ${title} …`)
  const timer = color ? setInterval(() => line(`▸ ${title} … ${seconds()}`), 500) : undefined
  const chunks = []
  const code = await new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    })
    child.stdout.on('data', (data) => chunks.push(data))
    child.stderr.on('data', (data) => chunks.push(data))
    child.on('error', (error) => {
      chunks.push(Buffer.from(String(error)))
      resolve(1)
    })
    child.on('close', (status) => resolve(status ?? 1))
  })
  clearInterval(timer)
  if (code !== 0) {
    line(`✗ ${title} (${seconds()})`)
    process.stderr.write(`\n${Buffer.concat(chunks).toString().trimEnd()}\n`)
    fail(`"${title}" failed (exit code ${code}): the lines above say why`)
  }
  line(`✓ ${title} (${seconds()})${color ? '\n' : ''}`)
}

function* files(folder, extensions) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (/^(node_modules|dist|build|\..*)$/.test(entry.name)) continue
    const full = path.join(folder, entry.name)
    if (entry.isDirectory()) yield* files(full, extensions)
    else if (extensions.test(entry.name)) yield full
  }
}

/** A digest of names, sizes and times of the inputs: changes whenever a rebuild could differ. */
function digest(inputs) {
  const hash = createHash('sha256').update(process.version)
  for (const file of [...inputs].sort()) {
    const { size, mtimeMs } = statSync(file)
    hash.update(`${path.relative(root, file)} ${size} ${mtimeMs}\n`)
  }
  return hash.digest('hex')
}

/** Runs `work` unless it ran before on the same inputs and left `product` behind. */
async function once(name, inputs, product, work) {
  const stamp = path.join(cache, `${name}.stamp`)
  const now = digest(inputs)
  const before = existsSync(stamp) ? readFileSync(stamp, 'utf8') : ''
  if (before === now && existsSync(product)) return
  await work()
  mkdirSync(cache, { recursive: true })
  writeFileSync(stamp, now)
}

async function installPackages() {
  if (!existsSync(pnpm)) {
    const prefix = path.join(cache, 'tools')
    mkdirSync(prefix, { recursive: true })
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
    const flags = ['--no-audit', '--no-fund', '--no-save', '--loglevel=error']
    await step('Fetching pnpm', npm, [
      'install',
      '--prefix',
      prefix,
      ...flags,
      `pnpm@${pnpmVersion}`,
    ])
  }
  const manifests = readdirSync(path.join(root, 'packages')).map((name) =>
    path.join(root, 'packages', name, 'package.json'),
  )
  const inputs = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'].map((f) =>
    path.join(root, f),
  )
  const all = [...inputs, ...manifests.filter((file) => existsSync(file))]
  await once('install', all, path.join(root, 'node_modules', '.pnpm'), () =>
    step('Installing packages', pnpm, ['install', '--frozen-lockfile', '--reporter=append-only']),
  )
}

const nativeScript = path.join(root, 'packages', 'native', 'scripts', 'build.mjs')
const addon = path.join(root, 'packages', 'native', 'build', 'hadal.node')

/** First of all, and all at once: nobody should wait for downloads to hear what is missing. */
async function checkTools() {
  if (existsSync(addon)) return
  const check = spawnSync(process.execPath, [nativeScript, '--check'], { encoding: 'utf8', env })
  if (check.status !== 0) fail((check.stderr || check.stdout).trim().replace(/^hadal: /, ''))
}

const nativeTests = path.join(root, 'packages', 'native', 'build', 'tests')

/** The addon and the CUDA backend; with `tests` also all that tests run, which takes several times as long. */
function nativeStep(name, product, title, flags) {
  const inputs = [
    ...files(path.join(root, 'native'), /\.(cpp|h|inl|c|cu|cuh|txt)$/),
    ...files(path.join(root, 'cmake'), /./),
    path.join(root, 'CMakeLists.txt'),
    nativeScript,
  ]
  return once(name, inputs, product, () => step(title, process.execPath, [nativeScript, ...flags]))
}

const buildNative = () =>
  nativeStep('native', addon, 'Compiling the native addon (a minute or two the first time)', [
    '--only=use',
  ])

const buildNativeTests = () =>
  nativeStep('native-tests', nativeTests, 'Compiling the native tests (some minutes)', [])

async function buildPage() {
  const web = path.join(root, 'packages', 'web')
  const inputs = [
    ...files(path.join(web, 'app'), /\.(tsx?|css|html|js)$/),
    ...files(path.join(web, 'public'), /./),
    ...['package.json', 'vite.config.ts', 'tsconfig.json'].map((file) => path.join(web, file)),
  ].filter((file) => !/\.test\.tsx?$/.test(file))
  await once('page', inputs, path.join(web, 'dist', 'page', 'index.html'), () =>
    step('Building the chat page', pnpm, ['--filter', '@hadal/web', 'run', 'build:page']),
  )
}

async function buildTypeScript() {
  const inputs = [
    ...files(path.join(root, 'packages'), /\.(ts|cjs|json)$/),
    path.join(root, 'tsconfig.base.json'),
    // Holds a digest of the whole page, which the command's build takes along.
    path.join(root, 'packages', 'web', 'dist', 'page', 'sw.js'),
  ].filter((file) => !/\.test\.ts$|packages\/[^/]+\/(test|model|app)\//.test(file))
  const product = path.join(root, 'packages', 'hadal', 'dist', 'cli.js')
  await once('typescript', inputs, product, () =>
    step('Building TypeScript', pnpm, ['--recursive', '--if-present', 'run', 'build']),
  )
}

function run(command, args) {
  // The child owns Ctrl+C; this process only waits and passes its exit code on.
  for (const signal of ['SIGINT', 'SIGQUIT']) process.on(signal, () => {})
  const child = spawn(command, args, { cwd: root, env, stdio: 'inherit' })
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.on('error', (error) => fail(String(error)))
  child.on('close', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
}

const [mode = 'build', ...rest] = process.argv.slice(2)
const separator = rest.indexOf('--')
const command = separator >= 0 ? rest.slice(separator + 1) : []
const stages = {
  js: [installPackages],
  native: [checkTools, installPackages, buildNativeTests],
  build: [checkTools, installPackages, buildNative, buildPage, buildTypeScript],
  test: [checkTools, installPackages, buildNativeTests, buildPage, buildTypeScript],
}
const steps = stages[mode] ?? stages.build
requireNode()
for (const stage of steps) await stage()
const [program, ...args] = command
if (program === 'node') run(process.execPath, args)
else if (program) run(program, args)
