// Eight floats in an array: the floor that every CPU has, and the shape of the wrapper that impl.inl uses.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

namespace {

struct F32 {
  float v[8];
};
constexpr int64_t kLanes = 8;
constexpr int kRegisters = 16;
constexpr const char* kName = "portable";
constexpr float kE4M3Factor = 256.0f;  // e4m3_read leaves 2^-8

inline F32 zero() { return F32{}; }
inline F32 set1(float a) {
  F32 r;
  for (float& f : r.v) f = a;
  return r;
}
inline F32 load(const float* p) {
  F32 r;
  memcpy(r.v, p, sizeof r.v);
  return r;
}
inline F32 held(F32 a) { return a; }
inline void store(float* p, F32 a) { memcpy(p, a.v, sizeof a.v); }
inline F32 add(F32 a, F32 b) {
  for (int i = 0; i < 8; ++i) a.v[i] += b.v[i];
  return a;
}
inline F32 mul(F32 a, F32 b) {
  for (int i = 0; i < 8; ++i) a.v[i] *= b.v[i];
  return a;
}
inline F32 div(F32 a, F32 b) {
  for (int i = 0; i < 8; ++i) a.v[i] /= b.v[i];
  return a;
}
// Not fused: the floor has no FMA, and a call of fmaf per lane would be slow.
inline F32 fma(F32 a, F32 b, F32 c) { return add(mul(a, b), c); }
inline F32 max(F32 a, F32 b) {
  for (int i = 0; i < 8; ++i) a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];  // b if either is NaN, as on x86
  return a;
}
inline F32 min(F32 a, F32 b) {
  for (int i = 0; i < 8; ++i) a.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
  return a;
}
inline F32 round(F32 a) {
  for (float& f : a.v) f = nearbyintf(f);
  return a;
}
// 2^n for integral n in [-126, 127].
inline F32 exp2i(F32 n) {
  for (float& f : n.v) {
    const uint32_t bits = static_cast<uint32_t>(static_cast<int32_t>(f) + 127) << 23;
    memcpy(&f, &bits, 4);
  }
  return n;
}
inline F32 from_bf16(const uint16_t* p) {
  F32 r;
  for (int i = 0; i < 8; ++i) {
    const uint32_t bits = static_cast<uint32_t>(p[i]) << 16;
    memcpy(&r.v[i], &bits, 4);
  }
  return r;
}
inline float half_to_float(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16;
  const uint32_t exponent = (h >> 10) & 31, mantissa = h & 1023;
  uint32_t bits;
  float f;
  if (exponent == 0) {
    f = static_cast<float>(mantissa) * 0x1p-24f;
    memcpy(&bits, &f, 4);
    bits |= sign;
  } else if (exponent == 31) {
    bits = sign | 0x7f800000u | (mantissa << 13);
  } else {
    bits = sign | ((exponent + 112) << 23) | (mantissa << 13);
  }
  memcpy(&f, &bits, 4);
  return f;
}
inline uint16_t float_to_half(float f) {  // round to nearest even; |f| ≤ 65504 or NaN
  uint32_t b;
  memcpy(&b, &f, 4);
  const auto sign = static_cast<uint16_t>(b >> 16 & 0x8000);
  b &= 0x7fffffffu;
  if (b > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00);
  if (b < 0x38800000u) {  // below 2^-14: a multiple of 2^-24
    float a;
    memcpy(&a, &b, 4);
    return static_cast<uint16_t>(sign | static_cast<uint16_t>(nearbyintf(a * 0x1p24f)));
  }
  return static_cast<uint16_t>(sign | ((b - 0x38000000u + 0xfff + (b >> 13 & 1)) >> 13));
}
inline void store_f16(uint16_t* p, F32 a) {
  for (int i = 0; i < 8; ++i) p[i] = float_to_half(a.v[i]);
}
inline F32 from_f16(const uint16_t* p) {
  F32 r;
  for (int i = 0; i < 8; ++i) r.v[i] = half_to_float(p[i]);
  return r;
}
// E4M3 times 2^-8 (the caller multiplies by 2^8): as a half, exponent and mantissa shifted into place.
using E4M3Raw = F32;
constexpr int kE4M3Vectors = 1;
inline E4M3Raw e4m3_read(const uint8_t* p) {
  F32 r;
  for (int i = 0; i < 8; ++i) {
    const uint16_t h = static_cast<uint16_t>((p[i] & 0x80) << 8 | (p[i] & 0x7f) << 7);
    r.v[i] = (p[i] & 0x7f) == 0x7f ? NAN : half_to_float(h);
  }
  return r;
}
template <int>
inline F32 e4m3_vector(E4M3Raw raw) {
  return raw;
}
inline float reduce_add(F32 a) {
  const float s0 = a.v[0] + a.v[4], s1 = a.v[1] + a.v[5], s2 = a.v[2] + a.v[6], s3 = a.v[3] + a.v[7];
  return (s0 + s2) + (s1 + s3);
}
inline float reduce_max(F32 a) {
  float m = a.v[0];
  for (float f : a.v) m = f > m ? f : m;
  return m;
}
inline void store_bf16(uint16_t* p, F32 a) {
  for (int i = 0; i < 8; ++i) {
    uint32_t b;
    memcpy(&b, &a.v[i], 4);
    const bool nan = (b & 0x7fffffffu) > 0x7f800000u;
    p[i] = static_cast<uint16_t>(nan ? (b >> 16) | 0x40 : (b + 0x7fff + ((b >> 16) & 1)) >> 16);
  }
}

}  // namespace
