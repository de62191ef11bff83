#include "cpu/product.h"

#include <algorithm>
#include <vector>

namespace hadal::cpu {

namespace {

constexpr int64_t kPanelBytes = 512 << 10;  // of x: half of a 1 MB second-level cache
constexpr int64_t kTurn = 64;               // columns that the BF16 leaves read at a time

int64_t turns(int64_t columns) { return (columns + kTurn - 1) / kTurn * kTurn; }

bool in_pairs(const Kernels& leaf, const Matrix& w) {
  if (!leaf.pairs) return false;
  return w.dtype == DType::BF16 || (w.dtype == DType::F8_E4M3 && w.block_columns % kTurn == 0);
}

// Rows of x that stay in cache while the weights of a task pass.
int64_t panel_rows(int64_t row_bytes) {
  return std::max<int64_t>(8, kPanelBytes / std::max<int64_t>(row_bytes, 1) / 8 * 8);
}

// Runs gemm on slices of at most 64 rows, whose output pointers are moved to weight row n.
template <typename Gemm>
void by_slices(float* const* out, int64_t n, int64_t m0, int64_t m1, Gemm&& gemm) {
  float* shifted[64];
  for (int64_t m = m0; m < m1; m += 64) {
    const int64_t count = std::min<int64_t>(64, m1 - m);
    for (int64_t i = 0; i < count; ++i) shifted[i] = out[m + i] + n;
    gemm(shifted, m, count);
  }
}

// F32 products.

constexpr int64_t kConvertedBytes = 192 << 10;  // of converted weights, which the panel of x passes
constexpr int64_t kConvertFrom = 24;            // rows of x from which converting the weights first pays

// Memory of this thread that only grows.
template <typename T>
T* room(std::vector<T>& memory, int64_t count) {
  if (memory.size() < static_cast<size_t>(count)) memory.resize(static_cast<size_t>(count));
  return memory.data();
}

// Rows that lie together are never a multiple of 4 KB apart: all of a tile would want one set of the first-level
// cache, which has eight places.
int64_t apart(int64_t length, int64_t line) { return (length + line - 1) / line * line + line; }

// Rows of x times the scales of one row of blocks: done once for all weight rows that share them, which leaves
// a plain product. Without scales: copies, or the rows themselves where too few are read side by side.
const float* const* scale_rows(const Kernels& leaf, const Matrix& w, int64_t n, const float* const* x, int64_t M) {
  if (!w.scale && M < 4) return x;
  thread_local std::vector<float> memory;
  thread_local std::vector<const float*> rows;
  const int64_t stride = apart(turns(w.K), 16);
  const float** all = room(rows, M);
  float* row = room(memory, M * stride);
  for (int64_t m = 0; m < M; ++m, row += stride) {
    if (w.scale) leaf.scale_blocks(row, x[m], w.scale_row(n), w.block_columns, w.K);
    else std::copy(x[m], x[m] + w.K, row);
    all[m] = row;
  }
  return all;
}

// Weight rows [n, n + count) as F32 for the many rows of x that will meet them.
const float* convert_rows(const Kernels& leaf, const Matrix& w, int64_t n, int64_t count, int64_t stride) {
  thread_local std::vector<float> converted;
  float* const all = room(converted, count * stride);
  for (int64_t i = 0; i < count; ++i) {
    float* row = all + i * stride;
    if (w.scale) leaf.convert_codes(row, static_cast<const uint8_t*>(w.row(n + i)), w.K);
    else leaf.convert_row[static_cast<int>(w.dtype)](row, w.row(n + i), w.K);
  }
  return all;
}

// Weight rows [n0, n1), which share their scales, by one panel of x.
void multiply_panel(const Kernels& leaf, const Matrix& w, int64_t n0, int64_t n1, float* const* out,
                    const float* const* x, int64_t M) {
  const bool convert = M >= kConvertFrom && w.dtype != DType::F32;
  const int64_t length = convert && w.scale ? turns(w.K) : w.K;
  const int64_t stride = convert ? apart(length, 16) : w.K;
  const int64_t group = std::clamp<int64_t>(kConvertedBytes / (length * 4) / 6 * 6, 6, 24);
  for (int64_t n = n0; n < n1; n += group) {
    const int64_t rows = std::min(group, n1 - n);
    const void* weights = convert ? convert_rows(leaf, w, n, rows, stride) : w.row(n);
    const auto gemm = convert ? leaf.gemm_converted : leaf.gemm[static_cast<int>(w.dtype)];
    by_slices(out, n, 0, M, [&](float* const* to, int64_t m, int64_t count) {
      gemm({to, x + m, weights, stride, count, rows, length});
    });
  }
}

void multiply_plain(const Kernels& leaf, const Matrix& w, int64_t n0, int64_t n1, float* const* out,
                    const float* const* x, int64_t M) {
  const int64_t panel = panel_rows(w.K * 4);
  for (int64_t m0 = 0; m0 < M; m0 += panel) {
    const int64_t rows = std::min(panel, M - m0);
    for (int64_t n = n0, end = 0; n < n1; n = end) {
      end = w.scale ? std::min(n1, (n / w.block_rows + 1) * w.block_rows) : n1;
      multiply_panel(leaf, w, n, end, out + m0, scale_rows(leaf, w, n, x + m0, rows), rows);
    }
  }
}

// BF16 products.

constexpr int64_t kPairGroupBytes = 96 << 10;  // of converted weights, which the panel of x passes
constexpr int64_t kPairConvertFrom = 9;        // rows of x from which converting FP8 first pays

// Weight rows [n, n + count) as BF16, in the order of packed rows of x and as long as those.
const uint16_t* convert_pairs(const PairKernels& pairs, const Matrix& w, int64_t n, int64_t count, int64_t stride) {
  thread_local std::vector<uint16_t> converted;
  uint16_t* const all = room(converted, count * stride);
  for (int64_t i = 0; i < count; ++i)
    pairs.convert_codes(all + i * stride, static_cast<const uint8_t*>(w.row(n + i)), w.K);
  return all;
}

void multiply_pairs(const Kernels& leaf, const Matrix& w, int64_t n0, int64_t n1, float* const* out,
                    const uint16_t* const* x, int64_t M) {
  const PairKernels& pairs = *leaf.pairs;
  const int64_t padded = turns(w.K), panel = panel_rows(padded * 2);
  const int64_t group = std::clamp<int64_t>(kPairGroupBytes / (padded * 2) / 24 * 24, 24, 96);
  for (int64_t m0 = 0; m0 < M; m0 += panel) {
    const int64_t m1 = std::min(M, m0 + panel);
    const bool convert = w.scale && m1 - m0 >= kPairConvertFrom;
    const auto gemm = convert ? pairs.gemm_converted : w.scale ? pairs.gemm_e4m3 : pairs.gemm_bf16;
    const int64_t stride = convert ? apart(padded, 32) : w.K, length = convert ? padded : w.K;
    for (int64_t n = n0; n < n1; n += group) {
      const int64_t rows = std::min(group, n1 - n);
      const void* weights = convert ? convert_pairs(pairs, w, n, rows, stride) : w.row(n);
      by_slices(out, n, m0, m1, [&](float* const* to, int64_t m, int64_t count) {
        gemm({to, x + m, weights, stride, w.scale_row(n), w.scale_stride(), n, w.block_rows, w.block_columns, count,
              rows, length});
      });
    }
  }
}

}  // namespace

Rows round_rows(Context& context, const Matrix& w, const float* const* x, int64_t count) {
  const Kernels& leaf = leaves(context);
  if (!in_pairs(leaf, w)) return {x, nullptr};
  const int64_t stride = apart(turns(w.K), 32);
  auto* memory = static_cast<uint16_t*>(context.scratch(static_cast<size_t>(count * stride) * sizeof(uint16_t)));
  auto** rows = static_cast<const uint16_t**>(context.scratch(static_cast<size_t>(count) * sizeof(uint16_t*)));
  context.pool.parallel_for(count, grain_for(w.K), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      leaf.pairs->pack(memory + i * stride, x[i], w.K, w.scale != nullptr);
      rows[i] = memory + i * stride;
    }
  });
  return {nullptr, rows};
}

void multiply_rows(const Kernels& leaf, const Matrix& w, int64_t n0, int64_t n1, float* const* out, Rows x,
                   int64_t M) {
  if (x.pairs) multiply_pairs(leaf, w, n0, n1, out, x.pairs, M);
  else multiply_plain(leaf, w, n0, n1, out, x.plain, M);
}

}  // namespace hadal::cpu
