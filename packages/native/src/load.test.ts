import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { abiVersion, loadBinding } from './index.ts'

const loader = fileURLToPath(new URL('./load.cjs', import.meta.url))

function loadIn(environment: Record<string, string>, file: string = loader) {
  const script = `try { require(${JSON.stringify(file)}).loadAddon(); console.log('loaded') }
    catch (error) { console.log(error.code + '\\n' + error.message) }`
  const env = { ...process.env, ...environment }
  return spawnSync(process.execPath, ['-e', script], { env, encoding: 'utf8' }).stdout
}

describe('loading the addon', () => {
  it('gives the binding of this ABI version, the same object each time', () => {
    const binding = loadBinding()
    expect(binding.abiVersion()).toBe(abiVersion)
    expect(binding.version()).toMatch(/^\d+\.\d+\.\d+$/)
    expect(loadBinding()).toBe(binding)
  })

  it('names the file of HADAL_NATIVE_PATH when that cannot be loaded, and tries no other', () => {
    const text = loadIn({ HADAL_NATIVE_PATH: '/nonexistent/hadal.node' })
    expect(text).toContain('ERR_HADAL_NO_BINARY')
    expect(text).toContain('HADAL_NATIVE_PATH=/nonexistent/hadal.node')
    expect(text).not.toContain('development build')
  })

  it('lists every attempt and says what to do when there is no binary', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'hadal-load-'))
    try {
      const copy = path.join(folder, 'load.cjs')
      const source = readFileSync(loader, 'utf8')
      writeFileSync(copy, source)
      const text = loadIn({ HADAL_NATIVE_PATH: '' }, copy)
      expect(text).toContain('ERR_HADAL_NO_BINARY')
      expect(text).toContain('development build:')
      expect(text).toContain('npm run build')
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
