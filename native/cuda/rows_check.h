// What the launchers of row-wise kernels check before a launch: widths in whole vectors, pointers and strides
// that 16-byte loads can take. Messages say expected, got and where.
#pragma once

#include "core/tensor.h"
#include "cuda/queue.h"

namespace hadal::cuda {

// Beyond any model's row; keeps a column and its bytes within 32 bits.
inline constexpr int64_t kMostColumns = int64_t{1} << 28;

// A width of `multiple` columns at a time, from one to `most`.
void expect_width(const char* op, int64_t width, int64_t multiple, int64_t most);
void expect_row_count(const char* op, int64_t rows);
// Rows of `bytes` bytes, `stride` bytes apart, each starting on a multiple of `alignment`.
void expect_rows(const char* op, const char* name, const void* pointer, int64_t rows, int64_t bytes,
                 int64_t stride, int64_t alignment = 16);
void expect_pointer(const char* op, const char* name, const void* pointer, int64_t alignment);
// Codes and scales as quantize/scales.h lays them out.
void expect_quantized(const char* op, const void* codes, int64_t code_stride, const float* scales,
                      int64_t scale_stride, int64_t rows, int64_t width);
// Throws: this combination of formats has no instance.
[[noreturn]] void no_instance(const char* op, const std::string& formats);

// Rows in blocks of `per_block`.
constexpr uint32_t blocks_for(int64_t rows, int64_t per_block) {
  return static_cast<uint32_t>((rows + per_block - 1) / per_block);
}

}  // namespace hadal::cuda
