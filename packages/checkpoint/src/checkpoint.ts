// A published checkpoint folder: config.json, one safetensors file or an index of shards. Opens headers
// only; weights stay on disk, for the caller to map.
import { access, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { CheckpointError, printable } from './error.ts'
import { type CheckpointFile, readExactly, readJsonObject, withFile } from './files.ts'
import { type GenerationDefaults, readGenerationDefaults } from './generation.ts'
import type { JsonObject } from './json.ts'
import { bf16ToF32, e4m3Values, e8m0ToF32, f16ToF32 } from './numbers.ts'
import {
  describeTensor,
  readSafetensorsHeader,
  type StoredDType,
  type TensorEntry,
} from './safetensors.ts'

export interface ExpectedTensor {
  readonly shape?: readonly number[]
  readonly dtypes?: readonly StoredDType[]
}

/** A matrix with what is needed to multiply by it. */
export interface WeightEntry {
  readonly tensor: TensorEntry
  readonly scale?: TensorEntry
  /** Rows and columns of a scale block. */
  readonly block?: readonly [number, number]
}

export interface Checkpoint {
  readonly folder: string
  readonly config: JsonObject
  readonly configFile: string
  readonly generation: GenerationDefaults
  readonly files: readonly CheckpointFile[]
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** Bytes of all tensors. */
  readonly bytes: number
  readonly dtypes: Readonly<Record<string, number>>
  has(name: string): boolean
  /** The tensor, or a CheckpointError naming it, what was expected, what came, and the file. */
  tensor(name: string, expected?: ExpectedTensor): TensorEntry
  /** `X.weight` with `X.weight_scale_inv` when it is FP8. */
  weight(name: string, shape: readonly [number, number]): WeightEntry
  /** A small tensor's values as F32, read by pread and converted exactly (F64 rounds). */
  readF32(entry: TensorEntry): Promise<Float32Array>
}

const maxConfigBytes = 16 << 20
const maxIndexBytes = 200 << 20
const maxShards = 100_000
/** Of all shards together; Kimi-K2 has 280,000 with its scales. */
const maxIndexed = 1 << 19

const exists = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  )

/** config.json of a folder, or a config file by itself. */
export async function readConfig(
  folderOrFile: string,
): Promise<{ config: JsonObject; file: string }> {
  const isFolder = await stat(folderOrFile).then(
    (s) => s.isDirectory(),
    () => false,
  )
  const file = isFolder ? path.join(folderOrFile, 'config.json') : folderOrFile
  return { config: await readJsonObject(file, maxConfigBytes), file }
}

/** Opens a checkpoint folder. Throws a CheckpointError that names file, tensor or field. */
export async function openCheckpoint(folder: string): Promise<Checkpoint> {
  const { config, file: configFile } = await readConfig(folder)
  const index = path.join(folder, 'model.safetensors.index.json')
  const tensors = (await exists(index))
    ? await readShards(folder, index)
    : (await readSafetensorsHeader(path.join(folder, 'model.safetensors'))).tensors
  const generation = await readGenerationDefaults(folder, config)
  return makeCheckpoint(folder, config, configFile, generation, tensors)
}

/** A shard's name must be a plain file name; it may be a link, as in a cache that keeps blobs elsewhere. */
async function shardPath(folder: string, index: string, name: unknown): Promise<string> {
  const bad = (got: string) =>
    new CheckpointError(
      `${printable(index)}: weight_map: expected names of files in this folder, got ${printable(got)}`,
      { file: index },
    )
  if (typeof name !== 'string') throw bad(JSON.stringify(name))
  if (
    name === '' ||
    name.includes('\0') ||
    path.basename(name) !== name ||
    !name.endsWith('.safetensors')
  )
    throw bad(name)
  const full = path.join(folder, name)
  await realpath(full).catch((cause: NodeJS.ErrnoException) => {
    throw new CheckpointError(
      `${printable(full)}: named by ${path.basename(index)}, cannot be opened: ${cause.code}`,
      {
        file: full,
        cause,
      },
    )
  })
  return full
}

async function readShards(
  folder: string,
  index: string,
): Promise<ReadonlyMap<string, TensorEntry>> {
  const map = (await readJsonObject(index, maxIndexBytes, { members: maxIndexed })).weight_map
  const bad = (message: string, tensor?: string) =>
    new CheckpointError(`${printable(index)}: ${message}`, {
      file: index,
      ...(tensor !== undefined && { tensor }),
    })
  if (map === null || typeof map !== 'object' || Array.isArray(map) || map === undefined)
    throw bad('weight_map: expected an object')
  const names = [...new Set(Object.values(map))]
  if (names.length > maxShards)
    throw bad(`weight_map: expected at most ${maxShards} shards, got ${names.length}`)
  const tensors = new Map<string, TensorEntry>()
  for (const name of names) {
    const header = await readSafetensorsHeader(await shardPath(folder, index, name))
    for (const [tensor, entry] of header.tensors) {
      if (!Object.hasOwn(map, tensor) && map[tensor] === undefined)
        throw bad(`${printable(tensor)}: lies in ${name} but the index does not name it`, tensor)
      if (map[tensor] !== name)
        throw bad(
          `${printable(tensor)}: expected in ${printable(String(map[tensor]))}, got it in ${name}`,
          tensor,
        )
      tensors.set(tensor, entry)
    }
  }
  for (const [tensor, name] of Object.entries(map))
    if (!tensors.has(tensor))
      throw bad(`${printable(tensor)}: expected in ${name}, which does not hold it`, tensor)
  return tensors
}

function makeCheckpoint(
  folder: string,
  config: JsonObject,
  configFile: string,
  generation: GenerationDefaults,
  tensors: ReadonlyMap<string, TensorEntry>,
): Checkpoint {
  const block = scaleBlock(config, configFile)
  const files = new Map<string, CheckpointFile>()
  const dtypes: Record<string, number> = {}
  let bytes = 0
  for (const entry of tensors.values()) {
    files.set(entry.file.path, entry.file)
    dtypes[entry.dtype] = (dtypes[entry.dtype] ?? 0) + entry.bytes
    bytes += entry.bytes
  }
  const tensor = (name: string, expected: ExpectedTensor = {}): TensorEntry => {
    const want =
      `[${expected.shape?.join(', ') ?? 'any'}] ${expected.dtypes?.join(' or ') ?? ''}`.trim()
    const entry = tensors.get(name)
    if (!entry)
      throw new CheckpointError(
        `${printable(name)}: expected ${want}, got no such tensor in ${printable(folder)}`,
        {
          file: folder,
          tensor: name,
        },
      )
    const { shape, dtypes: allowed } = expected
    const fits =
      !shape || (shape.length === entry.shape.length && shape.every((d, i) => d === entry.shape[i]))
    if (!fits || (allowed && !allowed.includes(entry.dtype)))
      throw new CheckpointError(
        `${printable(name)}: expected ${want}, got ${describeTensor(entry)} in ${printable(path.basename(entry.file.path))}`,
        { file: entry.file.path, tensor: name },
      )
    return entry
  }
  return {
    folder,
    config,
    configFile,
    generation,
    files: [...files.values()],
    tensors,
    bytes,
    dtypes,
    has: (name) => tensors.has(name),
    tensor,
    weight: (name, shape) => weightEntry(block, tensor, name, shape),
    readF32,
  }
}

/** Rows and columns of a scale block: weight_block_size, 128×128 where it is absent. */
function scaleBlock(config: JsonObject, configFile: string): readonly [number, number] {
  const quantization = config.quantization_config
  const block =
    quantization && typeof quantization === 'object' && !Array.isArray(quantization)
      ? (quantization.weight_block_size ?? undefined)
      : undefined
  if (block === undefined) return [128, 128]
  const [rows, columns, more] = Array.isArray(block) ? block : []
  if (!isBlock(rows) || !isBlock(columns) || more !== undefined)
    throw new CheckpointError(
      `${printable(configFile)}: quantization_config.weight_block_size: expected two positive whole numbers, got ${printable(JSON.stringify(block))}`,
      { file: configFile, field: 'quantization_config.weight_block_size' },
    )
  return [rows, columns]
}

function weightEntry(
  block: readonly [number, number],
  tensor: Checkpoint['tensor'],
  name: string,
  shape: readonly [number, number],
): WeightEntry {
  const entry = tensor(name, { shape, dtypes: ['F32', 'BF16', 'F16', 'F8_E4M3'] })
  if (entry.dtype !== 'F8_E4M3') return { tensor: entry }
  const [rows, columns] = block
  const scaleShape = [Math.ceil(shape[0] / rows), Math.ceil(shape[1] / columns)]
  const scale = tensor(`${name}_scale_inv`, {
    shape: scaleShape,
    dtypes: ['F32', 'BF16', 'F8_E8M0'],
  })
  return { tensor: entry, scale, block }
}

const isBlock = (n: unknown): n is number =>
  typeof n === 'number' && Number.isSafeInteger(n) && n > 0

async function readF32(entry: TensorEntry): Promise<Float32Array> {
  const bytes = await withFile(entry.file.path, async (handle, file) => {
    if (file.size !== entry.file.size || file.mtimeNs !== entry.file.mtimeNs)
      throw new CheckpointError(
        `${printable(entry.file.path)}: expected the file of ${entry.file.size} bytes that was opened, got one of ${file.size}: it changed`,
        { file: entry.file.path, tensor: entry.name },
      )
    return readExactly(handle, file, entry.offset, entry.bytes)
  })
  const view = new DataView(bytes.buffer)
  const decode: Partial<Record<StoredDType, [number, (i: number) => number]>> = {
    F32: [4, (i) => view.getFloat32(i, true)],
    F64: [8, (i) => view.getFloat64(i, true)],
    BF16: [2, (i) => bf16ToF32(view.getUint16(i, true))],
    F16: [2, (i) => f16ToF32(view.getUint16(i, true))],
    F8_E4M3: [1, (i) => e4m3Values[bytes[i] as number] as number],
    F8_E8M0: [1, (i) => e8m0ToF32(bytes[i] as number)],
    I32: [4, (i) => view.getInt32(i, true)],
  }
  const [size, at] = decode[entry.dtype] ?? []
  if (!size || !at)
    throw new CheckpointError(
      `${printable(entry.name)}: expected a floating dtype, got ${describeTensor(entry)}`,
      {
        file: entry.file.path,
        tensor: entry.name,
      },
    )
  return Float32Array.from({ length: entry.bytes / size }, (_, i) => at(i * size))
}
