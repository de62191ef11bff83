// Loads hadal.node: HADAL_NATIVE_PATH, then the build of a checkout, then this platform's package.
// CommonJS with literal require calls inside try, because bundlers and single-file compilers follow only
// those. Returns the raw exports or throws one error with every attempt and what to do.
'use strict'

const { existsSync } = require('node:fs')
const path = require('node:path')

function platform() {
  const libc =
    process.platform === 'linux' && !process.report?.getReport?.().header.glibcVersionRuntime
      ? '-musl'
      : ''
  return `${process.platform}-${process.arch}${libc}`
}

function describe(error) {
  return String(error?.message ?? error).split('\n')[0]
}

function loadAddon() {
  const attempts = []
  const given = process.env.HADAL_NATIVE_PATH
  if (given) {
    // Whoever names a file wants that file, so nothing else is tried.
    try {
      return require(given)
    } catch (error) {
      attempts.push(`HADAL_NATIVE_PATH=${given}: ${describe(error)}`)
      throw failure(
        attempts,
        'Unset HADAL_NATIVE_PATH or let it name a hadal.node of this version.',
      )
    }
  }
  try {
    return require('../build/hadal.node')
  } catch (error) {
    attempts.push(`development build: ${describe(error)}`)
  }
  switch (platform()) {
    case 'linux-x64':
      try {
        return require('@hadal/native-linux-x64')
      } catch (error) {
        attempts.push(`@hadal/native-linux-x64: ${describe(error)}`)
      }
      break
    default:
      attempts.push(`no prebuilt package for ${platform()}`)
  }
  throw failure(attempts, advice())
}

/** The path of a file that lies beside the addon, or undefined. Nothing is loaded. */
function findBeside(name) {
  const folders = []
  const add = (addon) => {
    try {
      folders.push(path.dirname(require.resolve(addon)))
    } catch {}
  }
  if (process.env.HADAL_NATIVE_PATH) add(process.env.HADAL_NATIVE_PATH)
  else {
    folders.push(path.join(__dirname, '../build'))
    add(`@hadal/native-${platform()}`)
  }
  return folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file))
}

function advice() {
  return [
    'What to do:',
    '  in a checkout: npm run build (needs CMake and a C++20 compiler)',
    '  from npm: install again without --omit=optional; behind a lockfile made on another',
    '    platform, delete node_modules and the lockfile first',
    `  for another file: HADAL_NATIVE_PATH=/path/to/hadal.node (this is ${platform()}, Node ${process.version})`,
  ].join('\n')
}

function failure(attempts, help) {
  const lines = attempts.map((line) => `  ${line}`).join('\n')
  const error = new Error(`The native addon could not be loaded. Tried:\n${lines}\n${help}`)
  error.code = 'ERR_HADAL_NO_BINARY'
  return error
}

module.exports = { findBeside, loadAddon }
