#!/usr/bin/env node
// Copies the built addon, and on Linux the CUDA backend with its kernels and their benchmark, into this platform's
// package, ready for `npm pack`. Without nvcc there are no kernels: the backend then says so to whoever asks for a GPU.
// Publish platform packages before the core, which names them as optional dependencies.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const packageFolder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const name = `${process.platform}-${process.arch}`
const folder = path.join(packageFolder, 'platforms', name)
const built = path.join(packageFolder, 'build', 'hadal.node')

function fail(message) {
  process.stderr.write(`hadal: ${message}\n`)
  process.exit(1)
}

if (!existsSync(folder)) fail(`no platform package for ${name}: expected ${folder}`)
if (!existsSync(built)) fail(`${built} is missing: run node packages/native/scripts/build.mjs`)
const version = (file) => JSON.parse(readFileSync(file, 'utf8')).version
const expected = version(path.join(packageFolder, 'package.json'))
const got = version(path.join(folder, 'package.json'))
if (expected !== got) fail(`${folder}/package.json: expected version ${expected}, got ${got}`)
const files = ['hadal.node', 'hadal_cuda.so', 'kernels.sm_90a.fatbin', 'bench/hadal_cuda_bench']
for (const file of files) {
  const from = path.join(path.dirname(built), file)
  const to = path.join(folder, file)
  rmSync(to, { force: true }) // what is of another build must not stay
  if (!existsSync(from)) {
    process.stdout.write(`${file}: not built, not packed\n`)
    continue
  }
  mkdirSync(path.dirname(to), { recursive: true })
  copyFileSync(from, to)
  process.stdout.write(`${to}: ${(statSync(to).size / 1e6).toFixed(1)} MB\n`)
}
