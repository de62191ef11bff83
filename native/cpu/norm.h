// y = x · rsqrt(mean(x²) + eps) · w, what rms_norm and add_rms_norm share.
#pragma once

#include <cmath>
#include <limits>

#include "cpu/convert.h"
#include "cpu/leaves.h"

namespace hadal::cpu {

inline double sum_squares_reference(const float* x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

inline void norm_row_reference(float* y, const float* x, const Tensor& weight, int64_t n, double eps) {
  const double r = 1.0 / std::sqrt(sum_squares_reference(x, n) / static_cast<double>(n) + eps);
  for (int64_t i = 0; i < n; ++i)
    y[i] = static_cast<float>(x[i] * r * weight_at(weight.data, weight.dtype, i));
}

inline void norm_row(const Kernels& leaf, float* y, const float* x, const float* weight, int64_t n,
                     double eps) {
  double sum = leaf.sum_squares(x, n);
  // Squares that leave F32 (|x| from about 1e18, or all below 1e-16) are summed again in double.
  if (!(sum >= 1e-30 && sum <= std::numeric_limits<float>::max())) sum = sum_squares_reference(x, n);
  leaf.scale_mul(y, static_cast<float>(1.0 / std::sqrt(sum / static_cast<double>(n) + eps)), x, weight, n);
}

// The norm's weight as floats, in the op's scratch.
inline const float* norm_weight(Context& context, const Tensor& weight) {
  const int64_t n = weight.shape[0];
  if (weight.dtype == DType::F32) return weight.as<float>();
  auto* w = static_cast<float*>(context.scratch(static_cast<size_t>(n) * sizeof(float)));
  leaves(context).convert_row[static_cast<int>(weight.dtype)](w, weight.data, n);
  return w;
}

}  // namespace hadal::cpu
