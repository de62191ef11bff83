// permute_rows on CUDA: copies each token's row, and the scales of an FP8 row, to the places of its pairs in the
// layout that permute_tokens made. A row is read once and written `chosen` times, the least there is:
// (1 + chosen)·row_bytes a token.
#pragma once

#include "cuda/queue.h"

namespace hadal::cuda {

struct PermuteRowsParams {
  const void* x;          // [tokens, row_bytes], rows x_stride bytes apart
  void* out;              // [rows of the layout, row_bytes], rows out_stride bytes apart
  const int32_t* slots;   // [tokens, chosen] from permute_tokens; −1: no place
  const float* scales;    // scale g of token t at t·scale_row + g·scale_group; or null
  float* out_scales;      // scale g of row r at r·out_scale_row + g·out_scale_group
  int64_t x_stride, out_stride;
  int64_t scale_row, scale_group, out_scale_row, out_scale_group;
  int32_t tokens, chosen, row_bytes, scale_groups;
};

inline constexpr uint32_t kPermuteRowsThreads = 128;
inline constexpr int32_t kPermuteRowsBytes = 128 * 4 * 16;  // of a row, a block

inline constexpr Kernel kPermuteRows{"permute_rows", sizeof(PermuteRowsParams), kPermuteRowsThreads};

// Rows, strides and pointers of whole 16 bytes. Rows of the layout that are no pair's keep what they hold.
void permute_rows(Queue& queue, const PermuteRowsParams& params);

}  // namespace hadal::cuda
