// swiglu_quantize on CUDA: silu(gate) · up, kept in F32, to E4M3 with scales (quantize/scales.h): the input of the
// down projection, 5.03 bytes an element of BF16. Two layouts: plain rows, or masked, [experts, rows, …] of which
// expert e uses its first counts[e] rows. The counts stay on the device: a fixed grid walks the tiles that are in
// use, so that unused rows cost nothing, are neither read nor written, and no host waits for a count.
#pragma once

#include "core/tensor.h"
#include "cuda/quantize/scales.h"
#include "cuda/queue.h"

namespace hadal::cuda {

struct SwigluQuantizeParams {
  const void* gate;        // [experts · rows, width] T, rows gate_stride elements apart
  const void* up;          // [experts · rows, width] T, rows up_stride elements apart
  uint8_t* codes;          // [experts · rows, width] E4M3, rows code_stride bytes apart
  float* scales;           // [experts, ceil(width / 128), scale_stride]
  const int32_t* counts;   // [experts]; null: plain, of one expert. Held to 0..rows
  int64_t gate_stride, up_stride, code_stride, scale_stride;
  int32_t experts, rows, width;
  ScaleKind scale_kind;
};

inline constexpr int32_t kSwigluMostExperts = 1024;

#define HADAL_SWIGLU_QUANTIZE(variable, name) \
  inline constexpr Kernel variable{"swiglu_quantize_" name, sizeof(SwigluQuantizeParams), 128};
HADAL_SWIGLU_QUANTIZE(kSwigluQuantizeBf16, "bf16")
HADAL_SWIGLU_QUANTIZE(kSwigluQuantizeF32, "f32")
HADAL_SWIGLU_QUANTIZE(kSwigluQuantizeMaskedBf16, "masked_bf16")
HADAL_SWIGLU_QUANTIZE(kSwigluQuantizeMaskedF32, "masked_f32")
#undef HADAL_SWIGLU_QUANTIZE

// type: BF16 or F32, of gate and up. width: a multiple of 16; pointers and strides of 16 bytes.
void swiglu_quantize(Queue& queue, DType type, const SwigluQuantizeParams& params);

}  // namespace hadal::cuda
