// The contract of mini_gemm.cu: D = A · Bᵀ of E4M3 with scales, F32, in tiles of 64x64.
#pragma once

#include "cuda/driver_api.h"

namespace hadal::testing {

constexpr int kMiniTile = 64, kMiniBlockOfK = 128;
constexpr unsigned kMiniThreads = 160;  // one multiplying warpgroup and a copying warp

struct MiniGemmParams {
  cuda::TensorMap a, b;   // [rows, K] and [columns, K] E4M3, boxes of [64, 128], 128-byte swizzle
  cuda::TensorMap d;      // [rows, columns] F32, boxes of [64, 32], 128-byte swizzle
  const float* a_scales;  // [rows, k_blocks]
  const float* b_scales;  // [columns / 64, k_blocks]
  float* largest;         // [row tiles, column tiles, 4 warps]: of |D| in the tile's rows of a warp
  int rows, k_blocks;
};

// One mistake each; kNone is the kernel.
enum class MiniFault {
  kNone,
  kNoWaitForFull,      // reads a stage before it has come
  kNoWaitForEmpty,     // overwrites a stage that is still read
  kEmptyCountTooHigh,  // by one
  kTooManyBytes,       // 16 more are expected than come
  kFreedTooEarly,      // a stage is given back before the products have read it
  kNoProxyFence,       // between writing the tile and its store
  kReadBeforeWait,     // accumulators in flight
  kOutOfBounds,        // in the staged tile
};

}  // namespace hadal::testing
