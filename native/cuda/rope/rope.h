// rope on CUDA: x[t, h, :] rotated by position · inv_freq, in place or to another tensor (a query's columns beside
// the absorbed part, so that nothing is copied). A block takes a token and up to 1024 vectors of it: its loads are
// under way while the token's sines and cosines are made, once for all heads.
#pragma once

#include "core/tensor.h"
#include "cuda/queue.h"

namespace hadal::cuda {

enum class RopeStyle : int32_t {
  kInterleaved,  // turns (x[2i], x[2i + 1]): DeepSeek's MLA
  kHalves,       // turns (x[i], x[i + R/2]): Llama, Qwen
};

struct RopeParams {
  const void* x;             // [tokens, heads, width] T, x_token_stride and x_head_stride elements apart
  void* out;                 // [tokens, heads, width] T, likewise; may be x
  const int32_t* positions;  // [tokens]
  const float* inv_freq;     // [width / 2]
  int64_t x_token_stride, x_head_stride, out_token_stride, out_head_stride;
  int32_t tokens, heads, width;
  RopeStyle style;
  float factor;              // multiplies sines and cosines
};

inline constexpr int32_t kRopeMaxWidth = 512;
inline constexpr uint32_t kRopeThreads = 256;
inline constexpr int32_t kRopeLoads = 4;  // of 16 bytes, a thread

inline constexpr Kernel kRopeBf16{"rope_bf16", sizeof(RopeParams), kRopeThreads};
inline constexpr Kernel kRopeF32{"rope_f32", sizeof(RopeParams), kRopeThreads};
inline constexpr Kernel kRopeHalvesBf16{"rope_halves_bf16", sizeof(RopeParams), kRopeThreads};
inline constexpr Kernel kRopeHalvesF32{"rope_halves_f32", sizeof(RopeParams), kRopeThreads};

// type: BF16 or F32. width: whole 16-byte vectors, of each half where halves turn (BF16: a multiple of 8 or 16), at
// most 512; pointers and strides are multiples of 16 bytes. Angles are double, sines within 4e-7.
void rope(Queue& queue, DType type, const RopeParams& params);

}  // namespace hadal::cuda
