// gather_rows on CUDA: out[n] = x[rows[n]], bytes as they are. Chooses the tokens whose logits are wanted.
// 2·row_bytes a row.
#pragma once

#include "cuda/queue.h"

namespace hadal::cuda {

struct GatherRowsParams {
  void* out;             // [count, row_bytes], rows out_stride bytes apart
  const void* x;         // [x_rows, row_bytes], rows x_stride bytes apart
  const int32_t* rows;   // [count]; a row that is none of x's is filled with 0xff, a NaN in every float format
  int64_t out_stride, x_stride;
  int32_t count, x_rows, row_bytes;
};

inline constexpr uint32_t kGatherRowsThreads = 128;

inline constexpr Kernel kGatherRows16{"gather_rows_16", sizeof(GatherRowsParams), kGatherRowsThreads};
inline constexpr Kernel kGatherRows2{"gather_rows_2", sizeof(GatherRowsParams), kGatherRowsThreads};

// Whole 16 bytes everywhere are copied by 16, else by 2: rows, strides and pointers are even.
void gather_rows(Queue& queue, const GatherRowsParams& params);

}  // namespace hadal::cuda
