// fp8_matmul: out[T,n] = x[T,k]·(w[n,k] × scale)ᵀ + bias[n]; w is E4M3, scale one F32 per block, partial at
// the edges. Activations stay F32: nothing is quantised on the CPU.
#include "core/check.h"
#include "cpu/matmul.h"
#include "cpu/ops.h"

namespace hadal::cpu {

namespace {

Matrix weight(const OpCall& call) {
  return matrix_of(call[2], &call[3], static_cast<int64_t>(call.attribute(0)),
                   static_cast<int64_t>(call.attribute(1)));
}

void check(const OpCall& call) {
  expect_tensor(call, "fp8_matmul", 1, "x", kFloat, {-1, -1});
  expect_dense(call, "fp8_matmul", 2, "w", {DType::F8_E4M3}, {-1, call[1].shape[1]});
  expect_weight(call, "fp8_matmul", 2, 3, call[2].shape[0], call[2].shape[1], 0);
  expect_tensor(call, "fp8_matmul", 0, "out", kFloat, {call[1].shape[0], call[2].shape[0]});
  if (call.has(4)) expect_dense(call, "fp8_matmul", 4, "bias", kWeight, {call[2].shape[0]});
}

void reference(Context&, const OpCall& call) {
  matmul_reference(call[0], call[1], weight(call), call.has(4) ? &call[4] : nullptr);
}

void fast(Context& context, const OpCall& call) {
  matmul_fast(context, call[0], call[1], weight(call), call.has(4) ? &call[4] : nullptr);
}

}  // namespace

const HostOp fp8_matmul_op = {"fp8_matmul", 4, 5, 1, 2, check, reference, fast};

}  // namespace hadal::cpu
