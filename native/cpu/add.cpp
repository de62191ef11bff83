// add: out = a + b. Exact in both precisions, so one body serves as oracle and as vector form.
#include "core/check.h"
#include "cpu/leaves.h"
#include "cpu/ops.h"

namespace hadal::cpu {

namespace {

void check(const OpCall& call) {
  expect_tensor(call, "add", 1, "a", kFloat, {-1, -1});
  expect_tensor(call, "add", 0, "out", kFloat, {call[1].shape[0], call[1].shape[1]});
  expect_tensor(call, "add", 2, "b", kFloat, {call[1].shape[0], call[1].shape[1]});
}

void reference(Context&, const OpCall& call) {
  for (int64_t t = 0; t < call[0].shape[0]; ++t)
    for (int64_t i = 0; i < call[0].shape[1]; ++i)
      call[0].row<float>(t)[i] = call[1].row<float>(t)[i] + call[2].row<float>(t)[i];
}

void fast(Context& context, const OpCall& call) {
  const int64_t D = call[0].shape[1];
  context.pool.parallel_for(call[0].shape[0], grain_for(D), [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t)
      leaves(context).add(call[0].row<float>(t), call[1].row<float>(t), call[2].row<float>(t), D);
  });
}

}  // namespace

const HostOp add_op = {"add", 3, 3, 1, 0, check, reference, fast};

}  // namespace hadal::cpu
