#include "cpu/product.h"

#include <algorithm>

namespace hadal::cpu {

void multiply_rows(const Kernels& leaf, const Matrix& w, int64_t n0, int64_t n1, float* const* out,
                   const float* const* x, int64_t M) {
  constexpr int64_t kPanelFloats = 128 << 10;  // 512 KB of x, a quarter of a 2 MB L2
  constexpr int64_t kGroup = 8;                // weight rows that stay in L1 while the panel passes
  const int64_t panel = std::max<int64_t>(4, kPanelFloats / std::max<int64_t>(w.K, 1) / 4 * 4);
  float* shifted[64];
  for (int64_t m0 = 0; m0 < M; m0 += panel) {
    const int64_t m1 = std::min(M, m0 + panel);
    for (int64_t n = n0; n < n1; n += kGroup) {
      for (int64_t m = m0; m < m1; m += 64) {
        const int64_t count = std::min<int64_t>(64, m1 - m);
        for (int64_t i = 0; i < count; ++i) shifted[i] = out[m + i] + n;
        leaf.gemm[static_cast<int>(w.dtype)]({shifted, x + m, w.row(n), w.K, w.scale_row(n), w.scale_stride(), n,
                                              w.block_rows, w.block_columns, count, std::min(kGroup, n1 - n),
                                              w.K});
      }
    }
  }
}

}  // namespace hadal::cpu
