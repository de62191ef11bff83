// What the tests of the products share: seeded scales, sums in double, and the bound that F32 must keep.
// Values are held in the arrays of case.h.
#pragma once

#include "tests/rows.h"

namespace hadal::testing {

// Rows and columns of an FP8 scale block.
struct Blocks {
  int64_t rows, columns;
  int64_t across(int64_t k) const { return (k + columns - 1) / columns; }
};

inline Array random_scales(Random& random, int64_t n, int64_t k, Blocks blocks) {
  Array s(DType::F32, {(n + blocks.rows - 1) / blocks.rows, blocks.across(k)});
  for (int64_t i = 0; i < s.size(); ++i) s.set(i, static_cast<float>(0.001 + 0.01 * random.uniform()));
  return s;
}

// All elements of w, times their scale where there is one.
inline std::vector<double> weight_values(const Array& w, const Array* scale, Blocks blocks) {
  const int64_t k = w.shape()[1];
  std::vector<double> values(static_cast<size_t>(w.size()));
  for (int64_t i = 0; i < w.size(); ++i) {
    const int64_t block = i / k / blocks.rows * blocks.across(k) + i % k / blocks.columns;
    values[static_cast<size_t>(i)] = static_cast<double>(w.f32(i)) * (scale ? scale->f32(block) : 1.0f);
  }
  return values;
}

// Values that BF16 holds: grouped_gemm may round x to BF16, which leaves these as they are.
inline Array held_by_bf16(Array a) {
  for (int64_t i = 0; i < a.size(); ++i) a.set(i, cpu::bf16_to_f32(cpu::f32_to_bf16(a.f32(i))));
  return a;
}

// A sum in double with the sum of its terms' magnitudes.
struct Sum {
  double value = 0, magnitude = 0;
  int64_t terms = 0;
  void add(double term) {
    value += term;
    magnitude += std::fabs(term);
    ++terms;
  }
  // Whether F32 could have come to `got`: n · 2⁻²⁴ · Σ|term| bounds every order of additions; eight more
  // for the products, the scale, the bias and the sum over the lanes.
  bool allows(double got) const {
    return std::fabs(got - value) <= static_cast<double>(terms + 8) * 0x1p-24 * magnitude + 1e-30;
  }
};

inline void expect_sums(const Array& out, const std::vector<Sum>& sums) {
  for (int64_t i = 0; i < out.size(); ++i) {
    const Sum& sum = sums[static_cast<size_t>(i)];
    if (sum.allows(out.f32(i))) continue;
    std::printf("  element %ld: expected %g, got %g\n", static_cast<long>(i), sum.value, out.f32(i));
    CHECK(false);
    return;
  }
  CHECK(out.guards_intact());
}

}  // namespace hadal::testing
