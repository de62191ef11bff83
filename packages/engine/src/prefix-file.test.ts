// The saved prefix cache: what comes back, and that nothing comes back from a file that is not right.
import { execFileSync } from 'node:child_process'
import {
  lstat,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { FakeModel, type FakeModelOptions } from '@hadal/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Engine } from './engine.ts'
import type { GenerateOptions } from './sampling.ts'

let folder = ''
let file = ''
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'hadal-cache-'))
  file = path.join(folder, 'cache.bin')
})
afterAll(() => rm(folder, { recursive: true }))

const prompt = (length: number, salt = 0) =>
  Int32Array.from({ length }, (_, i) => 10 + ((i * 37 + salt * 101) % 500))

function setUp(options: FakeModelOptions = {}) {
  const limits = { maxTokens: 256, contextLength: 2048, ...options.limits }
  const model = new FakeModel({ ...options, limits })
  return { model, engine: new Engine(model) }
}

async function run(engine: Engine, ids: Int32Array, options: GenerateOptions = {}) {
  const stream = engine.generate(ids, { temperature: 0, maxTokens: 3, ...options })
  const got: number[] = []
  for (;;) {
    const next = await stream.next()
    if (next.done) return { ids: got, cached: next.value.cachedTokens }
    got.push(next.value.id)
  }
}

async function saveSome(to: string) {
  const { engine } = setUp()
  await run(engine, prompt(500))
  await run(engine, prompt(300, 1), { cacheSalt: 'mine' })
  await run(engine, Int32Array.from([...prompt(200), ...prompt(200, 2)]))
  return engine.savePrefixCache(to)
}

describe('a saved prefix cache', () => {
  it('comes back in another engine, salts and all, and only its user may read it', async () => {
    const saved = await saveSome(file)
    // 7 + 4 blocks, and of the third prompt those after its 3 common ones.
    expect(saved).toMatchObject({ blocks: 14, tokens: 14 * 64 })
    const info = await stat(file)
    expect([info.size, info.mode & 0o777]).toEqual([saved.bytes, 0o600])
    const { model, engine } = setUp()
    expect(await engine.loadPrefixCache(file)).toEqual(saved)
    expect(engine.stats).toMatchObject({ blocksFree: 128, prefixCache: { blocks: 14 } })
    const again = await run(engine, prompt(500))
    expect(again).toEqual({ ids: model.expected(prompt(500), 3), cached: 7 * 64 })
    expect((await run(engine, prompt(300, 1))).cached).toBe(0)
    expect((await run(engine, prompt(300, 1), { cacheSalt: 'mine' })).cached).toBe(4 * 64)
    expect(await engine.loadPrefixCache(file)).toMatchObject({ blocks: 0 })
    expect((await readFile(file)).includes('mine')).toBe(false)
  })

  it('fills empty blocks only, with what was used last', async () => {
    await saveSome(file)
    const { engine } = setUp({ limits: { blockCount: 34 } })
    await run(engine, prompt(1700, 9))
    expect(await engine.loadPrefixCache(file)).toMatchObject({ blocks: 8 })
    expect(engine.stats.prefixCache).toMatchObject({ blocks: 34, evictions: 0 })
    const third = Int32Array.from([...prompt(200), ...prompt(200, 2)])
    expect((await run(engine, third)).cached).toBe(6 * 64)
    // What came from the file is older than what is here, so it goes first.
    expect((await run(engine, prompt(1700, 9))).cached).toBe(26 * 64)
  })

  it('is saved while requests run, and by an engine that was disposed of', async () => {
    const { model, engine } = setUp({ limits: { blockCount: 40 } })
    const runs = [0, 1, 2, 3].map((i) => run(engine, prompt(600, i), { maxTokens: 300 }))
    for (let i = 0; i < 20; i++) {
      await engine.savePrefixCache(file)
      await setUp().engine.loadPrefixCache(file)
    }
    for (const [i, { ids }] of (await Promise.all(runs)).entries()) {
      expect(ids).toEqual(model.expected(prompt(600, i), 300))
    }
    expect(engine.stats.prefixCache.evictions).toBeGreaterThan(0)
    await engine.dispose()
    const saved = await engine.savePrefixCache(file)
    const other = setUp({ limits: { blockCount: 100 } })
    expect(await other.engine.loadPrefixCache(file)).toEqual(saved)
    for (let i = 0; i < 4; i++) {
      const again = await run(other.engine, prompt(600, i))
      expect(again.ids).toEqual(other.model.expected(prompt(600, i), 3))
    }
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it('needs a cache to go to, and a place', async () => {
    const engine = new Engine(new FakeModel(), {}, { prefixCache: false })
    await expect(engine.savePrefixCache(file)).rejects.toMatchObject({ code: 'ERR_HADAL_REQUEST' })
    await expect(engine.loadPrefixCache(file)).rejects.toMatchObject({ code: 'ERR_HADAL_REQUEST' })
    const none = path.join(folder, 'none')
    await expect(setUp().engine.loadPrefixCache(none)).rejects.toMatchObject({ code: 'ENOENT' })
    const deep = path.join(none, 'cache.bin')
    await expect(setUp().engine.savePrefixCache(deep)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('goes where a link leads, and takes the place of nothing but a file', async () => {
    const link = path.join(folder, 'link')
    await symlink(file, link)
    const saved = await saveSome(link)
    expect((await lstat(link)).isSymbolicLink()).toBe(true)
    expect((await stat(file)).size).toBe(saved.bytes)
    const pipe = path.join(folder, 'no-file')
    execFileSync('mkfifo', [pipe])
    for (const name of [pipe, folder]) {
      await expect(saveSome(name)).rejects.toMatchObject({ code: 'ERR_HADAL_CACHE_FILE' })
    }
    expect((await stat(pipe)).isFIFO()).toBe(true)
  })

  it('removes what killed saves left, and nothing that may still be written', async () => {
    const name = (pid: number, tail: string) => `${file}.${pid}.${tail}`
    const old = [name(1, '0123456789ab.tmp'), name(99, 'ba9876543210.tmp')]
    const young = name(2, '0123456789ab.tmp')
    const foreign = [name(1, '0123456789ab.tmp.txt'), `${file}.mine.tmp`]
    for (const each of [...old, young, ...foreign]) await writeFile(each, 'x')
    const hourAgo = Date.now() / 1000 - 3600
    for (const each of [...old, ...foreign]) await utimes(each, hourAgo, hourAgo)
    await saveSome(file)
    const left = (await readdir(folder)).map((each) => path.join(folder, each))
    expect(left).toEqual(expect.arrayContaining([young, ...foreign]))
    for (const each of old) expect(left).not.toContain(each)
    for (const each of [young, ...foreign]) await rm(each)
  })
})

describe('a file that is not right', () => {
  /** Loads bytes into a fresh engine; nothing may be left of them. */
  async function refused(bytes: Uint8Array, options: FakeModelOptions = {}): Promise<string> {
    const bad = path.join(folder, 'bad.bin')
    await writeFile(bad, bytes)
    const { engine } = setUp(options)
    const error = await engine.loadPrefixCache(bad).then(
      () => undefined,
      (e: Error & { code?: string }) => e,
    )
    expect(error).toMatchObject({ name: 'EngineError', code: 'ERR_HADAL_CACHE_FILE' })
    const { blocksFree, blocksTotal, prefixCache } = engine.stats
    expect([blocksFree, prefixCache.blocks]).toEqual([blocksTotal, 0])
    return error!.message
  }

  it('is refused wherever it is cut off, and when something follows', async () => {
    await saveSome(file)
    const bytes = await readFile(file)
    const cuts = [0, 1, 7, 8, 11, 12, 50, 1000, bytes.length - 33, bytes.length - 1]
    for (let i = 0; i < 20; i++) cuts.push(Math.floor((bytes.length * (i + 0.5)) / 20))
    for (const cut of cuts) await refused(bytes.subarray(0, cut))
    expect(await refused(bytes.subarray(0, -1))).toContain('cut off?')
    expect(await refused(Buffer.concat([bytes, Buffer.of(0)]))).toContain(
      'fits no number of blocks',
    )
  })

  it('is refused with any bit flipped', async () => {
    await saveSome(file)
    const bytes = await readFile(file)
    for (let i = 0; i < 60; i++) {
      const copy = Buffer.from(bytes)
      const at = i < 20 ? i : Math.floor((bytes.length * (i - 19)) / 41)
      copy[at]! ^= 1 << (i % 8)
      await refused(copy)
    }
    const last = Buffer.from(bytes)
    last[last.length - 1]! ^= 1
    expect(await refused(last)).toContain('checksum')
  })

  it('says what it belongs to, if not to this model', async () => {
    await saveSome(file)
    const bytes = await readFile(file)
    const message = await refused(bytes, { fingerprint: { checkpoint: 'x', isa: 'avx2' } })
    expect(message).toContain('made with another checkpoint: expected "x", got "fake"')
    expect(await refused(bytes, { limits: { blockSize: 32 } })).toContain(
      'blockSize: expected 32, got 64',
    )
    expect(await refused(Buffer.alloc(5000))).toContain('expected a saved prefix cache')
    expect(await refused(bytes, { vocabularySize: 100 })).toMatch(/block \d+: id \d+/)
  })

  it('is not waited for when it is a pipe, nor read when it is a folder', async () => {
    const pipe = path.join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    for (const name of [pipe, folder]) {
      await expect(setUp().engine.loadPrefixCache(name)).rejects.toThrow('expected a regular file')
    }
  })
})
