// Which KV blocks are whose. A block is in the pool, in one table, or in the prefix cache, where tables
// share it by count. Only a table gives blocks back, and it forgets them as it does, so none can be
// freed twice. Nobody writes into a shared block. Main thread only.
import { type BlockHash, type CachedBlock, type Place, PrefixCache } from './prefix-cache.ts'

export interface KvOptions {
  /** false: no block outlives its request. */
  readonly prefixCache?: boolean
  /** For tests: how blocks are hashed. */
  readonly hash?: BlockHash
}

export class KvBlocks {
  /** Blocks in the budget. */
  readonly total: number
  /** Tokens per block. */
  readonly blockSize: number
  readonly cache: PrefixCache | undefined
  readonly #free: number[]
  readonly #dirty: Set<number> = new Set()

  constructor(total: number, blockSize: number, options: KvOptions = {}) {
    this.total = total
    this.blockSize = blockSize
    // Lowest numbers come out first, so a light load touches few pages of the cache.
    this.#free = Array.from({ length: total }, (_, i) => total - 1 - i)
    if (options.prefixCache !== false) this.cache = new PrefixCache(blockSize, options.hash)
  }

  /** Blocks that a request could have now: empty ones, and cached ones that nobody uses. */
  get free(): number {
    return this.#free.length + (this.cache?.idle ?? 0)
  }

  /** Blocks that hold nothing. */
  get empty(): number {
    return this.#free.length
  }

  /** Blocks that hold `tokens` tokens. */
  blocksFor(tokens: number): number {
    return Math.ceil(tokens / this.blockSize)
  }

  /** `salt`: whose cached blocks it shares. */
  table(salt = ''): BlockTable {
    return new BlockTable(this, salt)
  }

  /** A block to write into: an empty one, else the cached one that was not used for longest. */
  take(): number {
    const block = this.#free.pop() ?? this.cache?.evict()
    if (block === undefined) throw new Error('KV blocks: expected one to be left, got none')
    this.#dirty.add(block)
    return block
  }

  give(block: number): void {
    this.#free.push(block)
  }

  /** Empty blocks that were used since the last call: their memory can go back to the system. */
  takeTrimmable(): number[] {
    const list = this.#free.filter((block) => this.#dirty.has(block))
    for (const block of list) this.#dirty.delete(block)
    return list
  }
}

/** The blocks of one sequence, in order of position: first those shared with the cache, then its own. */
export class BlockTable {
  readonly #pool: KvBlocks
  readonly #salt: string
  #blocks: number[] = []
  #shared: CachedBlock[] = []
  /** Keys of the full blocks, as far as they were asked for; they depend on nothing but the ids. */
  readonly #keys: number[] = []

  constructor(pool: KvBlocks, salt: string) {
    this.#pool = pool
    this.#salt = salt
  }

  get blocks(): readonly number[] {
    return this.#blocks
  }

  /** Blocks from the first on that are in the cache: complete, and not to be written. */
  get shared(): number {
    return this.#shared.length
  }

  /** Blocks missing to hold `tokens` tokens. */
  missing(tokens: number): number {
    return Math.max(0, this.#pool.blocksFor(tokens) - this.#blocks.length)
  }

  /** Takes what is missing to hold `tokens` tokens: all of it, or nothing and false. */
  grow(tokens: number): boolean {
    const count = this.missing(tokens)
    if (count > this.#pool.free) return false
    for (let i = 0; i < count; i++) this.#blocks.push(this.#pool.take())
    return true
  }

  /** Cached blocks that go on where the shared ones end, for a sequence that begins with `ids`. */
  found(ids: Int32Array): CachedBlock[] {
    const nodes: CachedBlock[] = []
    const { cache } = this.#pool
    if (!cache) return nodes
    let parent = this.#shared.at(-1)
    const full = Math.floor(ids.length / cache.blockSize)
    for (let i = this.#shared.length; i < full; i++) {
      parent = cache.find(this.#place(cache, i, parent, ids))
      if (!parent) break
      nodes.push(parent)
    }
    return nodes
  }

  /** Shares a block that `found` gave, in place of its own at that position, if it has one. */
  adopt(node: CachedBlock): void {
    this.#pool.cache!.acquire(node)
    const at = this.#shared.push(node) - 1
    const own = this.#blocks[at]
    this.#blocks[at] = node.block
    if (own !== undefined) this.#pool.give(own)
  }

  /** Gives the blocks that `ids` fill to the cache; those that it has already are shared instead. */
  seal(ids: Int32Array): void {
    const { cache } = this.#pool
    if (!cache) return
    const full = Math.floor(ids.length / cache.blockSize)
    while (this.#shared.length < full) {
      const i = this.#shared.length
      const place = this.#place(cache, i, this.#shared.at(-1), ids)
      const known = cache.find(place)
      if (known) this.adopt(known)
      else {
        const node = cache.insert(place, this.#blocks[i]!)
        if (!node) return
        this.#shared.push(node)
      }
    }
  }

  /** What names the i-th block of `ids`, or undefined if they do not fill it or nothing is cached. */
  keyAt(i: number, ids: Int32Array): number | undefined {
    const { cache } = this.#pool
    return cache && (i + 1) * cache.blockSize <= ids.length ? this.#key(cache, i, ids) : undefined
  }

  /** Lets every block go. A step in flight keeps the old list, so it is replaced, not emptied. */
  release(): void {
    const [blocks, shared] = [this.#blocks, this.#shared]
    this.#blocks = []
    this.#shared = []
    for (let i = blocks.length - 1; i >= shared.length; i--) this.#pool.give(blocks[i]!)
    for (let i = shared.length - 1; i >= 0; i--) this.#pool.cache!.release(shared[i]!)
  }

  #place(cache: PrefixCache, i: number, parent: CachedBlock | undefined, ids: Int32Array): Place {
    return {
      key: this.#key(cache, i, ids),
      parent,
      salt: this.#salt,
      ids,
      begin: i * cache.blockSize,
    }
  }

  #key(cache: PrefixCache, i: number, ids: Int32Array): number {
    while (this.#keys.length <= i) {
      const next = this.#keys.length
      this.#keys.push(cache.keyOf(this.#keys.at(-1), this.#salt, ids, next * cache.blockSize))
    }
    return this.#keys[i]!
  }
}
