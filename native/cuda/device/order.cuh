// Floats as integers in the same order, and integers of 64 bits: what selection by value works on.
#pragma once

#include "cuda/device/types.cuh"

namespace hadal::device {

constexpr uint32_t kLowestKey = 0x007fffffu;  // of −∞: no number has a lower one; NaN has none

// Ascending as the floats are; −0 and +0 are one. x is not NaN.
HADAL_DEVICE uint32_t order_key(float x) {
  const uint32_t bits = float_to_bits(x + 0.0f);
  return bits ^ (bits >> 31 ? 0xffffffffu : 0x80000000u);
}
HADAL_DEVICE float from_order_key(uint32_t key) {
  return bits_to_float(key ^ (key >> 31 ? 0x80000000u : 0xffffffffu));
}

HADAL_DEVICE float infinity() { return bits_to_float(0x7f800000u); }

HADAL_DEVICE int leading_zeros(uint32_t x) {
#ifdef __CUDACC__
  return __clz(static_cast<int>(x));
#else
  return x == 0 ? 32 : __builtin_clz(x);
#endif
}

// The upper 64 bits of a · b.
HADAL_DEVICE uint64_t multiply_high(uint64_t a, uint64_t b) {
#ifdef __CUDACC__
  return __umul64hi(a, b);
#else
  return static_cast<uint64_t>(static_cast<unsigned __int128>(a) * b >> 64);
#endif
}

}  // namespace hadal::device
