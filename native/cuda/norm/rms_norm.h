// rms_norm on CUDA: out = x · rsqrt(mean(x²) + eps) · weight, a row at a time, FP32 inside. The row stays in
// registers, so that memory sees x once and out once. Rows of up to 2048 columns are a warp's (no barrier, four
// rows a block), longer ones a block's. out may be x.
#pragma once

#include "core/tensor.h"
#include "cuda/queue.h"

namespace hadal::cuda {

struct RmsNormParams {
  const void* x;         // [rows, width] F32 or BF16, rows x_stride elements apart
  void* out;             // [rows, width] F32 or BF16, rows out_stride elements apart
  const void* weight;    // [width] of weight_type: F32, BF16, F16
  int64_t x_stride, out_stride;
  int32_t rows, width;
  float eps;
  DType weight_type;
};

inline constexpr int32_t kNormMaxWidth = 8192;
inline constexpr int32_t kNormWarpWidth = 2048;  // up to here a row is a warp's
inline constexpr uint32_t kNormThreads = 256;
inline constexpr uint32_t kNormWarpThreads = 128;

inline constexpr Kernel kRmsNormBf16{"rms_norm_bf16", sizeof(RmsNormParams), kNormThreads};
inline constexpr Kernel kRmsNormF32{"rms_norm_f32", sizeof(RmsNormParams), kNormThreads};
inline constexpr Kernel kRmsNormF32Bf16{"rms_norm_f32_bf16", sizeof(RmsNormParams), kNormThreads};
inline constexpr Kernel kRmsNormWarpBf16{"rms_norm_warp_bf16", sizeof(RmsNormParams), kNormWarpThreads};
inline constexpr Kernel kRmsNormWarpF32{"rms_norm_warp_f32", sizeof(RmsNormParams), kNormWarpThreads};
inline constexpr Kernel kRmsNormWarpF32Bf16{"rms_norm_warp_f32_bf16", sizeof(RmsNormParams),
                                            kNormWarpThreads};

// x → out: BF16 → BF16, F32 → F32, F32 → BF16. width: a multiple of 8, at most kNormMaxWidth; pointers and
// strides are multiples of 16 bytes. A NaN in a row makes the row NaN; an infinity makes the finite values of its row
// zeros and itself NaN, as on the CPU; squares beyond F32 cost a second sum and nothing else.
void rms_norm(Queue& queue, DType x, DType out, const RmsNormParams& params);

// What the norms' launchers share. Which of two instances: a row in a warp, or in a block.
void expect_norm_weight(const char* op, const void* weight, DType weight_type, float eps);
Launch norm_launch(int64_t rows, int64_t width);

}  // namespace hadal::cuda
