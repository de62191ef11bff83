// Which KV blocks are whose. A block belongs to one table or to the pool; only a table gives blocks
// back, and it forgets them as it does, so none can be freed twice. Main thread only.

export class KvBlocks {
  /** Blocks in the budget. */
  readonly total: number
  /** Tokens per block. */
  readonly blockSize: number
  readonly #free: number[]
  readonly #dirty: Set<number> = new Set()

  constructor(total: number, blockSize: number) {
    this.total = total
    this.blockSize = blockSize
    // Lowest numbers come out first, so a light load touches few pages of the cache.
    this.#free = Array.from({ length: total }, (_, i) => total - 1 - i)
  }

  get free(): number {
    return this.#free.length
  }

  /** Blocks that hold `tokens` tokens. */
  blocksFor(tokens: number): number {
    return Math.ceil(tokens / this.blockSize)
  }

  table(): BlockTable {
    return new BlockTable(this, this.#free, this.#dirty)
  }

  /** Free blocks that were used since the last call: their memory can go back to the system. */
  takeTrimmable(): number[] {
    const list = this.#free.filter((block) => this.#dirty.has(block))
    for (const block of list) this.#dirty.delete(block)
    return list
  }
}

/** The blocks of one sequence, in order of position. */
export class BlockTable {
  readonly #pool: KvBlocks
  readonly #free: number[]
  readonly #dirty: Set<number>
  #blocks: number[] = []

  constructor(pool: KvBlocks, free: number[], dirty: Set<number>) {
    this.#pool = pool
    this.#free = free
    this.#dirty = dirty
  }

  get blocks(): readonly number[] {
    return this.#blocks
  }

  /** Blocks missing to hold `tokens` tokens. */
  missing(tokens: number): number {
    return Math.max(0, this.#pool.blocksFor(tokens) - this.#blocks.length)
  }

  /** Takes what is missing to hold `tokens` tokens: all of it, or nothing and false. */
  grow(tokens: number): boolean {
    const count = this.missing(tokens)
    if (count > this.#free.length) return false
    for (let i = 0; i < count; i++) {
      const block = this.#free.pop()!
      this.#dirty.add(block)
      this.#blocks.push(block)
    }
    return true
  }

  /** Gives every block back. A step in flight keeps the old list, so it is replaced, not emptied. */
  release(): void {
    const blocks = this.#blocks
    this.#blocks = []
    for (let i = blocks.length - 1; i >= 0; i--) this.#free.push(blocks[i]!)
  }
}
