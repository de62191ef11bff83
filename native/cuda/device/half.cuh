// F16 as plain bits, and its conversions: to nearest even, saturating at ±65504 as the CPU's caches do; NaN
// stays NaN.
#pragma once

#include "cuda/device/memory.cuh"

namespace hadal::device {

struct f16 { uint16_t bits; };

#ifdef __CUDACC__
HADAL_DEVICE float half_to_float(uint16_t bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}
HADAL_DEVICE uint16_t round_to_half(float value) {
  uint16_t bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
#else
inline float half_to_float(uint16_t bits) {
  const uint32_t exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  if (exponent == 31) return bits_to_float(sign | 0x7f800000u | mantissa << 13);
  if (exponent != 0) return bits_to_float(sign | (exponent + 112) << 23 | mantissa << 13);
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}
// Of values within ±65504, or NaN.
inline uint16_t round_to_half(float value) {
  const uint32_t bits = float_to_bits(value), magnitude = bits & 0x7fffffffu;
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  if (magnitude > 0x7f800000u) return 0x7fff;
  if (magnitude < 0x38800000u) {  // below 2^-14: adding 2^-1 leaves steps of 2^-24, rounded to even
    const float steps = bits_to_float(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (float_to_bits(steps) - float_to_bits(0.5f)));
  }
  const uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | ((rounded >> 13) - (112u << 10)));
}
#endif

HADAL_DEVICE float to_float(f16 value) { return half_to_float(value.bits); }
HADAL_DEVICE f16 to_f16(float value) {
  // Comparisons, not min and max: those would drop a NaN.
  if (value > 65504.0f) value = 65504.0f;
  if (value < -65504.0f) value = -65504.0f;
  return {round_to_half(value)};
}
template <>
HADAL_DEVICE f16 from_float<f16>(float value) { return to_f16(value); }

template <>
HADAL_DEVICE void unpack<f16>(Vec16 v, float (&values)[8]) {
  HADAL_UNROLL
  for (int i = 0; i < 4; ++i) {
    values[2 * i] = half_to_float(static_cast<uint16_t>(v.word[i]));
    values[2 * i + 1] = half_to_float(static_cast<uint16_t>(v.word[i] >> 16));
  }
}
template <>
HADAL_DEVICE Vec16 pack<f16>(const float (&values)[8]) {
  Vec16 v;
  HADAL_UNROLL
  for (int i = 0; i < 4; ++i)
    v.word[i] = to_f16(values[2 * i]).bits | static_cast<uint32_t>(to_f16(values[2 * i + 1]).bits) << 16;
  return v;
}

}  // namespace hadal::device
