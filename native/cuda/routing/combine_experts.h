// combine_experts on CUDA: out[t] = Σ_k weights[t, k] · y[row of pair (t, k)] + add[t], FP32, k ascending, add last,
// every product fused with its sum: one sequence whatever the batch. `slots` undoes permute_tokens on the way.
// (chosen + 1 or 2)·width·sizeof(T) a token, each read or written once, all rows of eight experts in flight.
#pragma once

#include "core/tensor.h"
#include "cuda/queue.h"

namespace hadal::cuda {

struct CombineExpertsParams {
  void* out;               // [tokens, width] T, rows out_stride elements apart
  const void* y;           // [rows, width] T, rows y_stride elements apart
  const float* weights;    // [tokens, chosen], rows weights_stride apart
  const int32_t* slots;    // [tokens, chosen] row of each pair, −1: it adds nothing; null: pair p has row p
  const void* add;         // [tokens, width] T, rows add_stride apart; or null
  int64_t out_stride, y_stride, weights_stride, add_stride;
  int32_t tokens, chosen, width;
};

inline constexpr uint32_t kCombineExpertsThreads = 128;

inline constexpr Kernel kCombineExpertsBf16{"combine_experts_bf16", sizeof(CombineExpertsParams),
                                            kCombineExpertsThreads};
inline constexpr Kernel kCombineExpertsF32{"combine_experts_f32", sizeof(CombineExpertsParams),
                                           kCombineExpertsThreads};

// T: BF16 or F32. Widths, strides and pointers of whole 16 bytes; out may be add.
void combine_experts(Queue& queue, DType type, const CombineExpertsParams& params);

}  // namespace hadal::cuda
