#!/usr/bin/env node
// Copies the built addon into this platform's package, ready for `npm pack`. Publish platform packages
// before the core, which names them as optional dependencies.
import { copyFileSync, existsSync, readFileSync, statSync } from 'node:fs'
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
copyFileSync(built, path.join(folder, 'hadal.node'))
const { size } = statSync(built)
process.stdout.write(`${path.join(folder, 'hadal.node')}: ${(size / 1e6).toFixed(1)} MB\n`)
