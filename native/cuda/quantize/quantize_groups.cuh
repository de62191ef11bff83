// Device body of quantize_groups: see quantize_groups.h.
#pragma once

#include "cuda/device/dependent.cuh"
#include "cuda/quantize/quantize_groups.h"
#include "cuda/quantize/tile.cuh"

namespace hadal::device {

template <typename T>
HADAL_DEVICE void quantize_groups(const cuda::QuantizeGroupsParams& p) {
  constexpr int kPer = kPerVec<T>;
  const TilePlace<T> place(blockIdx.x, p.width);
  const int64_t row = place.row_tile * kTileRows;
  const int count = static_cast<int>(p.rows - row);
  const bool inside = place.column < p.width;
  wait_for_previous_kernel();
  Words<4> raw[kTileRows];
  load_tile(static_cast<const T*>(p.x) + row * p.x_stride + place.column, p.x_stride, count, inside, raw);
  let_next_kernel_start();
  float values[kTileRows][kPer];
  HADAL_UNROLL
  for (int r = 0; r < kTileRows; ++r) unpack_words<T>(raw[r], values[r]);
  store_tile(values, count, inside, p.codes + row * p.code_stride + place.column, p.code_stride,
             p.scales + place.column / cuda::kScaleGroup * p.scale_stride + row, p.scale_kind);
}

}  // namespace hadal::device
