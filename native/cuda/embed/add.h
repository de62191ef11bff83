// add on CUDA: out = a + b, the sum of two floats rounded to the format once.
#pragma once

#include "core/tensor.h"
#include "cuda/embed/items.h"

namespace hadal::cuda {

struct AddParams {
  const void* a;   // [rows, width] T, rows a_stride elements apart
  const void* b;   // [rows, width] T, rows b_stride elements apart
  void* out;       // [rows, width] T, rows out_stride elements apart; may be a or b
  int64_t a_stride, b_stride, out_stride;
  int32_t rows, width;
};

inline constexpr Kernel kAddBf16{"add_bf16", sizeof(AddParams), kItemThreads};
inline constexpr Kernel kAddF32{"add_f32", sizeof(AddParams), kItemThreads};

// type: BF16 or F32, of all three. width: whole vectors of 16 bytes; pointers and strides of 16 bytes.
void add(Queue& queue, DType type, const AddParams& params);

}  // namespace hadal::cuda
