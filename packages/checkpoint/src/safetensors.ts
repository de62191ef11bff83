// The header of a safetensors file. Stricter than the reference reader: duplicate names are errors.
// Source: the "Format" section of huggingface/safetensors and its reader's validation.
import { CheckpointError, printable } from './error.ts'
import { type CheckpointFile, decodeUtf8, readExactly, withFile } from './files.ts'
import { parseStrict, type StrictJson, type StrictObject } from './json.ts'

/** Bits of an element of each dtype that the format knows. */
export const dtypeBits = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const
export type StoredDType = keyof typeof dtypeBits

export interface TensorEntry {
  readonly name: string
  readonly dtype: StoredDType
  readonly shape: readonly number[]
  readonly file: CheckpointFile
  /** Bytes from the start of the file. */
  readonly offset: number
  readonly bytes: number
}

export interface SafetensorsHeader {
  readonly file: CheckpointFile
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly metadata: ReadonlyMap<string, string>
}

const maxHeaderBytes = 100_000_000
const maxNameLength = 4096
/** DeepSeek-R1 has 92,000 tensors in 163 files. */
const maxTensors = 1 << 18

export function describeTensor(t: Pick<TensorEntry, 'shape' | 'dtype'>): string {
  return `[${t.shape.join(', ')}] ${t.dtype}`
}

export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  return withFile(path, async (handle, file) => {
    const bad = (message: string) =>
      new CheckpointError(`${printable(path)}: ${message}`, { file: path })
    if (file.size < 8) throw bad(`header: expected at least 8 bytes, got ${file.size}`)
    const prefix = await readExactly(handle, file, 0, 8)
    const declared = new DataView(prefix.buffer).getBigUint64(0, true)
    if (declared > BigInt(maxHeaderBytes))
      throw bad(`header: expected at most ${maxHeaderBytes} bytes, got ${declared}`)
    const length = Number(declared)
    if (8 + length > file.size)
      throw bad(`header: expected ${length} bytes, got ${file.size - 8}: the file is cut short`)
    const text = decodeUtf8(await readExactly(handle, file, 8, length), path, 'header')
    let root: StrictJson
    try {
      root = parseStrict(text, { depth: 8, string: 1 << 20, members: maxTensors })
    } catch (cause) {
      throw new CheckpointError(`${printable(path)}: header: ${(cause as Error).message}`, {
        file: path,
        cause,
      })
    }
    if (!(root instanceof Map)) throw bad('header: expected an object')
    return { file, metadata: metadataOf(root, bad), tensors: tensorsOf(root, file, 8 + length) }
  })
}

function metadataOf(root: StrictObject, bad: (message: string) => Error): Map<string, string> {
  const out = new Map<string, string>()
  const metadata = root.get('__metadata__')
  if (metadata === undefined) return out
  if (!(metadata instanceof Map)) throw bad('header: __metadata__: expected an object')
  for (const [name, value] of metadata) {
    if (typeof value !== 'string')
      throw bad(`header: __metadata__.${printable(name)}: expected a string`)
    out.set(name, value)
  }
  return out
}

/** Non-negative integers written as integers: 2.0 and 1e3 are not counts. */
function counts(value: StrictJson | undefined): number[] | undefined {
  if (!Array.isArray(value)) return undefined
  const out: number[] = []
  for (const item of value) {
    if (item === null || typeof item !== 'object' || !('integer' in item)) return undefined
    if (!item.integer || item.value < 0 || Object.is(item.value, -0)) return undefined
    out.push(item.value)
  }
  return out
}

function tensorOf(
  name: string,
  value: StrictJson,
  file: CheckpointFile,
  dataStart: number,
): TensorEntry {
  const bad = (message: string) =>
    new CheckpointError(`${printable(name)}: ${message} in ${printable(file.path)}`, {
      file: file.path,
      tensor: name,
    })
  if (name.length > maxNameLength)
    throw bad(`expected a name of at most ${maxNameLength} characters, got ${name.length}`)
  if (!(value instanceof Map)) throw bad('expected an object')
  const dtype = value.get('dtype')
  if (typeof dtype !== 'string' || !Object.hasOwn(dtypeBits, dtype))
    throw bad(
      `dtype: expected one of ${Object.keys(dtypeBits).join(', ')}, got ${printable(String(dtype))}`,
    )
  const shape = counts(value.get('shape'))
  if (!shape) throw bad('shape: expected a list of whole numbers')
  if (shape.length > 16) throw bad(`shape: expected at most 16 dimensions, got ${shape.length}`)
  const offsets = counts(value.get('data_offsets'))
  const [begin, end] = offsets ?? []
  if (offsets?.length !== 2 || begin === undefined || end === undefined || end < begin)
    throw bad('data_offsets: expected [begin, end] in ascending order')
  const bits = shape.reduce((product, n) => product * n, 1) * dtypeBits[dtype as StoredDType]
  if (!Number.isSafeInteger(bits))
    throw bad(`shape: expected a size that fits, got [${shape.join(', ')}]`)
  if (bits % 8 !== 0) throw bad(`shape: expected whole bytes, got ${bits} bits`)
  if (bits / 8 !== end - begin)
    throw bad(
      `data_offsets: expected ${bits / 8} bytes for [${shape.join(', ')}] ${dtype}, got ${end - begin}`,
    )
  return {
    name,
    dtype: dtype as StoredDType,
    shape,
    file,
    offset: dataStart + begin,
    bytes: end - begin,
  }
}

function tensorsOf(
  root: StrictObject,
  file: CheckpointFile,
  dataStart: number,
): Map<string, TensorEntry> {
  const entries: TensorEntry[] = []
  for (const [name, value] of root)
    if (name !== '__metadata__') entries.push(tensorOf(name, value, file, dataStart))
  const ordered = entries.toSorted((a, b) => a.offset - b.offset || a.bytes - b.bytes)
  let at = dataStart
  for (const entry of ordered) {
    if (entry.offset !== at) {
      const kind = entry.offset < at ? 'overlap' : 'hole'
      throw new CheckpointError(
        `${printable(entry.name)}: expected data at ${at}, got ${entry.offset} (${kind}) in ${printable(file.path)}`,
        { file: file.path, tensor: entry.name },
      )
    }
    at += entry.bytes
  }
  if (at !== file.size)
    throw new CheckpointError(
      `${printable(file.path)}: expected ${at} bytes (header and tensors), got ${file.size}`,
      { file: file.path },
    )
  return new Map(entries.map((entry) => [entry.name, entry]))
}
