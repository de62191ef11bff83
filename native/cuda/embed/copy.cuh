// Device body of copy: see copy.h.
#pragma once

#include "cuda/embed/copy.h"
#include "cuda/embed/items.cuh"

namespace hadal::device {

template <int kWords>
HADAL_DEVICE void copy(const cuda::CopyParams& p) {
  constexpr int kBytes = 4 * kWords;
  const RowItems items(static_cast<uint32_t>(p.rows), static_cast<uint32_t>(p.row_bytes / kBytes));
  Words<kWords> raw[kItems];
  wait_for_previous_kernel();
  HADAL_UNROLL
  for (int k = 0; k < kItems; ++k) {
    if (!items.inside[k]) continue;
    raw[k] = load_words_once<kWords>(static_cast<const uint8_t*>(p.x) + items.row[k] * p.x_stride +
                                     items.column[k] * kBytes);
  }
  let_next_kernel_start();
  HADAL_UNROLL
  for (int k = 0; k < kItems; ++k)
    if (items.inside[k])
      store_words(static_cast<uint8_t*>(p.out) + items.row[k] * p.out_stride + items.column[k] * kBytes, raw[k]);
}

}  // namespace hadal::device
