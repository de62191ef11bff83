#!/usr/bin/env node
// Configures and builds the native side into packages/native/build (hadal.node, tests/). Quick when
// nothing changed. Needs CMake ≥ 3.24 and a C++20 compiler, and says how to get them.
//   node build.mjs [--check] [--only=use] [--sanitize=address,undefined] [--jobs=N] [--output=folder]
// --only=use leaves out what only tests need: test programs, the emulator, kernels compiled by nvcc.
import { spawn, spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const packageFolder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const root = path.resolve(packageFolder, '../..')

const { values: flags } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    sanitize: { type: 'string', default: '' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    output: { type: 'string' },
    only: { type: 'string' },
  },
})
const variant = flags.sanitize ? `build-${flags.sanitize.replaceAll(',', '-')}` : 'build'
const output = path.resolve(flags.output ?? path.join(packageFolder, variant))
const buildFolder = path.join(output, 'cmake')

function fail(message) {
  process.stderr.write(`hadal: ${message}\n`)
  process.exit(1)
}

function install(what) {
  const packages = {
    cmake: ['cmake', 'cmake', 'cmake'],
    compiler: ['g++', 'gcc-c++', 'llvm'],
    make: ['make', 'make', 'make'],
  }[what]
  const [apt, dnf, brew] = packages
  return [
    `  Debian, Ubuntu:  sudo apt-get install ${apt}`,
    `  Fedora, RHEL:    sudo dnf install ${dnf}`,
    what === 'compiler'
      ? '  macOS:           xcode-select --install'
      : `  macOS:           brew install ${brew}`,
    ...(what === 'cmake' ? ['  anywhere:        pipx install cmake'] : []),
  ].join('\n')
}

function checkCmake() {
  const run = spawnSync('cmake', ['--version'], { encoding: 'utf8' })
  if (run.error || run.status !== 0)
    return `CMake ≥ 3.24 is needed to compile the native addon and was not found.\n${install('cmake')}`
  const [, major = 0, minor = 0] = /version (\d+)\.(\d+)/.exec(run.stdout) ?? []
  if (Number(major) < 3 || (Number(major) === 3 && Number(minor) < 24))
    return `CMake ≥ 3.24 is needed, this is ${major}.${minor}.\n${install('cmake')}`
  return undefined
}

/** The compiler that CMake would take, tried on a program that needs C++20. */
function checkCompiler() {
  const compiler = process.env.CXX?.split(' ') ?? ['c++']
  const folder = mkdtempSync(path.join(tmpdir(), 'hadal-'))
  try {
    const source = path.join(folder, 'probe.cpp')
    writeFileSync(
      source,
      '#include <span>\n#include <concepts>\nstatic_assert(std::integral<int>);\n',
    )
    const [program, ...rest] = compiler
    const args = [...rest, '-std=c++20', '-fsyntax-only', source]
    const run = spawnSync(program, args, { encoding: 'utf8' })
    if (run.error)
      return `A C++20 compiler is needed and "${compiler.join(' ')}" was not found.\n${install('compiler')}`
    if (run.status !== 0)
      return `"${compiler.join(' ')}" cannot compile C++20 (GCC ≥ 11 or Clang ≥ 14 can):\n${run.stderr.trim().split('\n').slice(0, 4).join('\n')}\n${install('compiler')}`
    return undefined
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What CMake hands the work to; on Windows it finds its own. */
function checkBuildTool() {
  if (process.platform === 'win32') return undefined
  const found = ['ninja', 'make'].some((name) => !spawnSync(name, ['--version']).error)
  return found ? undefined : `make or Ninja is needed and was not found.\n${install('make')}`
}

function alive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** One build per output folder at a time; a lock whose owner is gone is taken over. */
async function withLock(work) {
  mkdirSync(output, { recursive: true })
  const lock = path.join(output, 'build.lock')
  for (let told = false; ; ) {
    try {
      const file = openSync(lock, 'wx')
      writeSync(file, String(process.pid))
      closeSync(file)
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      const owner = existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0
      if (owner > 0 && !alive(owner)) {
        rmSync(lock, { force: true })
        continue
      }
      if (!told) process.stderr.write(`waiting for another build (process ${owner}) …\n`)
      told = true
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
  }
  const release = () => rmSync(lock, { force: true })
  process.on('exit', release)
  await work()
}

function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => child.kill(signal))
    child.on('error', (error) => fail(String(error)))
    child.on('close', (status) => resolve(status ?? 1))
  })
}

function configureArguments() {
  const ninja = spawnSync('ninja', ['--version']).status === 0
  const fresh = !existsSync(path.join(buildFolder, 'CMakeCache.txt'))
  return [
    ...['-S', root, '-B', buildFolder],
    // A generator cannot be changed later; an existing folder keeps its own.
    ...(fresh && ninja ? ['-G', 'Ninja'] : []),
    `-DCMAKE_BUILD_TYPE=${flags.sanitize ? 'RelWithDebInfo' : 'Release'}`,
    `-DHADAL_SANITIZE=${flags.sanitize}`,
    `-DHADAL_OUTPUT_DIR=${output}`,
  ]
}

const problems = [checkCmake(), checkCompiler(), checkBuildTool()].filter(Boolean)
if (problems.length > 0) fail(problems.join('\n'))
if (!flags.check) {
  await withLock(async () => {
    const configured = await run('cmake', configureArguments())
    if (configured !== 0) fail(`configuring failed (exit code ${configured})`)
    const target = flags.only === undefined ? [] : ['--target', `hadal_${flags.only}`]
    const built = await run('cmake', ['--build', buildFolder, '--parallel', flags.jobs, ...target])
    if (built !== 0) fail(`compiling failed (exit code ${built})`)
  })
}
