import { describe, expect, it } from 'vitest'
import { KvBlocks } from './kv-blocks.ts'

describe('KV blocks', () => {
  it('grow with the sequence, one block per 64 tokens', () => {
    const table = new KvBlocks(4, 64).table()
    const lengths = [1, 64, 65, 128, 129].map((tokens) => {
      expect(table.grow(tokens)).toBe(true)
      return table.blocks.length
    })
    expect(lengths).toEqual([1, 1, 2, 2, 3])
  })

  it('take all that is missing or nothing', () => {
    const pool = new KvBlocks(3, 64)
    const [a, b] = [pool.table(), pool.table()]
    expect(a.grow(128)).toBe(true)
    expect(b.grow(128)).toBe(false)
    expect([b.blocks.length, pool.free]).toEqual([0, 1])
  })

  it('come back once, however often a table is released', () => {
    const pool = new KvBlocks(3, 64)
    const table = pool.table()
    table.grow(192)
    const held = table.blocks
    table.release()
    table.release()
    expect(pool.free).toBe(3)
    expect(held).toEqual([0, 1, 2])
    const [a, b] = [pool.table(), pool.table()]
    a.grow(64)
    b.grow(128)
    expect(new Set([...a.blocks, ...b.blocks]).size).toBe(3)
  })

  it('are offered for trimming once, and only when used and free', () => {
    const pool = new KvBlocks(8, 64)
    const [a, b] = [pool.table(), pool.table()]
    a.grow(128)
    b.grow(64)
    a.release()
    expect(pool.takeTrimmable().sort()).toEqual([0, 1])
    expect(pool.takeTrimmable()).toEqual([])
    b.release()
    expect(pool.takeTrimmable()).toEqual([2])
  })
})
