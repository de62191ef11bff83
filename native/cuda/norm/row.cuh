// A row in the registers of a warp or of a block, and its root mean square: what the norms share. The row is
// read once; each thread holds chunks of 16 bytes, neighbours beside one another. Which thread adds which
// columns depends on the width and the instance alone, so a row has the same bits in any company.
#pragma once

#include "core/tensor.h"
#include "cuda/device/dependent.cuh"
#include "cuda/device/math.cuh"
#include "cuda/device/warp.cuh"
#include "cuda/device/words.cuh"

namespace hadal::device {

template <int kThreads>
struct NormShared {
  float partial[kThreads / kWarp];
};

// Sum over the kThreads that hold a row: the same bits in each.
template <int kThreads>
HADAL_DEVICE float row_sum(float value) {
  if constexpr (kThreads == kWarp) return warp_sum(value);
  else return block_sum(value, shared<NormShared<kThreads>>().partial);
}

// The row that this thread works on; a block of warps has several.
template <int kThreads>
HADAL_DEVICE int64_t row_of_thread() {
  if constexpr (kThreads == kWarp) return static_cast<int64_t>(blockIdx.x) * (blockDim.x / kWarp) + warp_index();
  else return static_cast<int64_t>(blockIdx.x);
}

// T: float or bf16, as the row lies in memory. kChunks · kThreads · 16 bytes are the longest row.
template <typename T, int kChunks, int kThreads>
struct NormRow {
  static constexpr int kPer = kPerVec<T>;
  static constexpr int kWeightWords = kPer / 2;  // of a 16-bit weight

  Words<4> x[kChunks];
  Words<kWeightWords> weights[kChunks];
  const void* weight;
  DType weight_type;
  int width;

  HADAL_DEVICE NormRow(const void* weight, DType weight_type, int width)
      : weight(weight), weight_type(weight_type), width(width) {}

  HADAL_DEVICE int column(int chunk) const {
    const int thread = static_cast<int>(threadIdx.x) % kThreads;
    return (chunk * kThreads + thread) * kPer;
  }
  HADAL_DEVICE bool has(int chunk) const { return column(chunk) < width; }

  // No kernel writes weights: they may be under way before the kernel in front has ended. F32 ones would take
  // twice the registers and wait for their use.
  HADAL_DEVICE void load_weights() {
    HADAL_UNROLL
    for (int c = 0; c < kChunks; ++c) {
      weights[c] = {};
      if (has(c) && weight_type != DType::F32)
        weights[c] = load_words<kWeightWords>(static_cast<const uint16_t*>(weight) + column(c));
    }
  }
  HADAL_DEVICE void load(const T* row) {
    HADAL_UNROLL
    for (int c = 0; c < kChunks; ++c) {
      x[c] = {};
      if (has(c)) x[c] = load_words_once<4>(row + column(c));
    }
  }
  // x += delta, rounded to T, and kept in `residual`.
  template <typename Delta>
  HADAL_DEVICE void add(T* residual, const Delta* delta) {
    Words<kWordsOf<Delta, kPer>> other[kChunks];
    HADAL_UNROLL
    for (int c = 0; c < kChunks; ++c) {
      other[c] = {};
      if (has(c)) other[c] = load_words_once<kWordsOf<Delta, kPer>>(delta + column(c));
    }
    HADAL_UNROLL
    for (int c = 0; c < kChunks; ++c) {
      float sums[kPer], more[kPer];
      unpack_words<T>(x[c], sums);
      unpack_words<Delta>(other[c], more);
      HADAL_UNROLL
      for (int i = 0; i < kPer; ++i) sums[i] += more[i];
      x[c] = pack_words<T>(sums);
      if (has(c)) store_words(residual + column(c), x[c]);
    }
  }
  HADAL_DEVICE float sum_squares(float factor) const {
    float sum = 0;
    HADAL_UNROLL
    for (int c = 0; c < kChunks; ++c) {
      float values[kPer], part = 0;  // a chain of its own for each chunk
      unpack_words<T>(x[c], values);
      HADAL_UNROLL
      for (int i = 0; i < kPer; ++i) {
        const float value = values[i] * factor;
        part = fused_multiply_add(value, value, part);
      }
      sum += part;
    }
    return sum;
  }
  // 1 / sqrt(mean(x²) + eps). Squares that leave F32 (a sum that is infinite, or next to nothing beside an eps
  // that is nothing) are added again, scaled by a power of two: right wherever the result is in F32.
  HADAL_DEVICE float inverse_root(float eps) const {
    const auto n = static_cast<float>(width);
    const float sum = row_sum<kThreads>(sum_squares(1.0f));
    const bool tiny = sum < 1e-30f && eps < 1e-30f;
    if (sum <= 3.402823466e38f && !tiny) return rsqrt_fast(sum / n + eps);
    const float factor = tiny ? 0x1p100f : 0x1p-72f;
    if constexpr (kThreads > kWarp) sync_block();  // everybody has read the partial sums
    const float scaled = row_sum<kThreads>(sum_squares(factor));
    return factor * rsqrt_fast(scaled / n + eps * factor * factor);
  }
  HADAL_DEVICE void normalised(int chunk, float root, float (&values)[kPer]) const {
    float scale[kPer];
    if (weight_type == DType::BF16) unpack_words<bf16>(weights[chunk], scale);
    else if (weight_type == DType::F16) unpack_words<f16>(weights[chunk], scale);
    else load_f32_weights(chunk, scale);
    unpack_words<T>(x[chunk], values);
    HADAL_UNROLL
    for (int i = 0; i < kPer; ++i) values[i] = values[i] * root * scale[i];
  }

 private:
  HADAL_DEVICE void load_f32_weights(int chunk, float (&scale)[kPer]) const {
    HADAL_UNROLL
    for (int i = 0; i < kPer; i += 4) {
      Words<4> four{};
      if (has(chunk)) four = load_words<4>(static_cast<const float*>(weight) + column(chunk) + i);
      HADAL_UNROLL
      for (int j = 0; j < 4; ++j) scale[i + j] = bits_to_float(four.word[j]);
    }
  }
};

}  // namespace hadal::device
