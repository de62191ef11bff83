// y = x·Wᵀ for rows given by pointer: the driver under matmul, fp8_matmul, grouped_gemm and the
// projections of MLA. Splits weight rows over threads; the order of additions is the leaves' alone.
#pragma once

#include <cstdint>
#include <type_traits>

#include "cpu/convert.h"
#include "cpu/leaves.h"

namespace hadal::cpu {

// A weight matrix [N, K] as it lies in the checkpoint.
struct Matrix {
  const void* data;
  DType dtype;
  const float* scale;  // null unless FP8
  int64_t N, K;
  int64_t block_rows, block_columns;

  int64_t scale_stride() const { return scale ? (K + block_columns - 1) / block_columns : 0; }
  const void* row(int64_t n) const {
    return static_cast<const char*>(data) + n * K * static_cast<int64_t>(dtype_size(dtype));
  }
  const float* scale_row(int64_t n) const { return scale ? scale + n / block_rows * scale_stride() : nullptr; }
  // Element (n, k) with its scale, for the oracles.
  double at(int64_t n, int64_t k) const {
    const float w = weight_at(data, dtype, n * K + k);
    return scale ? static_cast<double>(w * scale_row(n)[k / block_columns]) : static_cast<double>(w);
  }
};

inline Matrix matrix_of(const Tensor& w, const Tensor* scale, int64_t block_rows, int64_t block_columns) {
  return {w.data, w.dtype, scale ? scale->as<float>() : nullptr, w.shape[0], w.shape[1],
          scale ? block_rows : 1, scale ? block_columns : 1};
}

// Weight rows of one task: about 256 KB of weights, long enough that the start, which no prefetch announced,
// weighs little. FP8: whole rows of scale blocks or halves of one, because each task scales x for itself.
inline int64_t task_rows(const Matrix& w) {
  const int64_t bytes = w.K * static_cast<int64_t>(dtype_size(w.dtype));
  const int64_t step = w.scale && w.block_rows == 128 ? 64 : 24;
  const int64_t rows = (256 << 10) / (bytes > 0 ? bytes : 1) / step * step;
  return rows < step ? step : rows > 960 ? 960 : rows;
}

// The rows of x as the leaves read them: floats, or BF16 in pairs. Exactly one of the two is set.
struct Rows {
  const float* const* plain = nullptr;
  const uint16_t* const* pairs = nullptr;

  Rows from(int64_t m) const { return {plain ? plain + m : nullptr, pairs ? pairs + m : nullptr}; }
};

// Readies `count` rows of K floats once for all tasks: rounded to BF16 where the CPU multiplies BF16 faster.
// For experts alone, which are most of a model's work: measured on the fixtures, rounding their inputs moves
// logits by 1e-2 at most, rounding those of the attention's projections by 0.36, because it comes before the
// routing and flips near-ties. The result lives in scratch memory until the op returns.
Rows round_rows(Context& context, const Matrix& w, const float* const* x, int64_t count);

// rows[i] = from[index(i)] for i < count, in scratch memory.
template <typename Index>
Rows arrange_rows(Context& context, const Rows& from, int64_t count, Index&& index) {
  const auto fill = [&](const auto* source) {
    using Pointer = std::remove_const_t<std::remove_reference_t<decltype(*source)>>;
    auto* out = static_cast<Pointer*>(context.scratch(static_cast<size_t>(count) * sizeof(Pointer)));
    for (int64_t i = 0; i < count; ++i) out[i] = source[index(i)];
    return out;
  };
  if (from.pairs) return {nullptr, fill(from.pairs)};
  return {fill(from.plain), nullptr};
}

// Weight rows [n0, n1) times all x rows, by panels of x that stay in the second-level cache.
// `out` is a scratch array of row pointers, out[m] at the output of weight row 0.
void multiply_rows(const Kernels& leaf, const Matrix& w, int64_t n0, int64_t n1, float* const* out, Rows x, int64_t M);

}  // namespace hadal::cpu
