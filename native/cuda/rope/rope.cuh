// Device body of rope: see rope.h.
#pragma once

#include "cuda/device/angle.cuh"
#include "cuda/device/dependent.cuh"
#include "cuda/device/warp.cuh"
#include "cuda/device/words.cuh"
#include "cuda/rope/rope.h"

namespace hadal::device {

struct RopeShared {
  alignas(16) float sine[cuda::kRopeMaxWidth / 2];
  alignas(16) float cosine[cuda::kRopeMaxWidth / 2];
};

HADAL_DEVICE void rotate(float& a, float& b, float sine, float cosine) {
  const float turned = a * cosine - b * sine;
  b = a * sine + b * cosine;
  a = turned;
}

// The pairs inside one vector: neighbours, from frequency `first` on.
template <typename T>
HADAL_DEVICE Words<4> rotate_neighbours(Words<4> raw, const RopeShared& angles, int first) {
  constexpr int kPer = kPerVec<T>;
  float values[kPer];
  unpack_words<T>(raw, values);
  HADAL_UNROLL
  for (int i = 0; i < kPer / 2; ++i)
    rotate(values[2 * i], values[2 * i + 1], angles.sine[first + i], angles.cosine[first + i]);
  return pack_words<T>(values);
}

// The pairs of two vectors, one of each half.
template <typename T>
HADAL_DEVICE void rotate_halves(Words<4>& low, Words<4>& high, const RopeShared& angles, int first) {
  constexpr int kPer = kPerVec<T>;
  float a[kPer], b[kPer];
  unpack_words<T>(low, a);
  unpack_words<T>(high, b);
  HADAL_UNROLL
  for (int i = 0; i < kPer; ++i) rotate(a[i], b[i], angles.sine[first + i], angles.cosine[first + i]);
  low = pack_words<T>(a);
  high = pack_words<T>(b);
}

// Thread by thread a vector (neighbours) or two (halves) of a head, the heads one after another: kItems of them a
// thread, a block apart, so that neighbours in a warp stay neighbours in memory.
template <typename T, bool kHalves>
HADAL_DEVICE void rope(const cuda::RopeParams& p) {
  constexpr int kPer = kPerVec<T>, kParts = kHalves ? 2 : 1, kItems = cuda::kRopeLoads / kParts;
  auto& angles = shared<RopeShared>();
  const int64_t token = blockIdx.x;
  const int per_head = p.width / (kPer * kParts);
  const T* x = static_cast<const T*>(p.x) + token * p.x_token_stride;
  T* out = static_cast<T*>(p.out) + token * p.out_token_stride;
  Words<4> raw[kItems][kParts];
  int head[kItems], column[kItems];
  wait_for_previous_kernel();
  HADAL_UNROLL
  for (int k = 0; k < kItems; ++k) {
    const int item = static_cast<int>((blockIdx.y * kItems + static_cast<unsigned>(k)) * blockDim.x + threadIdx.x);
    head[k] = item / per_head;
    column[k] = item % per_head * kPer;
    HADAL_UNROLL
    for (int part = 0; part < kParts; ++part)
      if (head[k] < p.heads)
        raw[k][part] = load_words_once<4>(x + head[k] * p.x_head_stride + column[k] + part * (p.width / 2));
  }
  for (int i = static_cast<int>(threadIdx.x); i < p.width / 2; i += static_cast<int>(blockDim.x)) {
    const SineCosine angle = sine_cosine(p.positions[token], p.inv_freq[i]);
    angles.sine[i] = angle.sine * p.factor;
    angles.cosine[i] = angle.cosine * p.factor;
  }
  let_next_kernel_start();
  sync_block();
  HADAL_UNROLL
  for (int k = 0; k < kItems; ++k) {
    if (head[k] >= p.heads) continue;
    T* to = out + head[k] * p.out_head_stride + column[k];
    if constexpr (kHalves) {
      rotate_halves<T>(raw[k][0], raw[k][1], angles, column[k]);
      store_words(to + p.width / 2, raw[k][1]);
    } else {
      raw[k][0] = rotate_neighbours<T>(raw[k][0], angles, column[k] / 2);
    }
    store_words(to, raw[k][0]);
  }
}

}  // namespace hadal::device
