#include "cpu/product.h"

#include <algorithm>
#include <vector>

namespace hadal::cpu {

namespace {

constexpr int64_t kPanelFloats = 128 << 10;  // 512 KB of x, a quarter of a 2 MB L2
constexpr int64_t kGroup = 8;                // weight rows that stay in cache while the panel passes
constexpr int64_t kConvertFrom = 8;          // rows of x from which converting the weights first pays

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

}  // namespace

void multiply_rows(const Kernels& leaf, const Matrix& w, int64_t n0, int64_t n1, float* const* out,
                   const float* const* x, int64_t M) {
  const int64_t panel = std::max<int64_t>(4, kPanelFloats / std::max<int64_t>(w.K, 1) / 4 * 4);
  float* shifted[64];
  for (int64_t m0 = 0; m0 < M; m0 += panel) {
    const int64_t m1 = std::min(M, m0 + panel);
    for (int64_t n = n0; n < n1; n += kGroup) {
      const int64_t rows = std::min(kGroup, n1 - n);
      const Group group = prepare(leaf, w, n, rows, m1 - m0);
      for (int64_t m = m0; m < m1; m += 64) {
        const int64_t count = std::min<int64_t>(64, m1 - m);
        for (int64_t i = 0; i < count; ++i) shifted[i] = out[m + i] + n;
        group.gemm({shifted, x + m, group.w, w.K, w.scale_row(n), w.scale_stride(), n, w.block_rows,
                    w.block_columns, count, rows, w.K});
      }
    }
  }
}

}  // namespace hadal::cpu
