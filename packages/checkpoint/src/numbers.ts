// Stored number formats to and from f32, exactly. Source: OCP FP8 specification, IEEE 754.
const word = new Float32Array(1)
const bits = new Uint32Array(word.buffer)

export function bf16ToF32(code: number): number {
  bits[0] = code << 16
  return word[0] as number
}

/** Round to nearest even; NaN stays a quiet NaN. */
export function f32ToBf16(value: number): number {
  word[0] = value
  const b = bits[0] as number
  if ((b & 0x7fffffff) > 0x7f800000) return (b >>> 16) | 0x40
  return ((b + 0x7fff + ((b >>> 16) & 1)) >>> 16) & 0xffff
}

export function f16ToF32(code: number): number {
  const sign = code & 0x8000 ? -1 : 1
  const exponent = (code >> 10) & 31
  const mantissa = code & 1023
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25))
}

function decodeE4m3(code: number): number {
  const sign = code & 0x80 ? -1 : 1
  const exponent = (code >> 3) & 15
  const mantissa = code & 7
  if ((code & 0x7f) === 0x7f) return Number.NaN
  return sign * (exponent === 0 ? mantissa * 2 ** -9 : (8 + mantissa) * 2 ** (exponent - 10))
}

/** All 256 values of E4M3 "fn". */
export const e4m3Values: Float32Array = Float32Array.from({ length: 256 }, (_, code) =>
  decodeE4m3(code),
)

/** Round to nearest even, saturating at ±448; NaN gives 0x7F. */
export function f32ToE4m3(value: number): number {
  if (Number.isNaN(value)) return 0x7f
  const sign = value < 0 || Object.is(value, -0) ? 0x80 : 0
  const a = Math.abs(value)
  if (a >= 448) return sign | 0x7e
  // The spacing of the codes around a: 2^-9 below 2^-6, then an eighth of the power of two.
  const exponent = a < 2 ** -6 ? -6 : Math.floor(Math.log2(a))
  const step = 2 ** (exponent - 3)
  const scaled = a / step
  let units = Math.floor(scaled)
  const rest = scaled - units
  if (rest > 0.5 || (rest === 0.5 && units % 2 === 1)) units += 1
  // units counts steps from zero in this binade: 0..7 subnormal, 8..16 normal (16 carries over).
  return sign | (units < 8 ? units : (exponent + 6) * 8 + units)
}

/** UE8M0: a power of two, 2^(code − 127); 255 is NaN. */
export function e8m0ToF32(code: number): number {
  return code === 255 ? Number.NaN : 2 ** (code - 127)
}
