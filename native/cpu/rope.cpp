// rope: rotates x[t,h,:] in place by position·inv_freq. Style 0 turns neighbours (x[2i], x[2i+1]), as
// DeepSeek's MLA does; style 1 turns halves (x[i], x[i+R/2]), as Llama and Qwen do. Angles are computed in
// double, so positions of 10⁵ keep their phase; both precisions share that and differ in nothing.
#include <cmath>

#include "core/check.h"
#include "cpu/leaves.h"
#include "cpu/ops.h"

namespace hadal::cpu {

namespace {

void check(const OpCall& call) {
  expect_tensor(call, "rope", 0, "x", kFloat, {-1, -1, -1});
  const int64_t R = call[0].shape[2];
  HADAL_EXPECT(R > 0 && R % 2 == 0, "rope: x: expected an even last dimension, got %lld", static_cast<long long>(R));
  expect_dense(call, "rope", 1, "positions", kInt, {call[0].shape[0]});
  expect_dense(call, "rope", 2, "inv_freq", kFloat, {R / 2});
  whole_attribute(call, "rope", 0, "style", 0, 1);
  expect_finite(call, "rope", 1, "factor");
}

void rotate_token(const OpCall& call, int64_t t) {
  const Tensor& x = call[0];
  const int64_t half = x.shape[2] / 2;
  const bool halves = call.attribute(0) == 1;
  for (int64_t i = 0; i < half; ++i) {
    const double angle = static_cast<double>(call[1].as<int32_t>()[t]) * call[2].as<float>()[i];
    const auto c = static_cast<float>(std::cos(angle) * call.attribute(1));
    const auto s = static_cast<float>(std::sin(angle) * call.attribute(1));
    const int64_t first = halves ? i : 2 * i, second = halves ? i + half : 2 * i + 1;
    for (int64_t h = 0; h < x.shape[1]; ++h) {
      float* v = x.row<float>(t) + h * x.strides[1];
      const float a = v[first], b = v[second];
      v[first] = a * c - b * s;
      v[second] = a * s + b * c;
    }
  }
}

void reference(Context&, const OpCall& call) {
  for (int64_t t = 0; t < call[0].shape[0]; ++t) rotate_token(call, t);
}

void fast(Context& context, const OpCall& call) {
  const int64_t cost = call[0].shape[2] * (16 + call[0].shape[1]);
  context.pool.parallel_for(call[0].shape[0], grain_for(cost), [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) rotate_token(call, t);
  });
}

}  // namespace

const HostOp rope_op = {"rope", 3, 3, 1, 2, check, reference, fast};

}  // namespace hadal::cpu
