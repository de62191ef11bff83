// add_rms_norm on CUDA: residual += delta, then out = the norm of the new residual times the weight, in one pass:
// residual read and written once, delta read once, out written once. The sum is F32; a BF16 residual is rounded
// once, and the norm is of the rounded values, so that a layer that reads the residual later sees the same row.
#pragma once

#include "cuda/norm/rms_norm.h"

namespace hadal::cuda {

struct AddRmsNormParams {
  void* residual;        // [rows, width] F32 or BF16, in and out, rows residual_stride elements apart
  const void* delta;     // [rows, width] F32 or BF16, rows delta_stride elements apart
  void* out;             // [rows, width] F32 or BF16, rows out_stride elements apart; not the residual
  const void* weight;    // [width] of weight_type: F32, BF16, F16
  int64_t residual_stride, delta_stride, out_stride;
  int32_t rows, width;
  float eps;
  DType weight_type;
};

#define HADAL_ADD_RMS_NORM(variable, name)                                                              \
  inline constexpr Kernel variable{"add_rms_norm_" name, sizeof(AddRmsNormParams), kNormThreads};       \
  inline constexpr Kernel variable##Warp{"add_rms_norm_warp_" name, sizeof(AddRmsNormParams),           \
                                         kNormWarpThreads};
HADAL_ADD_RMS_NORM(kAddRmsNormBf16, "bf16")             // all BF16
HADAL_ADD_RMS_NORM(kAddRmsNormF32Bf16, "f32_bf16")      // residual F32, delta and out BF16
HADAL_ADD_RMS_NORM(kAddRmsNormF32, "f32")               // all F32: the CPU's op
#undef HADAL_ADD_RMS_NORM

// residual, delta, out: BF16, BF16, BF16; F32, BF16, BF16; F32, F32, F32. Widths, alignment and extreme values as
// rms_norm has them.
void add_rms_norm(Queue& queue, DType residual, DType delta, DType out, const AddRmsNormParams& params);

}  // namespace hadal::cuda
