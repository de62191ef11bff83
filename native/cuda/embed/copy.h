// copy on CUDA: out = x, row by row and byte by byte, whatever the format.
#pragma once

#include "core/tensor.h"
#include "cuda/embed/items.h"

namespace hadal::cuda {

struct CopyParams {
  const void* x;   // [rows, row_bytes] bytes, rows x_stride bytes apart
  void* out;       // [rows, row_bytes] bytes, rows out_stride bytes apart; may be x
  int64_t x_stride, out_stride;
  int32_t rows, row_bytes;
};

inline constexpr Kernel kCopy16{"copy_16", sizeof(CopyParams), kItemThreads};
inline constexpr Kernel kCopy4{"copy_4", sizeof(CopyParams), kItemThreads};  // where 16 bytes do not divide

// row_bytes, pointers and strides: multiples of 4; four times faster where all are multiples of 16.
void copy(Queue& queue, const CopyParams& params);

}  // namespace hadal::cuda
