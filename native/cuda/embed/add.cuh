// Device body of add: see add.h.
#pragma once

#include "cuda/embed/add.h"
#include "cuda/embed/items.cuh"

namespace hadal::device {

template <typename T>
HADAL_DEVICE void add(const cuda::AddParams& p) {
  constexpr int kPer = kPerVec<T>;
  const RowItems items(static_cast<uint32_t>(p.rows), static_cast<uint32_t>(p.width / kPer));
  const T* a = static_cast<const T*>(p.a);
  const T* b = static_cast<const T*>(p.b);
  Words<4> left[kItems], right[kItems];
  wait_for_previous_kernel();
  HADAL_UNROLL
  for (int k = 0; k < kItems; ++k) {
    if (!items.inside[k]) continue;
    left[k] = load_words_once<4>(a + items.row[k] * p.a_stride + items.column[k] * kPer);
    right[k] = load_words_once<4>(b + items.row[k] * p.b_stride + items.column[k] * kPer);
  }
  let_next_kernel_start();
  HADAL_UNROLL
  for (int k = 0; k < kItems; ++k) {
    if (!items.inside[k]) continue;
    float sums[kPer], more[kPer];
    unpack_words<T>(left[k], sums);
    unpack_words<T>(right[k], more);
    HADAL_UNROLL
    for (int i = 0; i < kPer; ++i) sums[i] += more[i];
    store_words(static_cast<T*>(p.out) + items.row[k] * p.out_stride + items.column[k] * kPer, pack_words<T>(sums));
  }
}

}  // namespace hadal::device
