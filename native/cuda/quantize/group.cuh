// A group of 128 columns in the lanes of a warp: its largest magnitude, its scale, its codes. See scales.h for
// what they are.
#pragma once

#include "cuda/device/math.cuh"
#include "cuda/device/warp.cuh"
#include "cuda/device/words.cuh"
#include "cuda/quantize/scales.h"

namespace hadal::device {

// Magnitudes as bits: ordered like the numbers, and a NaN is larger than all, whoever comes first.
HADAL_DEVICE uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }
template <int kCount>
HADAL_DEVICE uint32_t largest_magnitude(const float (&values)[kCount]) {
  uint32_t most = 0;
  HADAL_UNROLL
  for (int i = 0; i < kCount; ++i) most = larger(most, float_to_bits(values[i]) & 0x7fffffffu);
  return most;
}

// The largest over `kLanes` neighbouring lanes, of several groups at once: their shuffles overlap.
template <int kLanes, int kCount>
HADAL_DEVICE void group_largest(uint32_t (&most)[kCount]) {
  HADAL_UNROLL
  for (int mask = kLanes / 2; mask > 0; mask >>= 1) {
    HADAL_UNROLL
    for (int i = 0; i < kCount; ++i) most[i] = larger(most[i], shuffle_xor(most[i], mask));
  }
}

struct GroupScale { float scale, inverse; };

HADAL_DEVICE GroupScale group_scale(uint32_t most, cuda::ScaleKind kind) {
  constexpr uint32_t kLeast = 0x0d800000u;  // 2^-100
  const float scale = bits_to_float(larger(most, kLeast)) / 448.0f;
  const uint32_t bits = float_to_bits(scale);
  if (kind == cuda::ScaleKind::kExact || bits >= 0x7f800000u) return {scale, 1.0f / scale};
  const uint32_t exponent = (bits >> 23) + ((bits & 0x7fffffu) != 0);
  return {bits_to_float(exponent << 23), bits_to_float((254 - exponent) << 23)};
}

// The scales of kCount groups that kLanes lanes have in common: lane i divides for group i, as a division of each
// lane for each group would be most of the kernel's work. Lanes from kCount on repeat the first ones.
template <int kLanes, int kCount>
struct GroupScales {
  static_assert(kCount <= kLanes && (kCount & (kCount - 1)) == 0);
  GroupScale mine;

  HADAL_DEVICE GroupScales(const uint32_t (&most)[kCount], cuda::ScaleKind kind) {
    // Chosen pair by pair: an index would put the array into local memory.
    uint32_t left[kCount];
    HADAL_UNROLL
    for (int i = 0; i < kCount; ++i) left[i] = most[i];
    HADAL_UNROLL
    for (int bit = 1; bit < kCount; bit *= 2) {
      HADAL_UNROLL
      for (int i = 0; i + bit < kCount; i += 2 * bit)
        if (index() & bit) left[i] = left[i + bit];
    }
    mine = group_scale(left[0], kind);
  }
  HADAL_DEVICE static int lane() { return lane_index() % kLanes; }
  HADAL_DEVICE static int index() { return lane_index() % kCount; }
  // For every lane of the warp together.
  HADAL_DEVICE float inverse(int group) const {
    return shuffle(mine.inverse, lane_index() / kLanes * kLanes + group);
  }
};

// E4M3 codes of kCount values (4 or 8), as one store.
template <int kCount>
HADAL_DEVICE Words<kCount / 4> group_codes(const float (&values)[kCount], float inverse) {
  float scaled[kCount];
  HADAL_UNROLL
  for (int i = 0; i < kCount; ++i) scaled[i] = values[i] * inverse;
  return pack_words<e4m3>(scaled);
}

}  // namespace hadal::device
