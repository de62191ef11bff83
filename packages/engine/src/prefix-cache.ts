// KV blocks that outlive their requests, found again by what they hold. A block is known by its 64 ids
// and by everything before them: its parent in a tree. Holds no memory itself: a block is a number,
// and `KvBlocks` says whose it is. Main thread only.
import { createHash, randomInt } from 'node:crypto'

/** A number for `size` ids from `begin` on, that follow what `parent` stands for. */
export type BlockHash = (parent: number, ids: Int32Array, begin: number, size: number) => number

/** One full block in the cache. */
export interface CachedBlock {
  /** Its number; −1 once it was evicted. */
  block: number
  readonly key: number
  readonly ids: Int32Array
  /** The block before it; none for the first of a sequence. */
  readonly parent: CachedBlock | undefined
  /** Whose it is; '' for everybody's. */
  readonly salt: string
  /** Tables that hold it now. */
  refs: number
  older: CachedBlock | undefined
  newer: CachedBlock | undefined
}

/** Where a block belongs: its key, the block before it, whose it is, and its ids in a sequence. */
export interface Place {
  readonly key: number
  readonly parent: CachedBlock | undefined
  readonly salt: string
  readonly ids: Int32Array
  readonly begin: number
}

export class PrefixCache {
  /** Blocks given up for others so far. */
  evictions = 0
  readonly blockSize: number
  readonly #hash: BlockHash
  readonly #roots: Map<string, number> = new Map()
  readonly #byKey: Map<number, CachedBlock> = new Map()
  // Blocks that nobody holds, least recently used first. A block enters when its last table lets go,
  // and tables let go of the end first: so no block stands before one that builds on it.
  #oldest: CachedBlock | undefined
  #newest: CachedBlock | undefined
  #idle = 0

  constructor(blockSize: number, hash: BlockHash = seededHash()) {
    this.blockSize = blockSize
    this.#hash = hash
  }

  /** Blocks in the cache. */
  get size(): number {
    return this.#byKey.size
  }

  /** Of these, blocks that no table holds. */
  get idle(): number {
    return this.#idle
  }

  /** Key of the block that begins at `begin` and follows the block with key `parent`. */
  keyOf(parent: number | undefined, salt: string, ids: Int32Array, begin: number): number {
    return this.#hash(parent ?? this.#root(salt), ids, begin, this.blockSize)
  }

  /** The cached block of a place, if it is there; ids are compared, so that no hash can mix two. */
  find(place: Place): CachedBlock | undefined {
    const node = this.#byKey.get(place.key)
    return node && this.#matches(node, place) ? node : undefined
  }

  /** Takes in a block that a table holds; undefined when another one has its key. */
  insert(place: Place, block: number): CachedBlock | undefined {
    if (this.#byKey.has(place.key)) return undefined
    const { key, parent, salt, begin } = place
    const ids = place.ids.slice(begin, begin + this.blockSize)
    const node: CachedBlock = {
      ...{ block, key, ids, parent, salt, refs: 1 },
      ...{ older: undefined, newer: undefined },
    }
    this.#byKey.set(key, node)
    return node
  }

  acquire(node: CachedBlock): void {
    if (node.refs++ === 0) this.#unlink(node)
  }

  /** To be called for the end of a sequence first. `old`: before all that is idle already. */
  release(node: CachedBlock, old = false): void {
    if (--node.refs === 0) this.#link(node, old)
  }

  /** Gives up the block that was not used for longest; undefined when all are held. */
  evict(): number | undefined {
    const node = this.#oldest
    if (!node) return undefined
    this.#unlink(node)
    this.#byKey.delete(node.key)
    this.evictions++
    const { block } = node
    node.block = -1
    return block
  }

  /** All blocks, most recently used first, each after the one that it builds on. */
  entries(): CachedBlock[] {
    const held = [...this.#byKey.values()].filter((node) => node.refs > 0)
    const depth = new Map<CachedBlock, number>()
    for (const node of held) depthOf(node, depth)
    held.sort((a, b) => depth.get(a)! - depth.get(b)!)
    for (let node = this.#newest; node; node = node.older) held.push(node)
    return held
  }

  #root(salt: string): number {
    const known = this.#roots.get(salt)
    if (known !== undefined) return known
    // A few names stay; of more than that none is worth remembering.
    if (this.#roots.size >= 1024) this.#roots.clear()
    const codes = Int32Array.from(salt, (character) => character.charCodeAt(0))
    const root = this.#hash(0, codes, 0, codes.length)
    this.#roots.set(salt, root)
    return root
  }

  #matches(node: CachedBlock, place: Place): boolean {
    if (node.parent !== place.parent || node.salt !== place.salt) return false
    const [kept, ids, begin, size] = [node.ids, place.ids, place.begin, this.blockSize]
    for (let i = 0; i < size; i++) if (kept[i] !== ids[begin + i]) return false
    return true
  }

  #link(node: CachedBlock, old: boolean): void {
    this.#idle++
    const [older, newer] = old ? [undefined, this.#oldest] : [this.#newest, undefined]
    node.older = older
    node.newer = newer
    if (older) older.newer = node
    else this.#oldest = node
    if (newer) newer.older = node
    else this.#newest = node
  }

  #unlink(node: CachedBlock): void {
    this.#idle--
    if (node.older) node.older.newer = node.newer
    else this.#oldest = node.newer
    if (node.newer) node.newer.older = node.older
    else this.#newest = node.older
    node.older = undefined
    node.newer = undefined
  }
}

/** What stands for a caller's salt inside; the salt itself may be a secret. */
export function saltDigest(salt: string | undefined): string {
  if (salt === undefined) return ''
  return createHash('sha256').update(salt).digest('hex').slice(0, 32)
}

/** 53 bits of two multiplicative hashes, seeded anew for every engine, so that nobody can aim at a key. */
export function seededHash(
  seedA: number = randomInt(2 ** 32),
  seedB: number = randomInt(2 ** 32),
): BlockHash {
  return (parent, ids, begin, size) => {
    let a = seedA ^ (parent / 2 ** 32)
    let b = seedB ^ parent
    for (let i = begin; i < begin + size; i++) {
      const id = ids[i]!
      a = Math.imul(a ^ id, 0x9e3779b1)
      a ^= a >>> 15
      b = Math.imul(b ^ id, 0x85ebca6b)
      b ^= b >>> 13
    }
    a = Math.imul(a ^ (b >>> 7), 0xc2b2ae35)
    b = Math.imul(b ^ (a >>> 16), 0x27d4eb2f)
    return ((a ^ (a >>> 13)) & 0x1fffff) * 2 ** 32 + ((b ^ (b >>> 16)) >>> 0)
  }
}

function depthOf(node: CachedBlock, known: Map<CachedBlock, number>): number {
  const chain: CachedBlock[] = []
  let at: CachedBlock | undefined = node
  while (at && !known.has(at)) {
    chain.push(at)
    at = at.parent
  }
  let depth = at ? known.get(at)! : -1
  for (const link of chain.reverse()) known.set(link, ++depth)
  return depth
}
