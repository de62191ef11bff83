// Stored formats against definitions written from the standards, over every code.
import { describe, expect, it } from 'vitest'
import {
  bf16ToF32,
  e4m3Values,
  e8m0ToF32,
  f16ToF32,
  f32ToBf16,
  f32ToE4m3,
  quantizeBlocks,
} from './index.ts'

const fromBits = (bits: number): number =>
  new Float32Array(Uint32Array.of(bits).buffer)[0] as number

describe('E4M3', () => {
  it('decodes all codes as the OCP table says', () => {
    // Landmarks of OCP FP8 1.0, table 2, then every code by its definition in powers of two.
    expect([0x7e, 0x08, 0x07, 0x01].map((c) => e4m3Values[c])).toEqual([
      448,
      2 ** -6,
      0.875 * 2 ** -6,
      2 ** -9,
    ])
    for (let code = 0; code < 256; code++) {
      const [e, m] = [(code >> 3) & 15, code & 7]
      const magnitude = e === 0 ? (m / 8) * 2 ** -6 : (1 + m / 8) * 2 ** (e - 7)
      const value = e === 15 && m === 7 ? Number.NaN : code & 0x80 ? -magnitude : magnitude
      expect(e4m3Values[code]).toBe(value)
    }
  })

  it('encodes every value to its own code, and rounds between neighbours to even', () => {
    for (let code = 0; code < 256; code++) {
      const value = e4m3Values[code] as number
      if (!Number.isNaN(value)) expect(f32ToE4m3(value)).toBe(code)
    }
    for (let code = 0; code < 0x7e; code++) {
      const [low, high] = [e4m3Values[code] as number, e4m3Values[code + 1] as number]
      const middle = (low + high) / 2
      const even = code % 2 === 0 ? code : code + 1
      expect(f32ToE4m3(middle)).toBe(even)
      expect(f32ToE4m3(-middle)).toBe(even | 0x80)
      expect(f32ToE4m3(middle - (high - low) * 1e-3)).toBe(code)
      expect(f32ToE4m3(middle + (high - low) * 1e-3)).toBe(code + 1)
    }
  })

  it('saturates, keeps NaN and the sign of zero', () => {
    expect([449, 1e30, Number.POSITIVE_INFINITY].map(f32ToE4m3)).toEqual([0x7e, 0x7e, 0x7e])
    expect(f32ToE4m3(-1e9)).toBe(0xfe)
    expect(f32ToE4m3(Number.NaN)).toBe(0x7f)
    expect([f32ToE4m3(0), f32ToE4m3(-0), f32ToE4m3(1e-30)]).toEqual([0, 0x80, 0])
  })
})

describe('16-bit floats', () => {
  it('BF16 is the upper half of F32, for all 65,536 codes', () => {
    for (let code = 0; code < 65_536; code++) {
      expect(bf16ToF32(code)).toBe(fromBits(code << 16))
      if (!Number.isNaN(bf16ToF32(code))) expect(f32ToBf16(bf16ToF32(code))).toBe(code)
      else expect(f32ToBf16(bf16ToF32(code)) & 0x7f80).toBe(0x7f80)
    }
    expect(f32ToBf16(fromBits(0x3f808000))).toBe(0x3f80) // a tie goes to even
    expect(f32ToBf16(fromBits(0x3f818000))).toBe(0x3f82)
    expect(f32ToBf16(fromBits(0x3f808001))).toBe(0x3f81)
    expect(f32ToBf16(fromBits(0x7f7fffff))).toBe(0x7f80) // rounds over to infinity
  })

  it('F16 of all 65,536 codes', () => {
    for (let code = 0; code < 65_536; code++) {
      const [e, m] = [(code >> 10) & 31, code & 1023]
      const magnitude =
        e === 31
          ? m
            ? Number.NaN
            : Number.POSITIVE_INFINITY
          : e === 0
            ? (m / 1024) * 2 ** -14
            : (1 + m / 1024) * 2 ** (e - 15)
      expect(f16ToF32(code)).toBe(code & 0x8000 ? -magnitude : magnitude)
    }
  })

  it('UE8M0 of all 256 codes', () => {
    for (let code = 0; code < 255; code++)
      expect(e8m0ToF32(code)).toBe(Math.fround(2 ** (code - 127)))
    expect(e8m0ToF32(255)).toBeNaN()
  })
})

describe('quantising in blocks', () => {
  const wave = (rows: number, columns: number) =>
    Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * 0.37) * (1 + (i % 13)))

  it.each([
    [1, 1],
    [128, 128],
    [129, 127],
    [300, 200],
    [7, 513],
  ])('of %i × %i stays within half a step of each block', (rows, columns) => {
    const values = wave(rows, columns)
    for (const format of ['f32', 'ue8m0'] as const) {
      const { codes, scales } = quantizeBlocks(values, rows, columns, format)
      const across = Math.ceil(columns / 128)
      expect(scales).toHaveLength(Math.ceil(rows / 128) * across)
      values.forEach((value, i) => {
        const scale = scales[
          Math.floor(i / columns / 128) * across + Math.floor((i % columns) / 128)
        ] as number
        const back = (e4m3Values[codes[i] as number] as number) * scale
        // Three mantissa bits: half of the last is 2^-4 of the value; below 2^-6 steps are 2^-9 · scale.
        expect(Math.abs(back - value)).toBeLessThanOrEqual(
          Math.max(Math.abs(value) * 2 ** -4, scale * 2 ** -10) * 1.0001,
        )
      })
      if (format === 'ue8m0')
        for (const scale of scales) expect(Number.isInteger(Math.log2(scale))).toBe(true)
    }
  })

  it('gives zeros a scale of one, and survives the smallest and the largest values', () => {
    expect(quantizeBlocks(new Float32Array(9), 3, 3)).toEqual({
      codes: new Uint8Array(9),
      scales: Float32Array.of(1),
    })
    for (const value of [1e-35, 1e-30, 3e38]) {
      const { codes, scales } = quantizeBlocks(Float32Array.of(value, -value), 1, 2)
      expect([...codes]).toEqual([0x7e, 0xfe])
      expect(Math.abs(((scales[0] as number) * 448) / value - 1)).toBeLessThan(1e-6)
    }
    // Below the range of scales the values are lost, but none becomes NaN.
    const { codes, scales } = quantizeBlocks(Float32Array.of(1e-44, 0), 1, 2)
    expect([...codes]).toEqual([0, 0])
    expect(scales[0]).toBe(2 ** -126)
  })
})
