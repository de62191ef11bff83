// Device body of permute_rows: see permute_rows.h. A block takes 8 KB of one token's row: four loads of 16 bytes a
// thread in flight, then four stores for every pair.
#pragma once

#include "cuda/device/dependent.cuh"
#include "cuda/device/memory.cuh"
#include "cuda/routing/permute_rows.h"

namespace hadal::device {

HADAL_DEVICE void permute_scales(const cuda::PermuteRowsParams& p, int64_t token, const int32_t* slots) {
  for (int g = static_cast<int>(threadIdx.x); g < p.scale_groups; g += static_cast<int>(blockDim.x)) {
    const float scale = p.scales[token * p.scale_row + g * p.scale_group];
    for (int k = 0; k < p.chosen; ++k)
      if (slots[k] >= 0) p.out_scales[slots[k] * p.out_scale_row + g * p.out_scale_group] = scale;
  }
}

HADAL_DEVICE void permute_rows(const cuda::PermuteRowsParams& p) {
  constexpr int kVecs = 4, kThreads = static_cast<int>(cuda::kPermuteRowsThreads);
  const int pieces = (p.row_bytes + cuda::kPermuteRowsBytes - 1) / cuda::kPermuteRowsBytes;
  const int64_t token = static_cast<int>(blockIdx.x) / pieces;
  const int piece = static_cast<int>(blockIdx.x) % pieces;
  const int first = piece * cuda::kPermuteRowsBytes + static_cast<int>(threadIdx.x) * 16;
  wait_for_previous_kernel();
  let_next_kernel_start();
  const auto* x = static_cast<const uint8_t*>(p.x) + token * p.x_stride;
  const int32_t* slots = p.slots + token * p.chosen;
  Vec16 values[kVecs];
  HADAL_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    const int at = first + v * kThreads * 16;
    if (at < p.row_bytes) values[v] = load16_once(x + at);
  }
  for (int k = 0; k < p.chosen; ++k) {
    const int64_t slot = slots[k];
    if (slot < 0) continue;
    auto* out = static_cast<uint8_t*>(p.out) + slot * p.out_stride;
    HADAL_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      const int at = first + v * kThreads * 16;
      if (at < p.row_bytes) store16(out + at, values[v]);
    }
  }
  if (piece == 0 && p.scales != nullptr) permute_scales(p, token, slots);
}

}  // namespace hadal::device
