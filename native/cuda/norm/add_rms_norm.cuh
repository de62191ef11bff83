// Device body of add_rms_norm: see add_rms_norm.h.
#pragma once

#include "cuda/norm/add_rms_norm.h"
#include "cuda/norm/row.cuh"

namespace hadal::device {

template <typename T, typename Other, int kChunks, int kThreads>
HADAL_DEVICE void add_rms_norm(const cuda::AddRmsNormParams& p) {
  using Row = NormRow<T, kChunks, kThreads>;
  const int64_t at = row_of_thread<kThreads>();
  if (at >= p.rows) return;
  Row row(p.weight, p.weight_type, p.width);
  row.load_weights();
  wait_for_previous_kernel();
  T* residual = static_cast<T*>(p.residual) + at * p.residual_stride;
  row.load(residual);
  row.add(residual, static_cast<const Other*>(p.delta) + at * p.delta_stride);
  let_next_kernel_start();
  const float root = row.inverse_root(p.eps);
  Other* out = static_cast<Other*>(p.out) + at * p.out_stride;
  HADAL_UNROLL
  for (int c = 0; c < kChunks; ++c) {
    float values[Row::kPer];
    row.normalised(c, root, values);
    if (row.has(c)) store_words(out + row.column(c), pack_words<Other>(values));
  }
}

}  // namespace hadal::device
