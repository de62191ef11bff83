// Device body of rms_norm: see rms_norm.h.
#pragma once

#include "cuda/device/math.cuh"
#include "cuda/device/memory.cuh"
#include "cuda/device/warp.cuh"
#include "cuda/norm/rms_norm.h"

namespace hadal::device {

struct RmsNormShared {
  float partial[cuda::kRmsNormThreads / kWarp];
};

// kVecs · 16 bytes a thread hold the row.
template <typename T, int kVecs>
HADAL_DEVICE void rms_norm(const cuda::RmsNormParams& p) {
  constexpr int kPer = kPerVec<T>;
  constexpr int kThreads = static_cast<int>(cuda::kRmsNormThreads);
  auto& shared_storage = shared<RmsNormShared>();
  const auto row = static_cast<int64_t>(blockIdx.x);
  const T* x = static_cast<const T*>(p.x) + row * p.x_stride;
  T* out = static_cast<T*>(p.out) + row * p.out_stride;
  const bf16* weight = static_cast<const bf16*>(p.weight);
  const int thread = static_cast<int>(threadIdx.x);

  float values[kVecs][kPer];
  float sum = 0;
  HADAL_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    const int column = (v * kThreads + thread) * kPer;
    if (column >= p.width) break;
    unpack<T>(load16_once(x + column), values[v]);
    HADAL_UNROLL
    for (int i = 0; i < kPer; ++i) sum += values[v][i] * values[v][i];
  }
  sum = block_sum(sum, shared_storage.partial);
  const float scale = rsqrt_fast(sum / static_cast<float>(p.width) + p.eps);
  HADAL_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    const int column = (v * kThreads + thread) * kPer;
    if (column >= p.width) break;
    HADAL_UNROLL
    for (int i = 0; i < kPer; ++i) values[v][i] *= scale * to_float(weight[column + i]);
    store16(out + column, pack<T>(values[v]));
  }
}

}  // namespace hadal::device
