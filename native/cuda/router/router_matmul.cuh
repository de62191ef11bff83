// Device body of router_matmul: see router_matmul.h.
#pragma once

#include "cuda/device/dependent.cuh"
#include "cuda/device/math.cuh"
#include "cuda/device/warp.cuh"
#include "cuda/device/words.cuh"
#include "cuda/router/router_matmul.h"

namespace hadal::device {

constexpr int kRouterWarps = cuda::kRouterThreads / kWarp;
constexpr int kRouterVec = 8;  // columns
constexpr int kRouterChunks = cuda::kRouterMaxWidth / (cuda::kRouterThreads * kRouterVec);

template <int kSums>
struct RouterShared {
  float partial[kRouterWarps][kSums];
};

// Sums over a warp of kCount values a lane, all at once: while a lane has several, it hands half of them to a partner
// and takes the partner's other half, so that 32 sums cost 31 shuffles and not 160. Each sum is added up by lanes 16,
// 8, 4, 2, 1 apart, whatever kCount. Returns the number of the first value that this lane then holds; it holds
// kCount / 32 of them, at least one.
template <int kCount, int kMask = kWarp / 2, int kAll>
HADAL_DEVICE int fold(float (&values)[kAll]) {
  if constexpr (kMask == 0) {
    return 0;
  } else if constexpr (kCount == 1) {
    values[0] += shuffle_xor(values[0], kMask);
    return fold<1, kMask / 2>(values);
  } else {
    constexpr int kHalf = kCount / 2;
    const bool upper = (lane_index() & kMask) != 0;
    HADAL_UNROLL
    for (int i = 0; i < kHalf; ++i) {
      const float keep = upper ? values[i + kHalf] : values[i];
      const float give = upper ? values[i] : values[i + kHalf];
      values[i] = keep + shuffle_xor(give, kMask);
    }
    return (upper ? kHalf : 0) + fold<kHalf, kMask / 2>(values);
  }
}

template <typename T>
struct RouterVec {
  static constexpr int kLoads = kRouterVec / kPerVec<T>;
  Words<4> raw[kLoads];

  HADAL_DEVICE void load(const T* address, bool inside) {
    HADAL_UNROLL
    for (int l = 0; l < kLoads; ++l) {
      raw[l] = {};
      if (inside) raw[l] = load_words<4>(address + l * kPerVec<T>);
    }
  }
  HADAL_DEVICE void unpack(float (&values)[kRouterVec]) const {
    HADAL_UNROLL
    for (int l = 0; l < kLoads; ++l) {
      float part[kPerVec<T>];
      unpack_words<T>(raw[l], part);
      HADAL_UNROLL
      for (int i = 0; i < kPerVec<T>; ++i) values[l * kPerVec<T> + i] = part[i];
    }
  }
};

// kExperts · kTokens logits from the vectors of one thread, then of the block. Parameters come with each call: as a
// member they would keep the sums from becoming registers.
template <typename T, int kExperts, int kTokens>
struct RouterTile {
  static constexpr int kSums = kExperts * kTokens;
  using Params = cuda::RouterMatmulParams;
  float sums[kSums];

  HADAL_DEVICE static int expert() { return static_cast<int>(blockIdx.x) * kExperts; }  // the first
  HADAL_DEVICE static int column(int chunk) {
    return (chunk * cuda::kRouterThreads + static_cast<int>(threadIdx.x)) * kRouterVec;
  }
  HADAL_DEVICE static void load_weights(const Params& p, int chunk, RouterVec<bf16> (&weights)[kExperts]) {
    HADAL_UNROLL
    for (int e = 0; e < kExperts; ++e)
      weights[e].load(static_cast<const bf16*>(p.weight) + static_cast<int64_t>(expert() + e) * p.width + column(chunk),
                      column(chunk) < p.width && expert() + e < p.experts);
  }
  HADAL_DEVICE static void load_tokens(const Params& p, int chunk, int token, RouterVec<T> (&x)[kTokens]) {
    HADAL_UNROLL
    for (int t = 0; t < kTokens; ++t)
      x[t].load(static_cast<const T*>(p.x) + (token + t) * p.x_stride + column(chunk),
                column(chunk) < p.width && token + t < p.tokens);
  }
  HADAL_DEVICE void clear() {
    HADAL_UNROLL
    for (int i = 0; i < kSums; ++i) sums[i] = 0;
  }
  HADAL_DEVICE void multiply(const RouterVec<bf16> (&weights)[kExperts], const RouterVec<T> (&x)[kTokens]) {
    float values[kTokens][kRouterVec];
    HADAL_UNROLL
    for (int t = 0; t < kTokens; ++t) x[t].unpack(values[t]);
    HADAL_UNROLL
    for (int e = 0; e < kExperts; ++e) {
      float weight[kRouterVec];
      weights[e].unpack(weight);
      HADAL_UNROLL
      for (int i = 0; i < kRouterVec; ++i) {
        HADAL_UNROLL
        for (int t = 0; t < kTokens; ++t)
          sums[t * kExperts + e] = fused_multiply_add(values[t][i], weight[i], sums[t * kExperts + e]);
      }
    }
  }
  HADAL_DEVICE void store(const Params& p, int token) {
    auto& shared_sums = shared<RouterShared<kSums>>().partial;
    constexpr int kHeld = kSums > kWarp ? kSums / kWarp : 1, kCopies = kSums < kWarp ? kWarp / kSums : 1;
    const int first = fold<kSums>(sums);
    HADAL_UNROLL
    for (int i = 0; i < kHeld; ++i)
      if (lane_index() % kCopies == 0) shared_sums[warp_index()][first + i] = sums[i];
    sync_block();
    const int thread = static_cast<int>(threadIdx.x);
    if (thread < kSums) {
      float sum = 0;
      HADAL_UNROLL
      for (int w = 0; w < kRouterWarps; ++w) sum += shared_sums[w][thread];
      const int t = token + thread / kExperts, e = expert() + thread % kExperts;
      if (t < p.tokens && e < p.experts) p.logits[t * p.logits_stride + e] = sum;
    }
    sync_block();  // the sums may be overwritten
  }
};

// Few tokens: a tile of them a block. All weights are under way before the wait; of the tokens two chunks at a time,
// so that two blocks fit on an SM and one's loads hide behind the other's products.
template <typename T, int kExperts, int kTokens>
HADAL_DEVICE void router_matmul_few(const cuda::RouterMatmulParams& p) {
  constexpr int kStep = 2;
  RouterTile<T, kExperts, kTokens> tile;
  const int token = static_cast<int>(blockIdx.y) * kTokens;
  RouterVec<bf16> weights[kRouterChunks][kExperts];
  HADAL_UNROLL
  for (int c = 0; c < kRouterChunks; ++c) tile.load_weights(p, c, weights[c]);
  wait_for_previous_kernel();
  let_next_kernel_start();
  tile.clear();
  HADAL_UNROLL
  for (int first = 0; first < kRouterChunks; first += kStep) {
    RouterVec<T> x[kStep][kTokens];
    HADAL_UNROLL
    for (int c = 0; c < kStep; ++c) tile.load_tokens(p, first + c, token, x[c]);
    HADAL_UNROLL
    for (int c = 0; c < kStep; ++c) tile.multiply(weights[first + c], x[c]);
  }
  tile.store(p, token);
}

// Many tokens: a block goes down them in steps of the grid's height.
template <typename T, int kExperts, int kTokens>
HADAL_DEVICE void router_matmul_many(const cuda::RouterMatmulParams& p) {
  RouterTile<T, kExperts, kTokens> tile;
  wait_for_previous_kernel();
  let_next_kernel_start();
  for (int token = static_cast<int>(blockIdx.y) * kTokens; token < p.tokens; token += static_cast<int>(gridDim.y) * kTokens) {
    tile.clear();
    for (int c = 0; c < kRouterChunks && c * cuda::kRouterThreads * kRouterVec < p.width; ++c) {
      RouterVec<bf16> weights[kExperts];
      RouterVec<T> x[kTokens];
      tile.load_tokens(p, c, token, x);
      tile.load_weights(p, c, weights);
      tile.multiply(weights, x);
    }
    tile.store(p, token);
  }
}

}  // namespace hadal::device
