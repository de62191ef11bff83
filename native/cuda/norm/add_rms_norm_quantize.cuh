// Device body of add_rms_norm_quantize: see add_rms_norm_quantize.h. A group of 128 columns is 16 lanes of BF16
// chunks or a warp of F32 chunks, so it never leaves its warp.
#pragma once

#include "cuda/norm/add_rms_norm_quantize.h"
#include "cuda/norm/row.cuh"
#include "cuda/quantize/group.cuh"

namespace hadal::device {

template <typename Row, int kChunks>
HADAL_DEVICE void store_quantized(const cuda::AddRmsNormQuantizeParams& p, const Row& row, float root, int64_t at) {
  constexpr int kLanes = cuda::kScaleGroup / Row::kPer;
  float values[kChunks][Row::kPer];
  uint32_t most[kChunks];
  HADAL_UNROLL
  for (int c = 0; c < kChunks; ++c) {
    row.normalised(c, root, values[c]);
    most[c] = largest_magnitude(values[c]);  // columns beyond the row are zeros, or NaN as all of the row is
  }
  group_largest<kLanes>(most);
  const GroupScales<kLanes, kChunks> scales(most, p.scale_kind);
  HADAL_UNROLL
  for (int c = 0; c < kChunks; ++c) {
    const float inverse = scales.inverse(c);
    const int column = row.column(c);
    if (!row.has(c)) continue;
    store_words(p.codes + at * p.code_stride + column, group_codes(values[c], inverse));
    if (p.normalised != nullptr)
      store_words(static_cast<bf16*>(p.normalised) + at * p.normalised_stride + column,
                  pack_words<bf16>(values[c]));
  }
  // Lane i of a group has the scale of chunk i.
  const int group = (row.column(scales.index()) - scales.lane() * Row::kPer) / cuda::kScaleGroup;
  if (scales.lane() < kChunks && group * cuda::kScaleGroup < p.width)
    p.scales[group * p.scale_stride + at] = scales.mine.scale;
}

template <typename T, typename Delta, int kChunks, int kThreads>
HADAL_DEVICE void add_rms_norm_quantize(const cuda::AddRmsNormQuantizeParams& p) {
  using Row = NormRow<T, kChunks, kThreads>;
  const int64_t at = row_of_thread<kThreads>();
  if (at >= p.rows) return;
  Row row(p.weight, p.weight_type, p.width);
  row.load_weights();
  wait_for_previous_kernel();
  T* residual = static_cast<T*>(p.residual) + at * p.residual_stride;
  row.load(residual);
  if (p.delta != nullptr) row.add(residual, static_cast<const Delta*>(p.delta) + at * p.delta_stride);
  let_next_kernel_start();
  const float root = row.inverse_root(p.eps);
  store_quantized<Row, kChunks>(p, row, root, at);
}

}  // namespace hadal::device
