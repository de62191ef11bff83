// What this package writes: files that its own strict reader accepts, the same bytes for the same seed, and
// the embedded model, which must be what `quantize` makes of the original.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import {
  openCheckpoint,
  preset,
  presetNames,
  quantizeCheckpoint,
  readSafetensorsHeader,
  synthCheckpoint,
  tensorTable,
  writeSafetensors,
} from './index.ts'

const root = mkdtempSync(path.join(tmpdir(), 'hadal-make-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..')

describe('writing', () => {
  it('gives back what it was given, data aligned to 64 bytes', async () => {
    const file = path.join(root, 'a.safetensors')
    const half = Uint8Array.of(1, 2, 3, 4, 5, 6)
    const tensors = [
      {
        name: 'é "quoted"',
        dtype: 'BF16',
        shape: [3],
        chunks: () => [half.subarray(0, 2), half.subarray(2)],
      },
      { name: '__proto__', dtype: 'U8', shape: [0, 4], chunks: () => [] },
      { name: 'scalar', dtype: 'F32', shape: [], chunks: () => [new Uint8Array(4)] },
    ] as const
    expect(await writeSafetensors(file, tensors)).toBe(10)
    const header = await readSafetensorsHeader(file)
    expect([...header.tensors.keys()]).toEqual(['é "quoted"', '__proto__', 'scalar'])
    const first = header.tensors.get('é "quoted"')
    expect((first?.offset ?? 1) % 64).toBe(0)
    const at = first?.offset ?? 0
    expect(new Uint8Array(readFileSync(file)).subarray(at, at + 6)).toEqual(half)
  })

  it('leaves nothing behind when a tensor has another size than it said', async () => {
    const file = path.join(root, 'b.safetensors')
    const tensors = [
      { name: 't', dtype: 'F32', shape: [2], chunks: () => [new Uint8Array(4)] },
    ] as const
    await expect(writeSafetensors(file, tensors)).rejects.toThrow(
      't: expected 8 bytes to write, got 4',
    )
    expect(readdirSync(root).filter((name) => name.startsWith('b.'))).toEqual([])
  })
})

describe('synth', () => {
  it.each(['fp8', 'bf16'] as const)(
    'gives the same bytes for the same seed in %s',
    async (dtype) => {
      const make = async (seed: number, name: string) => {
        const folder = path.join(root, `${name}-${dtype}`)
        await synthCheckpoint(folder, { preset: 'r1-tiny', dtype, seed })
        return folder
      }
      const [a, b, c] = [await make(1, 'a'), await make(1, 'b'), await make(2, 'c')]
      const read = (folder: string) => readFileSync(path.join(folder, 'model.safetensors'))
      expect(read(a).equals(read(b))).toBe(true)
      expect(read(a).equals(read(c))).toBe(false)
      const checkpoint = await openCheckpoint(a)
      for (const row of tensorTable(checkpoint.config))
        expect(checkpoint.tensor(row.name).shape).toEqual(row.shape)
      expect('F8_E4M3' in checkpoint.dtypes).toBe(dtype === 'fp8')
    },
  )

  it('knows its presets, and names them when asked for another', () => {
    for (const name of presetNames) expect(tensorTable(preset(name)).length).toBeGreaterThan(10)
    expect(() => preset('toString')).toThrow(/preset: expected one of r1-tiny, .* got "toString"/)
  })
})

describe('quantize', () => {
  it('makes the embedded model of the original, byte for byte', async () => {
    const out = path.join(root, 'nano')
    await quantizeCheckpoint(path.join(repository, 'fixtures/nano-bf16'), out)
    for (const name of ['model.safetensors', 'tokenizer.json', 'generation_config.json']) {
      const shipped = readFileSync(path.join(repository, 'packages/nano/model', name))
      expect(readFileSync(path.join(out, name)).equals(shipped), name).toBe(true)
    }
    expect(JSON.parse(readFileSync(path.join(out, 'config.json'), 'utf8'))).toMatchObject({
      quantization_config: { quant_method: 'fp8', weight_block_size: [128, 128] },
    })
  })

  it('refuses a checkpoint that is quantised already', async () => {
    const done = path.join(repository, 'packages/nano/model')
    await expect(quantizeCheckpoint(done, path.join(root, 'twice'))).rejects.toThrow(
      /expected unquantised weights/,
    )
  })

  it('refuses to write over its input', async () => {
    const folder = path.join(root, 'in-place')
    await synthCheckpoint(folder, { preset: 'qwen2-tiny' })
    const before = readFileSync(path.join(folder, 'model.safetensors'))
    const error = await quantizeCheckpoint(folder, `${folder}/../in-place`).catch((e) => e)
    expect(error.message).toMatch(/expected another folder than the input/)
    expect(readFileSync(path.join(folder, 'model.safetensors')).equals(before)).toBe(true)
  })

  it('says which file is in the way', async () => {
    const blocked = path.join(root, 'blocked')
    mkdirSync(blocked)
    writeFileSync(path.join(blocked, 'file'), '')
    const source = path.join(repository, 'fixtures/nano-bf16')
    await expect(quantizeCheckpoint(source, path.join(blocked, 'file'))).rejects.toThrow(/file/)
  })
})
