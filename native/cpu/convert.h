// Scalar conversions between f32 and the stored formats, exact both ways: the oracles use these.
// Sources: OCP FP8 specification (E4M3 "fn": no infinity, NaN 0x7F/0xFF, largest 448), IEEE 754 binary16.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/tensor.h"

namespace hadal::cpu {

inline float bf16_to_f32(uint16_t h) { return std::bit_cast<float>(static_cast<uint32_t>(h) << 16); }

inline uint16_t f32_to_bf16(float f) {  // round to nearest even; NaN stays a quiet NaN
  const uint32_t b = std::bit_cast<uint32_t>(f);
  if ((b & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((b >> 16) | 0x40);
  return static_cast<uint16_t>((b + 0x7fff + ((b >> 16) & 1)) >> 16);
}

inline float f16_to_f32(uint16_t h) {
  const int exponent = (h >> 10) & 31, mantissa = h & 1023;
  float f;
  if (exponent == 31) {
    f = mantissa ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
  } else if (exponent == 0) {
    f = std::ldexp(static_cast<float>(mantissa), -24);
  } else {
    f = std::ldexp(static_cast<float>(1024 + mantissa), exponent - 25);
  }
  return h & 0x8000 ? -f : f;
}

// Round to nearest even, saturating at ±65504; NaN stays a quiet NaN.
inline uint16_t f32_to_f16(float f) {
  const uint16_t sign = std::signbit(f) ? 0x8000 : 0;
  if (std::isnan(f)) return sign | 0x7e00;
  const double a = std::fmin(std::fabs(static_cast<double>(f)), 65504.0);
  if (a < 0x1p-14) return sign | static_cast<uint16_t>(std::nearbyint(a * 0x1p24));
  const int exponent = std::ilogb(a);
  const auto units = static_cast<uint32_t>(std::nearbyint(std::ldexp(a, 10 - exponent)));  // 1024 .. 2048
  return sign | static_cast<uint16_t>((static_cast<uint32_t>(exponent + 14) << 10) + units);
}

inline float e4m3_to_f32(uint8_t c) {
  const int exponent = (c >> 3) & 15, mantissa = c & 7;
  if ((c & 0x7f) == 0x7f) return std::numeric_limits<float>::quiet_NaN();
  const float f = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9)
                                : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  return c & 0x80 ? -f : f;
}

// Element i of a weight tensor of any format, without its scale.
inline float weight_at(const void* data, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::BF16: return bf16_to_f32(static_cast<const uint16_t*>(data)[i]);
    case DType::F16: return f16_to_f32(static_cast<const uint16_t*>(data)[i]);
    case DType::F8_E4M3: return e4m3_to_f32(static_cast<const uint8_t*>(data)[i]);
    default: return static_cast<const float*>(data)[i];
  }
}

}  // namespace hadal::cpu
