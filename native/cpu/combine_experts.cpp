// combine_experts: out[t] = Σ_k weights[t,k]·y[t,k] + add[t], k ascending, add last.
#include "core/check.h"
#include "cpu/leaves.h"
#include "cpu/ops.h"

namespace hadal::cpu {

namespace {

constexpr const char* kName = "combine_experts";

void check(const OpCall& call) {
  expect_tensor(call, kName, 1, "y", kFloat, {-1, -1, -1});
  const int64_t T = call[1].shape[0], K = call[1].shape[1], D = call[1].shape[2];
  HADAL_EXPECT(K > 0, "%s: y: expected at least one expert per token, got %s", kName,
               call[1].describe().c_str());
  expect_tensor(call, kName, 0, "out", kFloat, {T, D});
  expect_tensor(call, kName, 2, "weights", kFloat, {T, K});
  if (call.has(3)) expect_tensor(call, kName, 3, "add", kFloat, {T, D});
}

void reference(Context&, const OpCall& call) {
  for (int64_t t = 0; t < call[1].shape[0]; ++t) {
    for (int64_t i = 0; i < call[1].shape[2]; ++i) {
      double sum = call.has(3) ? call[3].row<float>(t)[i] : 0;
      for (int64_t k = 0; k < call[1].shape[1]; ++k)
        sum += static_cast<double>(call[2].row<float>(t)[k]) * (call[1].row<float>(t) + k * call[1].strides[1])[i];
      call[0].row<float>(t)[i] = static_cast<float>(sum);
    }
  }
}

void fast(Context& context, const OpCall& call) {
  const int64_t K = call[1].shape[1], D = call[1].shape[2];
  const Kernels& leaf = leaves(context);
  context.pool.parallel_for(call[1].shape[0], grain_for(D * K), [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      float* out = call[0].row<float>(t);
      const float* y = call[1].row<float>(t);
      const float* weights = call[2].row<float>(t);
      leaf.scale(out, weights[0], y, D);
      for (int64_t k = 1; k < K; ++k) leaf.axpy(out, weights[k], y + k * call[1].strides[1], D);
      if (call.has(3)) leaf.add(out, out, call[3].row<float>(t), D);
    }
  });
}

}  // namespace

const HostOp combine_experts_op = {kName, 3, 4, 1, 0, check, reference, fast};

}  // namespace hadal::cpu
