// Device body of write_kv: see write_kv.h.
#pragma once

#include "cuda/device/dependent.cuh"
#include "cuda/device/words.cuh"
#include "cuda/rope/write_kv.h"

namespace hadal::device {

template <typename T, typename Cache>
HADAL_DEVICE void write_kv(const cuda::WriteKvParams& p) {
  constexpr int kPer = kPerVec<T>, kLoads = cuda::kWriteKvLoads;
  const auto first = static_cast<int>((blockIdx.y * kLoads * blockDim.x + threadIdx.x) * kPer);
  const int apart = static_cast<int>(blockDim.x) * kPer;
  const T* src = static_cast<const T*>(p.src) + static_cast<int64_t>(blockIdx.x) * p.src_stride;
  wait_for_previous_kernel();
  const int64_t slot = p.slots[blockIdx.x];
  let_next_kernel_start();
  if (slot < 0 || slot >= p.cache_rows) return;
  Words<4> raw[kLoads];
  HADAL_UNROLL
  for (int k = 0; k < kLoads; ++k)
    if (first + k * apart < p.width) raw[k] = load_words_once<4>(src + first + k * apart);
  Cache* row = static_cast<Cache*>(p.cache) + slot * p.cache_stride;
  HADAL_UNROLL
  for (int k = 0; k < kLoads; ++k) {
    if (first + k * apart >= p.width) continue;
    float values[kPer];
    unpack_words<T>(raw[k], values);
    store_words(row + first + k * apart, pack_words<Cache>(values));
  }
}

}  // namespace hadal::device
