// rms_norm on CUDA: out = x · rsqrt(mean(x²) + eps) · weight, a row at a time, FP32 inside.
// One block a row, the row in registers, so x is read once: 2·D·sizeof(T) bytes a row and nothing else.
#pragma once

#include "core/tensor.h"
#include "cuda/queue.h"

namespace hadal::cuda {

struct RmsNormParams {
  const void* x;         // [rows, width] T, rows x_stride elements apart
  void* out;             // [rows, width] T, rows out_stride elements apart
  const void* weight;    // [width] BF16
  int64_t x_stride, out_stride;
  int32_t rows, width;
  float eps;
};

inline constexpr uint32_t kRmsNormThreads = 256;
inline constexpr int32_t kRmsNormMaxWidth = 8192;

inline constexpr Kernel kRmsNormBf16{"rms_norm_bf16", sizeof(RmsNormParams), kRmsNormThreads};
inline constexpr Kernel kRmsNormF32{"rms_norm_f32", sizeof(RmsNormParams), kRmsNormThreads};

// activations: BF16 or F32. width: a multiple of 8, at most kRmsNormMaxWidth; pointers and strides of 16 bytes.
void rms_norm(Queue& queue, DType activations, const RmsNormParams& params);

}  // namespace hadal::cuda
