// add_rms_norm: residual += delta, out = norm(residual)·weight, the residual staying F32.
#include "core/check.h"
#include "cpu/norm.h"
#include "cpu/ops.h"

namespace hadal::cpu {

namespace {

void check(const OpCall& call) {
  expect_tensor(call, "add_rms_norm", 1, "residual", kFloat, {-1, -1});
  const int64_t T = call[1].shape[0], D = call[1].shape[1];
  expect_tensor(call, "add_rms_norm", 0, "out", kFloat, {T, D});
  expect_tensor(call, "add_rms_norm", 2, "delta", kFloat, {T, D});
  expect_dense(call, "add_rms_norm", 3, "weight", kWeight, {D});
  expect_finite(call, "add_rms_norm", 0, "eps");
}

void reference(Context&, const OpCall& call) {
  for (int64_t t = 0; t < call[1].shape[0]; ++t) {
    auto* residual = call[1].row<float>(t);
    for (int64_t i = 0; i < call[1].shape[1]; ++i) residual[i] += call[2].row<float>(t)[i];
    norm_row_reference(call[0].row<float>(t), residual, call[3], call[1].shape[1], call.attribute(0));
  }
}

void fast(Context& context, const OpCall& call) {
  const int64_t D = call[1].shape[1];
  const float* weight = norm_weight(context, call[3]);
  const Kernels& leaf = leaves(context);
  context.pool.parallel_for(call[1].shape[0], grain_for(D), [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      auto* residual = call[1].row<float>(t);
      leaf.add(residual, residual, call[2].row<float>(t), D);
      norm_row(leaf, call[0].row<float>(t), residual, weight, D, call.attribute(0));
    }
  });
}

}  // namespace

const HostOp add_rms_norm_op = {"add_rms_norm", 4, 4, 2, 1, check, reference, fast};

}  // namespace hadal::cpu
