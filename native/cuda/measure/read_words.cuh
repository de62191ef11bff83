// Device body of read_words: see read_words.h. Blocks stride over the array together, eight loads of 16 bytes in
// flight a thread, so that 132 SMs · 8 blocks ask for 35 MB at a time, far more than latency · bandwidth.
#pragma once

#include "cuda/device/memory.cuh"
#include "cuda/device/warp.cuh"
#include "cuda/measure/read_words.h"

namespace hadal::device {

struct ReadWordsShared {
  uint32_t partial[cuda::kReadWordsThreads / kWarp];
};

HADAL_DEVICE uint32_t fold(Vec16 v) { return v.word[0] ^ v.word[1] ^ v.word[2] ^ v.word[3]; }

HADAL_DEVICE void read_words(const cuda::ReadWordsParams& p) {
  constexpr int kInFlight = 8;
  constexpr int64_t kThreads = cuda::kReadWordsThreads;
  const auto* words = static_cast<const Vec16*>(p.words);
  const int64_t vecs = p.count / 4;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads * kInFlight;
  uint32_t result = 0;
  int64_t at = static_cast<int64_t>(blockIdx.x) * kThreads * kInFlight + threadIdx.x;
  for (; at + (kInFlight - 1) * kThreads < vecs; at += stride) {
    Vec16 loaded[kInFlight];
    HADAL_UNROLL
    for (int i = 0; i < kInFlight; ++i) loaded[i] = load16_once(words + at + i * kThreads);
    HADAL_UNROLL
    for (int i = 0; i < kInFlight; ++i) result ^= fold(loaded[i]);
  }
  for (int i = 0; i < kInFlight; ++i)
    if (at + i * kThreads < vecs) result ^= fold(load16_once(words + at + i * kThreads));

  HADAL_UNROLL
  for (int mask = kWarp / 2; mask > 0; mask >>= 1) result ^= shuffle_xor(result, mask);
  auto& block = shared<ReadWordsShared>();
  if (lane_index() == 0) block.partial[warp_index()] = result;
  sync_block();
  if (threadIdx.x != 0) return;
  uint32_t all = 0;
  for (const uint32_t part : block.partial) all ^= part;
  p.partial[blockIdx.x] = all;
}

}  // namespace hadal::device
