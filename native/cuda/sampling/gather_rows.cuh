// Device body of gather_rows: see gather_rows.h. A block copies four units a thread of one row.
#pragma once

#include "cuda/device/dependent.cuh"
#include "cuda/device/memory.cuh"
#include "cuda/sampling/gather_rows.h"

namespace hadal::device {

template <typename Unit>
HADAL_DEVICE Unit all_ones();
template <>
HADAL_DEVICE Vec16 all_ones<Vec16>() { return {{0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu}}; }
template <>
HADAL_DEVICE uint16_t all_ones<uint16_t>() { return 0xffff; }

template <typename Unit>
HADAL_DEVICE void gather_rows(const cuda::GatherRowsParams& p) {
  constexpr int kUnits = 4, kThreads = static_cast<int>(cuda::kGatherRowsThreads);
  constexpr int kBytes = kUnits * kThreads * static_cast<int>(sizeof(Unit));
  const int pieces = (p.row_bytes + kBytes - 1) / kBytes;
  const int64_t n = static_cast<int>(blockIdx.x) / pieces;
  const int units = p.row_bytes / static_cast<int>(sizeof(Unit));
  const int first = static_cast<int>(blockIdx.x) % pieces * kUnits * kThreads + static_cast<int>(threadIdx.x);
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int64_t row = p.rows[n];
  const bool real = row >= 0 && row < p.x_rows;
  const auto* x = reinterpret_cast<const Unit*>(static_cast<const uint8_t*>(p.x) + row * p.x_stride);
  auto* out = reinterpret_cast<Unit*>(static_cast<uint8_t*>(p.out) + n * p.out_stride);
  Unit values[kUnits];
  HADAL_UNROLL
  for (int u = 0; u < kUnits; ++u)
    values[u] = real && first + u * kThreads < units ? x[first + u * kThreads] : all_ones<Unit>();
  HADAL_UNROLL
  for (int u = 0; u < kUnits; ++u)
    if (first + u * kThreads < units) out[first + u * kThreads] = values[u];
}

}  // namespace hadal::device
