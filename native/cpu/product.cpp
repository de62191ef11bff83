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
  return std::max<int64_t>(4, kPanelBytes / std::max<int64_t>(row_bytes, 1) / 4 * 4);
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

constexpr int64_t kGroup = 8;        // weight rows that stay in cache while the panel passes
constexpr int64_t kConvertFrom = 8;  // rows of x from which converting the weights first pays

// Weight rows [n, n + count) as the leaf takes them; converted to F32 when many rows of x will meet them.
struct Group {
  void (*gemm)(const GemmArgs&);
  const void* w;
};

Group prepare(const Kernels& leaf, const Matrix& w, int64_t n, int64_t count, int64_t M) {
  const int type = static_cast<int>(w.dtype);
  if (M < kConvertFrom || w.dtype == DType::F32) return {leaf.gemm[type], w.row(n)};
  thread_local std::vector<float> converted;
  converted.resize(static_cast<size_t>(kGroup * w.K));
  for (int64_t i = 0; i < count; ++i) leaf.convert_row[type](converted.data() + i * w.K, w.row(n + i), w.K);
  return {w.scale ? leaf.gemm_converted : leaf.gemm[0], converted.data()};
}

void multiply_plain(const Kernels& leaf, const Matrix& w, int64_t n0, int64_t n1, float* const* out,
                    const float* const* x, int64_t M) {
  const int64_t panel = panel_rows(w.K * 4);
  for (int64_t m0 = 0; m0 < M; m0 += panel) {
    const int64_t m1 = std::min(M, m0 + panel);
    for (int64_t n = n0; n < n1; n += kGroup) {
      const int64_t rows = std::min(kGroup, n1 - n);
      const Group group = prepare(leaf, w, n, rows, m1 - m0);
      by_slices(out, n, m0, m1, [&](float* const* to, int64_t m, int64_t count) {
        group.gemm({to, x + m, group.w, w.K, w.scale_row(n), w.scale_stride(), n, w.block_rows, w.block_columns,
                    count, rows, w.K});
      });
    }
  }
}

// BF16 products.

constexpr int64_t kPairGroupBytes = 96 << 10;  // of converted weights, which the panel of x passes
constexpr int64_t kPairConvertFrom = 4;        // rows of x from which converting FP8 first pays

void multiply_pairs(const Kernels& leaf, const Matrix& w, int64_t n0, int64_t n1, float* const* out,
                    const uint16_t* const* x, int64_t M) {
  const PairKernels& pairs = *leaf.pairs;
  const int64_t padded = turns(w.K), panel = panel_rows(padded * 2);
  const int64_t group = std::clamp<int64_t>(kPairGroupBytes / (padded * 2) / 24 * 24, 24, 96);
  for (int64_t m0 = 0; m0 < M; m0 += panel) {
    const int64_t m1 = std::min(M, m0 + panel);
    const bool convert = w.scale && m1 - m0 >= kPairConvertFrom;
    for (int64_t n = n0; n < n1; n += group) {
      const int64_t rows = std::min(group, n1 - n);
      const void* weights = w.row(n);
      if (convert) {
        thread_local std::vector<uint16_t> converted;
        converted.resize(static_cast<size_t>(group * padded));
        for (int64_t i = 0; i < rows; ++i)
          pairs.convert_codes(converted.data() + i * padded, static_cast<const uint8_t*>(w.row(n + i)), w.K);
        weights = converted.data();
      }
      const auto gemm = convert ? pairs.gemm_converted : w.scale ? pairs.gemm_e4m3 : pairs.gemm_bf16;
      by_slices(out, n, m0, m1, [&](float* const* to, int64_t m, int64_t count) {
        // Converted rows are as long as x's, zeros at their end included: their order is not the columns'.
        const int64_t length = convert ? padded : w.K;
        gemm({to, x + m, weights, length, w.scale_row(n), w.scale_stride(), n, w.block_rows, w.block_columns, count,
              rows, length});
      });
    }
  }
}

}  // namespace

Rows round_rows(Context& context, const Matrix& w, const float* const* x, int64_t count) {
  const Kernels& leaf = leaves(context);
  if (!in_pairs(leaf, w)) return {x, nullptr};
  const int64_t padded = turns(w.K);
  auto* memory = static_cast<uint16_t*>(context.scratch(static_cast<size_t>(count * padded) * sizeof(uint16_t)));
  auto** rows = static_cast<const uint16_t**>(context.scratch(static_cast<size_t>(count) * sizeof(uint16_t*)));
  context.pool.parallel_for(count, grain_for(w.K), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      leaf.pairs->pack(memory + i * padded, x[i], w.K, w.scale != nullptr);
      rows[i] = memory + i * padded;
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
