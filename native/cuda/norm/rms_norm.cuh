// Device body of rms_norm: see rms_norm.h.
#pragma once

#include "cuda/norm/rms_norm.h"
#include "cuda/norm/row.cuh"

namespace hadal::device {

template <typename T, typename Out, int kChunks, int kThreads>
HADAL_DEVICE void rms_norm(const cuda::RmsNormParams& p) {
  using Row = NormRow<T, kChunks, kThreads>;
  const int64_t at = row_of_thread<kThreads>();
  if (at >= p.rows) return;
  Row row(p.weight, p.weight_type, p.width);
  row.load_weights();
  wait_for_previous_kernel();
  row.load(static_cast<const T*>(p.x) + at * p.x_stride);
  let_next_kernel_start();
  const float root = row.inverse_root(p.eps);
  Out* out = static_cast<Out*>(p.out) + at * p.out_stride;
  HADAL_UNROLL
  for (int c = 0; c < kChunks; ++c) {
    float values[Row::kPer];
    row.normalised(c, root, values);
    if (row.has(c)) store_words(out + row.column(c), pack_words<Out>(values));
  }
}

}  // namespace hadal::device
