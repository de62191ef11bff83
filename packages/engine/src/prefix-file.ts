// The prefix cache on disk: magic, length and JSON of a header, one record per block (its parent's
// record, salt, ids, bytes), an end mark, SHA-256 of it all. Written beside and renamed; read into
// blocks that nobody sees before the last byte was checked.
import { createHash, type Hash, randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Model } from '@hadal/model'
import { EngineError, reject } from './error.ts'
import type { KvBlocks } from './kv-blocks.ts'
import type { CachedBlock, PrefixCache } from './prefix-cache.ts'

export interface SavedCache {
  readonly blocks: number
  readonly tokens: number
  /** Bytes of the file. */
  readonly bytes: number
}

interface Header {
  readonly version: number
  readonly blockSize: number
  readonly blockBytes: number
  readonly fingerprint: Readonly<Record<string, string>>
}

interface SavedBlock {
  readonly parent: number
  readonly salt: string
  readonly ids: Int32Array
  readonly bytes: Uint8Array
}

const magic = 'HADALKV\n'
const version = 1
const maxHeaderBytes = 1 << 16
const saltBytes = 16
const digestBytes = 32
const noParent = -1
const end = -2
const abandonedMs = 600_000

/** Writes all cached blocks, most recently used first; those evicted meanwhile are left out. */
export async function saveCache(path: string, model: Model, kv: KvBlocks): Promise<SavedCache> {
  const cache = cacheOf(kv)
  const target = await placeOf(path)
  await removeAbandoned(target)
  const temporary = `${target}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`
  const handle = await open(temporary, 'wx', 0o600)
  try {
    const saved = await writeAll(handle, model, cache)
    await handle.sync()
    await handle.close()
    await rename(temporary, target)
    return saved
  } catch (error) {
    await handle.close().catch(() => {})
    await rm(temporary, { force: true })
    throw error
  }
}

/** Where a link leads, so that it stays one; renaming onto a device would replace it. */
async function placeOf(path: string): Promise<string> {
  const target = await realpath(path).catch(() => path)
  const known = await stat(target).catch(() => undefined)
  if (known && !known.isFile()) bad(path, 'expected a regular file or none')
  return target
}

/** Removes what saves left that were killed: as large as the cache each, they would fill the disk. */
async function removeAbandoned(target: string): Promise<void> {
  const [folder, name] = [dirname(target), basename(target)]
  const files = await readdir(folder).catch(() => [])
  for (const file of files) {
    if (!file.startsWith(`${name}.`)) continue
    if (!/^\d+\.[0-9a-f]{12}\.tmp$/.test(file.slice(name.length + 1))) continue
    const path = join(folder, file)
    // One that is at work writes all the time; ids of processes say nothing across containers.
    const since = await stat(path).catch(() => undefined)
    if (since && Date.now() - since.mtimeMs > abandonedMs) await rm(path, { force: true })
  }
}

async function writeAll(handle: FileHandle, model: Model, cache: PrefixCache): Promise<SavedCache> {
  const { blockBytes, fingerprint } = model
  const { blockSize } = cache
  const hash = createHash('sha256')
  let size = 0
  const write = async (bytes: Uint8Array) => {
    hash.update(bytes)
    size += bytes.length
    await handle.appendFile(bytes)
  }
  const header = Buffer.from(JSON.stringify({ version, blockSize, blockBytes, fingerprint }))
  await write(Buffer.concat([Buffer.from(magic), int32(header.length), header]))
  const written = new Map<CachedBlock, number>()
  for (const node of cache.entries()) {
    // Steps go on between two writes, and may evict; the end of a sequence goes first.
    if (node.block < 0) continue
    const parent = node.parent ? written.get(node.parent)! : noParent
    const salt = Buffer.alloc(saltBytes)
    salt.write(node.salt, 'hex')
    const ids = Buffer.from(node.ids.buffer, node.ids.byteOffset, node.ids.byteLength)
    const bytes = model.readBlocks([node.block])
    written.set(node, written.size)
    await write(Buffer.concat([int32(parent), salt, ids, bytes]))
  }
  await write(int32(end))
  await handle.appendFile(hash.digest())
  const blocks = written.size
  return { blocks, tokens: blocks * blockSize, bytes: size + digestBytes }
}

/** Reads a file into empty blocks, as many as there are, then makes them known. To run between steps. */
export async function loadCache(
  path: string,
  model: Model,
  kv: KvBlocks,
  signal: AbortSignal,
): Promise<SavedCache> {
  const cache = cacheOf(kv)
  // Without NONBLOCK, opening a pipe would wait for its writer.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const staged: { readonly record: Omit<SavedBlock, 'bytes'>; readonly block: number }[] = []
  try {
    const info = await handle.stat()
    if (!info.isFile()) bad(path, 'expected a regular file')
    const reader = new Reader(path, handle, info.size)
    const count = await readHeader(reader, model, cache.blockSize)
    const salts: string[] = []
    for (let i = 0; i < count; i++) {
      signal.throwIfAborted()
      const { bytes, ...record } = await readRecord(reader, i, model, cache.blockSize, salts)
      salts.push(record.salt)
      if (kv.empty === 0) continue
      const block = kv.take()
      staged.push({ record, block })
      model.writeBlocks([block], bytes)
    }
    await readEnd(reader)
    const blocks = publish(staged.splice(0), cache, kv)
    return { blocks, tokens: blocks * cache.blockSize, bytes: info.size }
  } finally {
    for (const { block } of staged) kv.give(block)
    await handle.close()
  }
}

/** Puts checked blocks into the cache; returns how many were new to it. */
function publish(
  staged: readonly { readonly record: Omit<SavedBlock, 'bytes'>; readonly block: number }[],
  cache: PrefixCache,
  kv: KvBlocks,
): number {
  const nodes: (CachedBlock | undefined)[] = []
  const added: CachedBlock[] = []
  for (const { record, block } of staged) {
    const { salt, ids } = record
    const parent = record.parent === noParent ? undefined : nodes[record.parent]
    const orphan = record.parent !== noParent && !parent
    const place = { key: cache.keyOf(parent?.key, salt, ids, 0), parent, salt, ids, begin: 0 }
    const known = orphan ? undefined : cache.find(place)
    const node = orphan || known ? undefined : cache.insert(place, block)
    nodes.push(known ?? node)
    if (node) added.push(node)
    else kv.give(block)
  }
  // The file's first block is the one used last, and older than all that is here.
  for (const node of added) cache.release(node, true)
  return added.length
}

async function readHeader(reader: Reader, model: Model, blockSize: number): Promise<number> {
  const { path } = reader
  const start = await reader.next(magic.length + 4)
  if (start.toString('latin1', 0, magic.length) !== magic)
    bad(path, 'expected a saved prefix cache')
  const length = start.readInt32LE(magic.length)
  if (length < 2 || length > maxHeaderBytes) bad(path, `header of ${length} bytes`)
  const header = parseHeader(path, (await reader.next(length)).toString('utf8'))
  const wanted: Header = {
    ...{ version, blockSize, blockBytes: model.blockBytes },
    fingerprint: model.fingerprint,
  }
  for (const name of ['version', 'blockSize', 'blockBytes'] as const) {
    if (header[name] === wanted[name]) continue
    bad(path, `${name}: expected ${wanted[name]}, got ${show(header[name])}`)
  }
  const theirs = header.fingerprint ?? {}
  for (const name of new Set([...Object.keys(wanted.fingerprint), ...Object.keys(theirs)])) {
    const [expected, got] = [wanted.fingerprint[name], theirs[name]]
    if (expected === got) continue
    bad(path, `made with another ${name}: expected ${show(expected)}, got ${show(got)}`)
  }
  const each = 4 + saltBytes + blockSize * 4 + model.blockBytes
  const count = (reader.left - 4 - digestBytes) / each
  if (!Number.isInteger(count) || count < 0)
    bad(path, 'its length fits no number of blocks; cut off?')
  return count
}

function parseHeader(path: string, text: string): Partial<Header> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch {}
  return bad(path, 'its header is no JSON object')
}

async function readRecord(
  reader: Reader,
  index: number,
  model: Model,
  blockSize: number,
  salts: readonly string[],
): Promise<SavedBlock> {
  const record = await reader.next(4 + saltBytes + blockSize * 4 + model.blockBytes)
  const parent = record.readInt32LE(0)
  if (parent < noParent || parent >= index) bad(reader.path, `block ${index}: parent ${parent}`)
  const digest = record.toString('hex', 4, 4 + saltBytes)
  const salt = /^0*$/.test(digest) ? '' : digest
  if (parent !== noParent && salt !== salts[parent]) {
    bad(reader.path, `block ${index}: salt differs from its parent's`)
  }
  const ids = new Int32Array(blockSize)
  for (let i = 0; i < blockSize; i++) {
    const id = record.readInt32LE(4 + saltBytes + i * 4)
    const known = id >= 0 && id < model.info.vocabularySize
    if (!known) bad(reader.path, `block ${index}: id ${id}`)
    ids[i] = id
  }
  return { parent, salt, ids, bytes: record.subarray(4 + saltBytes + blockSize * 4) }
}

async function readEnd(reader: Reader): Promise<void> {
  const mark = (await reader.next(4)).readInt32LE(0)
  if (mark !== end) bad(reader.path, 'expected the end mark after the last block')
  const digest = reader.digest()
  if (!digest.equals(await reader.next(digestBytes))) {
    bad(reader.path, 'its checksum does not fit its contents')
  }
}

/** Reads a file from front to back and keeps its checksum. */
class Reader {
  readonly path: string
  left: number
  readonly #handle: FileHandle
  readonly #hash: Hash = createHash('sha256')

  constructor(path: string, handle: FileHandle, size: number) {
    this.path = path
    this.left = size
    this.#handle = handle
  }

  async next(bytes: number): Promise<Buffer> {
    if (bytes > this.left) bad(this.path, `expected ${bytes} bytes more, got ${this.left}`)
    const buffer = Buffer.alloc(bytes)
    for (let at = 0; at < bytes; ) {
      const { bytesRead } = await this.#handle.read(buffer, at, bytes - at)
      if (bytesRead === 0) bad(this.path, 'it became shorter while it was read')
      at += bytesRead
    }
    this.left -= bytes
    this.#hash.update(buffer)
    return buffer
  }

  digest(): Buffer {
    return this.#hash.copy().digest()
  }
}

function cacheOf(kv: KvBlocks): PrefixCache {
  return kv.cache ?? reject('prefix cache: expected an engine that has one, got prefixCache: false')
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4)
  buffer.writeInt32LE(value)
  return buffer
}

function show(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value)
}

function bad(path: string, what: string): never {
  throw new EngineError('ERR_HADAL_CACHE_FILE', `prefix cache ${path}: ${what}`)
}
