// BF16 and E4M3 as plain bits, and their conversions: one instruction under nvcc, the same bits in software
// under g++. Rounding is to nearest even; E4M3 saturates at ±448 and keeps NaN (PTX cvt.rn.satfinite).
#pragma once

#include "cuda/device/kernel.cuh"

namespace hadal::device {

struct bf16 { uint16_t bits; };
struct e4m3 { uint8_t bits; };

HADAL_DEVICE float bits_to_float(uint32_t bits) {
#ifdef __CUDACC__
  return __uint_as_float(bits);
#else
  return __builtin_bit_cast(float, bits);
#endif
}
HADAL_DEVICE uint32_t float_to_bits(float value) {
#ifdef __CUDACC__
  return __float_as_uint(value);
#else
  return __builtin_bit_cast(uint32_t, value);
#endif
}

HADAL_DEVICE float to_float(float value) { return value; }
HADAL_DEVICE float to_float(bf16 value) { return bits_to_float(static_cast<uint32_t>(value.bits) << 16); }

#ifdef __CUDACC__

// Two at a time, `low` in the low half.
HADAL_DEVICE uint32_t pack_bf16(float low, float high) {
  uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}
HADAL_DEVICE uint16_t pack_e4m3(float low, float high) {
  uint16_t packed;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(packed) : "f"(high), "f"(low));
  return packed;
}
HADAL_DEVICE float to_float(e4m3 value) {
  uint32_t halves;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(halves) : "h"(static_cast<uint16_t>(value.bits)));
  float result;
  asm("{.reg .f16 low, high; mov.b32 {low, high}, %1; cvt.f32.f16 %0, low;}"
      : "=f"(result) : "r"(halves));
  return result;
}

#else

inline uint16_t round_to_bf16(float value) {
  const uint32_t bits = float_to_bits(value);
  // PTX: NaN becomes the canonical 0x7fff.
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
inline uint32_t pack_bf16(float low, float high) {
  return round_to_bf16(low) | static_cast<uint32_t>(round_to_bf16(high)) << 16;
}
inline uint8_t round_to_e4m3(float value) {
  const uint32_t bits = float_to_bits(value);
  const uint8_t sign = static_cast<uint8_t>(bits >> 24 & 0x80);
  const float magnitude = bits_to_float(bits & 0x7fffffffu);
  if (magnitude != magnitude) return sign | 0x7f;
  if (magnitude >= 448.0f) return sign | 0x7e;
  if (magnitude < 0x1p-6f) {  // subnormal: steps of 2^-9
    const float steps = magnitude * 512.0f;
    auto whole = static_cast<uint32_t>(steps);
    const float rest = steps - static_cast<float>(whole);
    if (rest > 0.5f || (rest == 0.5f && (whole & 1))) ++whole;
    return sign | static_cast<uint8_t>(whole);
  }
  const uint32_t rounded = (bits & 0x7fffffffu) + 0x7ffffu + ((bits >> 20) & 1);
  const uint32_t code = (rounded >> 20) - ((127 - 7) << 3);
  return sign | static_cast<uint8_t>(code > 0x7e ? 0x7e : code);
}
inline uint16_t pack_e4m3(float low, float high) {
  return static_cast<uint16_t>(round_to_e4m3(low) | round_to_e4m3(high) << 8);
}
inline float to_float(e4m3 value) {
  const uint32_t exponent = value.bits >> 3 & 15, mantissa = value.bits & 7;
  if ((value.bits & 0x7f) == 0x7f) return bits_to_float(0x7fffffffu);  // as cvt.f32.f16 has it
  const float magnitude = exponent == 0 ? static_cast<float>(mantissa) * 0x1p-9f
                                        : bits_to_float((exponent + 120) << 23 | mantissa << 20);
  return value.bits & 0x80 ? -magnitude : magnitude;
}

#endif

HADAL_DEVICE bf16 to_bf16(float value) { return {static_cast<uint16_t>(pack_bf16(value, 0.0f))}; }
HADAL_DEVICE e4m3 to_e4m3(float value) { return {static_cast<uint8_t>(pack_e4m3(value, 0.0f))}; }

template <typename T>
HADAL_DEVICE T from_float(float value);
template <>
HADAL_DEVICE float from_float<float>(float value) { return value; }
template <>
HADAL_DEVICE bf16 from_float<bf16>(float value) { return to_bf16(value); }

}  // namespace hadal::device
