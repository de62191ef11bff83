// Device body of combine_experts: see combine_experts.h. A thread owns 16 bytes of a token's row.
#pragma once

#include "cuda/device/dependent.cuh"
#include "cuda/device/math.cuh"
#include "cuda/device/memory.cuh"
#include "cuda/routing/combine_experts.h"

namespace hadal::device {

constexpr int kCombineAtOnce = 8;

template <typename T>
HADAL_DEVICE void combine_experts(const cuda::CombineExpertsParams& p) {
  constexpr int kPer = kPerVec<T>, kColumns = static_cast<int>(cuda::kCombineExpertsThreads) * kPer;
  const int pieces = (p.width + kColumns - 1) / kColumns;
  const int64_t token = static_cast<int>(blockIdx.x) / pieces;
  const int column = static_cast<int>(blockIdx.x) % pieces * kColumns + static_cast<int>(threadIdx.x) * kPer;
  wait_for_previous_kernel();
  let_next_kernel_start();
  if (column >= p.width) return;
  const T* y = static_cast<const T*>(p.y) + column;
  const float* weights = p.weights + token * p.weights_stride;
  Vec16 added = {};
  if (p.add != nullptr) added = load16(static_cast<const T*>(p.add) + token * p.add_stride + column);
  float sum[kPer] = {};
  for (int first = 0; first < p.chosen; first += kCombineAtOnce) {
    Vec16 rows[kCombineAtOnce];
    bool there[kCombineAtOnce];
    HADAL_UNROLL
    for (int k = 0; k < kCombineAtOnce; ++k) {
      const int64_t pair = token * p.chosen + first + k;
      const bool real = first + k < p.chosen;
      const int64_t row = !real ? -1 : p.slots != nullptr ? p.slots[pair] : pair;
      there[k] = row >= 0;
      if (there[k]) rows[k] = load16_once(y + row * p.y_stride);
    }
    HADAL_UNROLL
    for (int k = 0; k < kCombineAtOnce; ++k) {
      if (!there[k]) continue;
      const float weight = weights[first + k];
      float values[kPer];
      unpack<T>(rows[k], values);
      HADAL_UNROLL
      for (int i = 0; i < kPer; ++i) sum[i] = fused_multiply_add(weight, values[i], sum[i]);
    }
  }
  if (p.add != nullptr) {
    float values[kPer];
    unpack<T>(added, values);
    HADAL_UNROLL
    for (int i = 0; i < kPer; ++i) sum[i] += values[i];
  }
  store16(static_cast<T*>(p.out) + token * p.out_stride + column, pack<T>(sum));
}

}  // namespace hadal::device
