// swiglu on CUDA: out = silu(gate) · up, FP32 inside. gate and up may be the halves of one row ([T, 2F]: up is
// gate + F, both strides 2F) or two tensors.
#pragma once

#include "core/tensor.h"
#include "cuda/queue.h"

namespace hadal::cuda {

struct SwigluParams {
  const void* gate;      // [rows, width] T, rows gate_stride elements apart
  const void* up;        // [rows, width] T, rows up_stride elements apart
  void* out;             // [rows, width] T, rows out_stride elements apart; may be gate or up
  int64_t gate_stride, up_stride, out_stride;
  int32_t rows, width;
};

inline constexpr Kernel kSwigluBf16{"swiglu_bf16", sizeof(SwigluParams), 128};
inline constexpr Kernel kSwigluF32{"swiglu_f32", sizeof(SwigluParams), 128};

// type: BF16 or F32, of all three. width: a multiple of 8; pointers and strides of 16 bytes. silu(x) is
// x · (1 / (1 + e^−x)) with the GPU's exponential and reciprocal: 1e-6 relative, and zero from x < −87 on.
void swiglu(Queue& queue, DType type, const SwigluParams& params);

}  // namespace hadal::cuda
