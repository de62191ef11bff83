// router_matmul on CUDA: logits = x · Wᵀ of the experts' router, [256, 7168] BF16 at DeepSeek-V3, in FP32 throughout:
// a choice of experts turns on the last bits, so nothing is rounded on the way.
//
// The sum over the width has one order, whatever T: thread i of 256 adds its vectors i, i + 256, … of 8 columns one
// after another, a warp folds its 32 sums by lanes 16, 8, 4, 2, 1 apart, and the eight warps' sums are added in turn.
// The instances differ in how many experts and tokens a block takes, not in that.
//   few tokens   2 experts · 4 tokens a block (128 blocks at one token), 4 · 4 up to 32: the weights, which no kernel
//                writes, are in registers before the kernel in front has ended
//   many tokens  8 · 4, a block going down the tokens with its weights in the first-level cache: FFMA, so bound by
//                the CUDA cores. A tensor-core form has to keep FP32's bits (three BF16 products) for all T at once.
#pragma once

#include "core/tensor.h"
#include "cuda/queue.h"

namespace hadal::cuda {

struct RouterMatmulParams {
  const void* x;        // [tokens, width] BF16 or F32, rows x_stride elements apart
  const void* weight;   // [experts, width] BF16
  float* logits;        // [tokens, experts], rows logits_stride elements apart
  int64_t x_stride, logits_stride;
  int32_t tokens, experts, width;
};

inline constexpr int32_t kRouterThreads = 256;
inline constexpr int32_t kRouterMaxWidth = 8192;

#define HADAL_ROUTER_MATMUL(variable, name) \
  inline constexpr Kernel variable{"router_matmul_" name, sizeof(RouterMatmulParams), kRouterThreads};
HADAL_ROUTER_MATMUL(kRouterMatmul2Bf16, "2_bf16")
HADAL_ROUTER_MATMUL(kRouterMatmul2F32, "2_f32")
HADAL_ROUTER_MATMUL(kRouterMatmul4Bf16, "4_bf16")
HADAL_ROUTER_MATMUL(kRouterMatmul4F32, "4_f32")
HADAL_ROUTER_MATMUL(kRouterMatmul8Bf16, "8_bf16")
HADAL_ROUTER_MATMUL(kRouterMatmul8F32, "8_f32")
#undef HADAL_ROUTER_MATMUL

// x: BF16 or F32. width: a multiple of 8, at most 8192; pointers and rows of 16 bytes. Any number of experts.
void router_matmul(Queue& queue, DType x, const RouterMatmulParams& params);

}  // namespace hadal::cuda
