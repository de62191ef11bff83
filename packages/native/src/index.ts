// Finds the addon, checks that it is of this version, and hands out the raw binding. Node caches the
// module per thread; so does this file.
import type { Binding } from './binding.ts'
import { findBeside, loadAddon } from './load.cjs'

export * from './binding.ts'

/** `HADAL_ABI_VERSION` of `hadal.h` that this package was written against. */
export const abiVersion = 1

let cached: Binding | undefined

/**
 * The addon's functions.
 * Throws an Error with `code` 'ERR_HADAL_NO_BINARY' when no file could be loaded, and
 * 'ERR_HADAL_ABI_VERSION' when the file belongs to another version.
 */
export function loadBinding(): Binding {
  if (cached) return cached
  const binding = loadAddon() as Binding
  const got = typeof binding?.abiVersion === 'function' ? binding.abiVersion() : 'none'
  if (got !== abiVersion) {
    const message = `native addon: expected ABI version ${abiVersion}, got ${got}; build or install it again`
    throw Object.assign(new Error(message), { code: 'ERR_HADAL_ABI_VERSION' })
  }
  cached = binding
  return binding
}

/** The path of a file that comes with the addon, such as `bench/hadal_cuda_bench`; undefined: not here. */
export function nativeFile(name: string): string | undefined {
  return findBeside(name)
}
