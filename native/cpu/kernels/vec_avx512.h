// Sixteen floats in a zmm register; needs AVX-512 F, BW, VL and DQ.
#pragma once

// GCC 12 takes the undefined vectors inside its own AVX-512 header for a mistake of the caller.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

namespace {

using F32 = __m512;
constexpr int64_t kLanes = 16;
constexpr int kRegisters = 32;
#ifdef __AVX512VBMI__
constexpr const char* kName = "avx512vbmi";
#else
constexpr const char* kName = "avx512";
#endif

inline F32 zero() { return _mm512_setzero_ps(); }
inline F32 set1(float a) { return _mm512_set1_ps(a); }
inline F32 load(const float* p) { return _mm512_loadu_ps(p); }
// Keeps a in a register: loading it again for each product, as GCC would, takes every load that the core has.
inline F32 held(F32 a) {
  asm("" : "+v"(a));
  return a;
}
inline void store(float* p, F32 a) { _mm512_storeu_ps(p, a); }
inline F32 add(F32 a, F32 b) { return _mm512_add_ps(a, b); }
inline F32 mul(F32 a, F32 b) { return _mm512_mul_ps(a, b); }
inline F32 div(F32 a, F32 b) { return _mm512_div_ps(a, b); }
inline F32 fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
inline F32 max(F32 a, F32 b) { return _mm512_max_ps(a, b); }
inline F32 min(F32 a, F32 b) { return _mm512_min_ps(a, b); }
inline F32 round(F32 a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline F32 exp2i(F32 n) {
  const __m512i e = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
  return _mm512_castsi512_ps(_mm512_slli_epi32(e, 23));
}
inline F32 from_bf16(const uint16_t* p) {
  const __m512i w = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  return _mm512_castsi512_ps(_mm512_slli_epi32(w, 16));
}
inline F32 from_f16(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
#ifdef __AVX512VBMI__
constexpr float kE4M3Factor = 1.0f;
// The upper and the lower byte of each code's BF16, sign left out; a BF16 holds every E4M3 exactly.
struct E4M3Table {
  alignas(64) uint8_t high[128], low[128];
  constexpr E4M3Table() : high{}, low{} {
    for (int c = 0; c < 128; ++c) {
      int exponent = c >> 3, mantissa = c & 7;
      if (exponent == 0) {  // subnormal: mantissa · 2^-9, shifted until its leading bit is the hidden one
        for (exponent = 1; mantissa != 0 && mantissa < 8; --exponent) mantissa *= 2;
        mantissa &= 7;
      }
      int bits = (exponent + 120) << 7 | mantissa << 4;
      if (c == 0) bits = 0;
      if (c == 127) bits = 0x7fc0;  // the NaN
      high[c] = static_cast<uint8_t>(bits >> 8);
      low[c] = static_cast<uint8_t>(bits);
    }
  }
};
inline constexpr E4M3Table kE4M3;
// Byte 16j + 8h + 2d + o of a quarter-wise interleaving comes from code 32h + 16o + 4j + d.
struct E4M3Order {
  alignas(64) uint8_t from[64];
  constexpr E4M3Order() : from{} {
    for (int j = 0; j < 4; ++j)
      for (int h = 0; h < 2; ++h)
        for (int d = 0; d < 4; ++d)
          for (int o = 0; o < 2; ++o)
            from[16 * j + 8 * h + 2 * d + o] = static_cast<uint8_t>(32 * h + 16 * o + 4 * j + d);
  }
};
inline constexpr E4M3Order kE4M3Order;

// 64 codes by two table look-ups of 128 bytes: upper and lower byte of each BF16, joined to 32-bit lanes
// whose halves are two floats. The codes are put in such an order that the floats come out ascending.
struct E4M3Raw {
  __m512i a, b;
};
constexpr int kE4M3Vectors = 4;
inline E4M3Raw e4m3_read(const uint8_t* p) {
  const __m512i codes = _mm512_permutexvar_epi8(_mm512_load_si512(kE4M3Order.from), _mm512_loadu_si512(p));
  const __m512i high = _mm512_permutex2var_epi8(_mm512_load_si512(kE4M3.high), codes, _mm512_load_si512(kE4M3.high + 64));
  const __m512i low = _mm512_permutex2var_epi8(_mm512_load_si512(kE4M3.low), codes, _mm512_load_si512(kE4M3.low + 64));
  // high | (codes & 0x80)
  const __m512i top = _mm512_ternarylogic_epi32(high, codes, _mm512_set1_epi8(-128), 0xf8);
  return {_mm512_unpacklo_epi8(low, top), _mm512_unpackhi_epi8(low, top)};
}
template <int kVector>
inline F32 e4m3_vector(const E4M3Raw& raw) {
  const __m512i pairs = kVector < 2 ? raw.a : raw.b;
  const __m512i upper = _mm512_set1_epi32(static_cast<int32_t>(0xffff0000));
  return _mm512_castsi512_ps(kVector % 2 == 0 ? _mm512_slli_epi32(pairs, 16) : _mm512_and_si512(pairs, upper));
}
#else
constexpr float kE4M3Factor = 256.0f;  // e4m3_read leaves 2^-8
// E4M3 times 2^-8: as a half, exponent and mantissa shifted into place; NaN codes stay NaN.
using E4M3Raw = __m512i;
constexpr int kE4M3Vectors = 2;
inline E4M3Raw e4m3_read(const uint8_t* p) {
  const __m512i em = _mm512_set1_epi16(0x3f80);
  const __m512i codes = _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  const __m512i h = _mm512_and_si512(_mm512_srai_epi16(_mm512_slli_epi16(codes, 8), 1),
                                     _mm512_set1_epi16(static_cast<int16_t>(0xbf80)));
  const __mmask32 nan = _mm512_cmpeq_epi16_mask(_mm512_and_si512(h, em), em);
  return _mm512_mask_mov_epi16(h, nan, _mm512_set1_epi16(0x7e00));
}
template <int kVector>
inline F32 e4m3_vector(const E4M3Raw& raw) {
  return _mm512_cvtph_ps(kVector == 0 ? _mm512_castsi512_si256(raw) : _mm512_extracti64x4_epi64(raw, 1));
}
#endif
inline void store_f16(uint16_t* p, F32 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline float reduce_add(F32 a) {
  const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  const __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  const __m128 t = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(t, _mm_shuffle_ps(t, t, 1)));
}
inline float reduce_max(F32 a) { return _mm512_reduce_max_ps(a); }
inline void store_bf16(uint16_t* p, F32 a) {
  const __m512i b = _mm512_castps_si512(a);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(b, 16), _mm512_set1_epi32(1));
  const __m512i r = _mm512_add_epi32(b, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 nan = _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
  const __m512i quiet = _mm512_or_si512(b, _mm512_set1_epi32(0x400000));
  const __m512i kept = _mm512_srli_epi32(_mm512_mask_mov_epi32(r, nan, quiet), 16);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(kept));
}

}  // namespace
