// quantize_groups on CUDA: activations to E4M3 with one scale per row and 128 columns, as quantize/scales.h lays
// down, every bit stated there. Memory sees x once, the codes once and the scales once: 3.03 bytes an element of BF16.
#pragma once

#include "core/tensor.h"
#include "cuda/quantize/scales.h"
#include "cuda/queue.h"

namespace hadal::cuda {

struct QuantizeGroupsParams {
  const void* x;         // [rows, width] BF16 or F32, rows x_stride elements apart
  uint8_t* codes;        // [rows, width] E4M3, rows code_stride bytes apart
  float* scales;         // [ceil(width / 128), scale_stride]
  int64_t x_stride, code_stride, scale_stride;
  int32_t rows, width;
  ScaleKind scale_kind;
};

inline constexpr uint32_t kQuantizeThreads = 128;
// What a block takes: four rows, and columns in 16-byte loads of its threads.
inline constexpr int64_t kQuantizeRows = 4;
inline constexpr int64_t quantize_columns(DType x) { return kQuantizeThreads * (x == DType::F32 ? 4 : 8); }

inline constexpr Kernel kQuantizeGroupsBf16{"quantize_groups_bf16", sizeof(QuantizeGroupsParams), kQuantizeThreads};
inline constexpr Kernel kQuantizeGroupsF32{"quantize_groups_f32", sizeof(QuantizeGroupsParams), kQuantizeThreads};

// width: a multiple of 16, of any length; the last group may be short. x starts and strides on 16 bytes.
void quantize_groups(Queue& queue, DType x, const QuantizeGroupsParams& params);

}  // namespace hadal::cuda
