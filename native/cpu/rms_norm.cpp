// rms_norm: each row of x normalised by its root mean square, FP32 inside, times the weight.
#include "core/check.h"
#include "cpu/norm.h"
#include "cpu/ops.h"

namespace hadal::cpu {

namespace {

void check(const OpCall& call) {
  expect_tensor(call, "rms_norm", 1, "x", kFloat, {-1, -1});
  expect_tensor(call, "rms_norm", 0, "out", kFloat, {call[1].shape[0], call[1].shape[1]});
  expect_dense(call, "rms_norm", 2, "weight", kWeight, {call[1].shape[1]});
  expect_finite(call, "rms_norm", 0, "eps");
}

void reference(Context&, const OpCall& call) {
  for (int64_t t = 0; t < call[1].shape[0]; ++t)
    norm_row_reference(call[0].row<float>(t), call[1].row<float>(t), call[2], call[1].shape[1], call.attribute(0));
}

void fast(Context& context, const OpCall& call) {
  const int64_t D = call[1].shape[1];
  const float* weight = norm_weight(context, call[2]);
  const Kernels& leaf = leaves(context);
  context.pool.parallel_for(call[1].shape[0], grain_for(D), [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t)
      norm_row(leaf, call[0].row<float>(t), call[1].row<float>(t), weight, D, call.attribute(0));
  });
}

}  // namespace

const HostOp rms_norm_op = {"rms_norm", 3, 3, 1, 1, check, reference, fast};

}  // namespace hadal::cpu
