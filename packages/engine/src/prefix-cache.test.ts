// Blocks, tables and the cache against a plain model of who holds what, by random operations.
import { describe, expect, it } from 'vitest'
import { type BlockTable, KvBlocks } from './kv-blocks.ts'
import { type BlockHash, type CachedBlock, saltDigest, seededHash } from './prefix-cache.ts'

const size = 4

/** mulberry32 */
function generator(seed: number): (n: number) => number {
  let state = seed >>> 0
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % n
  }
}

interface Sequence {
  readonly table: BlockTable
  readonly salt: string
  ids: Int32Array
  computed: number
}

/** `expect` is too slow for what runs a million times. */
function ensure(condition: boolean, message: string): void {
  if (!condition) throw new Error(message)
}

/** What stands in a block's memory after its ids were computed: everything up to them. */
const contents = (s: Sequence, block: number) =>
  `${s.salt}:${s.ids.slice(0, (block + 1) * size).join(' ')}`

class World {
  readonly pool: KvBlocks
  readonly memory = new Map<number, string>()
  readonly sequences: Sequence[] = []
  hits = 0

  constructor(total: number, hash: BlockHash) {
    this.pool = new KvBlocks(total, size, { hash })
  }

  /** A sequence of few kinds of blocks, so that prefixes meet. */
  begin(random: (n: number) => number): void {
    const salt = random(4) === 0 ? 'other' : ''
    const ids = Int32Array.from({ length: 1 + random(6 * size) }, (_, i) =>
      Math.floor(i / size) === 0 ? 7 : random(2),
    )
    this.sequences.push({ table: this.pool.table(salt), salt, ids, computed: 0 })
  }

  adopt(s: Sequence): void {
    for (const node of s.table.found(s.ids)) {
      s.table.adopt(node)
      this.hits++
      const i = s.table.shared - 1
      ensure(this.memory.get(s.table.blocks[i]!) === contents(s, i), 'wrong contents')
    }
    s.computed = Math.max(s.computed, Math.min(s.table.shared * size, s.ids.length - 1))
  }

  /** Computes some ids, as a step would, and seals what they fill. */
  step(s: Sequence, count: number): void {
    const end = Math.min(s.ids.length, s.computed + count)
    for (let p = s.computed; p < end; p++) {
      const block = Math.floor(p / size)
      if (block < s.table.shared) continue
      if (p % size === size - 1) this.memory.set(s.table.blocks[block]!, contents(s, block))
      else this.memory.delete(s.table.blocks[block]!)
    }
    s.computed = end
    s.table.seal(s.ids.subarray(0, end))
  }

  append(s: Sequence, id: number): void {
    s.ids = Int32Array.from([...s.ids, id])
  }

  end(s: Sequence): void {
    s.table.release()
    s.computed = 0
  }

  check(): void {
    const { pool } = this
    const entries = pool.cache!.entries()
    const refs = new Map<number, number>()
    const owned: number[] = []
    for (const { table } of this.sequences) {
      for (const [i, block] of table.blocks.entries()) {
        if (i < table.shared) refs.set(block, (refs.get(block) ?? 0) + 1)
        else owned.push(block)
      }
    }
    const cached = entries.map((node) => node.block)
    ensure(entries.length === pool.cache!.size, 'entries')
    ensure(new Set([...owned, ...cached]).size === owned.length + cached.length, 'two owners')
    ensure(pool.empty + owned.length + cached.length === pool.total, 'a leak')
    const idle = entries.filter((node) => node.refs === 0).length
    ensure(pool.cache!.idle === idle, 'idle')
    const seen = new Set<CachedBlock>()
    for (const node of entries) {
      ensure(node.refs === (refs.get(node.block) ?? 0), 'refs')
      ensure(node.parent === undefined || seen.has(node.parent), 'a parent after its child')
      ensure(node.refs === 0 || (node.parent?.refs ?? 1) > 0, 'a parent that nobody holds')
      seen.add(node)
    }
  }
}

function play(seed: number, hash: BlockHash, total: number): World {
  const random = generator(seed)
  const world = new World(total, hash)
  for (let i = 0; i < 400; i++) {
    const { sequences } = world
    const s = sequences[random(Math.max(1, sequences.length))]
    const kind = random(10)
    if (!s || (kind < 2 && sequences.length < 6)) world.begin(random)
    else if (kind < 4) world.adopt(s)
    else if (kind < 8) {
      if (s.table.grow(s.ids.length)) world.step(s, 1 + random(2 * size))
      else world.end(s)
    } else if (kind < 9 && s.ids.length < 9 * size) world.append(s, random(2))
    else {
      world.end(s)
      if (random(2) === 0) sequences.splice(sequences.indexOf(s), 1)
    }
    world.check()
  }
  for (const s of world.sequences.splice(0)) world.end(s)
  world.check()
  expect(world.pool.free).toBe(total)
  return world
}

describe('blocks shared by count', () => {
  it('have one owner, the right contents and the right count through 20,000 random operations', () => {
    let [hits, evictions] = [0, 0]
    for (let seed = 0; seed < 50; seed++) {
      const world = play(seed, seededHash(seed, seed + 1), 8 + (seed % 17))
      hits += world.hits
      evictions += world.pool.cache!.evictions
    }
    expect(hits).toBeGreaterThan(500)
    expect(evictions).toBeGreaterThan(500)
  })

  it('are never mixed up by a hash that collides', () => {
    for (let seed = 0; seed < 20; seed++) {
      play(seed, (parent, ids, begin) => (parent + ids[begin]!) % 3, 24)
      play(seed, () => 5, 24)
    }
  })
})

describe('a table', () => {
  const ids = (length: number, from = 0) => Int32Array.from({ length }, (_, i) => from + i)

  it('finds what another left behind, block by block, as far as the ids agree', () => {
    const pool = new KvBlocks(8, size)
    const first = pool.table()
    first.grow(12)
    first.seal(ids(11))
    first.release()
    expect([pool.free, pool.empty, pool.cache!.size]).toEqual([8, 6, 2])
    const other = ids(12)
    other[6] = 99
    expect(pool.table().found(other).length).toBe(1)
    expect(pool.table().found(ids(3)).length).toBe(0)
    expect(pool.table().found(ids(8)).length).toBe(2)
    expect(pool.table('salt').found(ids(12)).length).toBe(0)
  })

  it('gives its own block back when it shares one in its place', () => {
    const pool = new KvBlocks(8, size)
    const [a, b] = [pool.table(), pool.table()]
    a.grow(8)
    b.grow(8)
    a.seal(ids(8))
    b.seal(ids(4))
    expect([b.blocks[0], b.shared, pool.empty]).toEqual([a.blocks[0], 1, 5])
    for (const node of b.found(ids(8))) b.adopt(node)
    expect(b.blocks).toEqual(a.blocks)
    a.release()
    expect([pool.empty, pool.cache!.idle]).toEqual([6, 0])
    b.release()
    expect([pool.free, pool.cache!.idle]).toEqual([8, 2])
  })

  it('loses its end first, and the sequence that was not used for longest', () => {
    const pool = new KvBlocks(4, size)
    const [a, b] = [pool.table(), pool.table()]
    for (const [table, from] of [
      [a, 0],
      [b, 100],
    ] as const) {
      table.grow(8)
      table.seal(ids(8, from))
      table.release()
    }
    const c = pool.table()
    c.grow(4)
    expect(pool.table().found(ids(8)).length).toBe(1)
    c.grow(8)
    expect(pool.table().found(ids(8)).length).toBe(0)
    expect(pool.table().found(ids(8, 100)).length).toBe(2)
    expect(pool.cache!.evictions).toBe(2)
  })

  it('keeps nothing when the cache is off', () => {
    const pool = new KvBlocks(4, size, { prefixCache: false })
    const table = pool.table()
    table.grow(8)
    table.seal(ids(8))
    expect([table.shared, table.keyAt(0, ids(8))]).toEqual([0, undefined])
    table.release()
    expect([pool.empty, pool.table().found(ids(8)).length]).toEqual([4, 0])
  })
})

describe('keys', () => {
  it('spread, depend on what came before, on the salt and on the seeds', () => {
    const hash = seededHash(1, 2)
    const keys = new Set<number>()
    for (let i = 0; i < 100_000; i++) keys.add(hash(i % 10, Int32Array.of(i, i >> 3, 0, 1), 0, 4))
    expect(keys.size).toBe(100_000)
    for (const key of keys) ensure(Number.isSafeInteger(key) && key >= 0, `key ${key}`)
    const ids = Int32Array.of(1, 2, 3, 4)
    expect(seededHash()(0, ids, 0, 4)).not.toBe(seededHash()(0, ids, 0, 4))
    expect(saltDigest(undefined)).toBe('')
    expect(saltDigest('a')).toMatch(/^[0-9a-f]{32}$/)
    expect(saltDigest('a')).not.toBe(saltDigest('b'))
  })
})
