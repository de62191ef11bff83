// swiglu: out = silu(gate)·up, over [T,F] or [T,K,F].
#include <cmath>

#include "core/check.h"
#include "cpu/leaves.h"
#include "cpu/ops.h"

namespace hadal::cpu {

namespace {

void check(const OpCall& call) {
  const bool pairs = call.has(1) && call[1].rank == 3;
  for (size_t i = 0; i < 3; ++i) {
    const char* name = i == 0 ? "out" : i == 1 ? "gate" : "up";
    if (pairs) expect_tensor(call, "swiglu", i, name, kFloat, {call[1].shape[0], call[1].shape[1], call[1].shape[2]});
    else expect_tensor(call, "swiglu", i, name, kFloat, {call[1].shape[0], call[1].shape[1]});
  }
}

// Row r of a [T,F] or [T,K,F] tensor, counting pairs.
float* row(const Tensor& t, int64_t r) {
  if (t.rank == 2) return t.row<float>(r);
  return t.row<float>(r / t.shape[1]) + r % t.shape[1] * t.strides[1];
}

int64_t row_count(const Tensor& t) { return t.rank == 2 ? t.shape[0] : t.shape[0] * t.shape[1]; }

void reference(Context&, const OpCall& call) {
  const int64_t F = call[0].shape[call[0].rank - 1];
  for (int64_t r = 0; r < row_count(call[0]); ++r) {
    for (int64_t i = 0; i < F; ++i) {
      const double g = row(call[1], r)[i];
      row(call[0], r)[i] = static_cast<float>(g / (1 + std::exp(-g)) * row(call[2], r)[i]);
    }
  }
}

void fast(Context& context, const OpCall& call) {
  const int64_t F = call[0].shape[call[0].rank - 1];
  context.pool.parallel_for(row_count(call[0]), grain_for(F * 4), [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) leaves(context).swiglu(row(call[0], r), row(call[1], r), row(call[2], r), F);
  });
}

}  // namespace

const HostOp swiglu_op = {"swiglu", 3, 3, 1, 0, check, reference, fast};

}  // namespace hadal::cpu
