// add_rms_norm_quantize on CUDA: what stands before every FP8 product of the model in one pass: residual += delta
// (or no delta: the plain norm), normalise, weight, and quantise to E4M3 with a scale per 128 columns in the
// layout of quantize/scales.h; on request the normalised row in BF16 beside it (the router reads that). Codes
// come from the F32 values, not from the rounded BF16.
#pragma once

#include "cuda/norm/rms_norm.h"
#include "cuda/quantize/scales.h"

namespace hadal::cuda {

struct AddRmsNormQuantizeParams {
  void* residual;        // [rows, width] F32 or BF16, in (and out with a delta), rows residual_stride elements apart
  const void* delta;     // [rows, width] F32 or BF16, rows delta_stride elements apart; null: residual is only read
  void* normalised;      // [rows, width] BF16, rows normalised_stride elements apart; null: not wanted
  uint8_t* codes;        // [rows, width] E4M3, rows code_stride bytes apart
  float* scales;         // [ceil(width / 128), scale_stride]
  const void* weight;    // [width] of weight_type: F32, BF16, F16
  int64_t residual_stride, delta_stride, normalised_stride, code_stride, scale_stride;
  int32_t rows, width;
  float eps;
  DType weight_type;
  ScaleKind scale_kind;
};

#define HADAL_ADD_RMS_NORM_QUANTIZE(variable, name)                                                    \
  inline constexpr Kernel variable{"add_rms_norm_quantize_" name, sizeof(AddRmsNormQuantizeParams),    \
                                   kNormThreads};                                                      \
  inline constexpr Kernel variable##Warp{"add_rms_norm_quantize_warp_" name,                           \
                                         sizeof(AddRmsNormQuantizeParams), kNormWarpThreads};
HADAL_ADD_RMS_NORM_QUANTIZE(kAddRmsNormQuantizeBf16, "bf16")             // both BF16
HADAL_ADD_RMS_NORM_QUANTIZE(kAddRmsNormQuantizeF32Bf16, "f32_bf16")      // residual F32, delta BF16
HADAL_ADD_RMS_NORM_QUANTIZE(kAddRmsNormQuantizeF32, "f32")               // both F32
#undef HADAL_ADD_RMS_NORM_QUANTIZE

// residual, delta: BF16, BF16; F32, BF16; F32, F32. width: a multiple of 16 (rows of codes start on 16 bytes);
// the last group may be short.
void add_rms_norm_quantize(Queue& queue, DType residual, DType delta, const AddRmsNormQuantizeParams& params);

}  // namespace hadal::cuda
