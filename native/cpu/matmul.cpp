// matmul: out[T,n] = x[T,k]·w[n,k]ᵀ + bias[n]; w is F32, BF16 or F16.
#include "cpu/matmul.h"

#include <algorithm>

#include "core/check.h"
#include "cpu/ops.h"

namespace hadal::cpu {

void matmul_reference(const Tensor& out, const Tensor& x, const Matrix& w, const Tensor* bias) {
  for (int64_t t = 0; t < x.shape[0]; ++t) {
    for (int64_t n = 0; n < w.N; ++n) {
      double sum = 0;
      for (int64_t k = 0; k < w.K; ++k) sum += static_cast<double>(x.row<float>(t)[k]) * w.at(n, k);
      if (bias) sum += weight_at(bias->data, bias->dtype, n);
      out.row<float>(t)[n] = static_cast<float>(sum);
    }
  }
}

void matmul_fast(Context& context, const Tensor& out, const Tensor& x, const Matrix& w, const Tensor* bias) {
  const int64_t T = x.shape[0];
  if (T == 0) return;
  auto** rows = static_cast<float**>(context.scratch(2 * static_cast<size_t>(T) * sizeof(float*)));
  const auto** inputs = const_cast<const float**>(rows + T);
  for (int64_t t = 0; t < T; ++t) {
    rows[t] = out.row<float>(t);
    inputs[t] = x.row<float>(t);
  }
  const Kernels& leaf = leaves(context);
  context.pool.parallel_for(w.N, task_rows(w), [&](int64_t n0, int64_t n1, int) {
    multiply_rows(leaf, w, n0, n1, rows, {inputs}, T);
    if (!bias) return;
    for (int64_t t = 0; t < T; ++t)
      for (int64_t n = n0; n < n1; ++n) rows[t][n] += weight_at(bias->data, bias->dtype, n);
  });
}

namespace {

void check(const OpCall& call) {
  expect_tensor(call, "matmul", 1, "x", kFloat, {-1, -1});
  expect_dense(call, "matmul", 2, "w", kWeight, {-1, call[1].shape[1]});
  expect_tensor(call, "matmul", 0, "out", kFloat, {call[1].shape[0], call[2].shape[0]});
  if (call.has(3)) expect_dense(call, "matmul", 3, "bias", kWeight, {call[2].shape[0]});
}

void reference(Context&, const OpCall& call) {
  matmul_reference(call[0], call[1], matrix_of(call[2], nullptr, 1, 1), call.has(3) ? &call[3] : nullptr);
}

void fast(Context& context, const OpCall& call) {
  matmul_fast(context, call[0], call[1], matrix_of(call[2], nullptr, 1, 1), call.has(3) ? &call[3] : nullptr);
}

}  // namespace

const HostOp matmul_op = {"matmul", 3, 4, 1, 0, check, reference, fast};

}  // namespace hadal::cpu
