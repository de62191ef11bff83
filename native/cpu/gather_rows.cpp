// gather_rows: out[n] = x[rows[n]].
#include <cstring>

#include "core/check.h"
#include "cpu/leaves.h"
#include "cpu/ops.h"

namespace hadal::cpu {

namespace {

void check(const OpCall& call) {
  expect_tensor(call, "gather_rows", 1, "x", kFloat, {-1, -1});
  expect_dense(call, "gather_rows", 2, "rows", kInt, {-1});
  expect_tensor(call, "gather_rows", 0, "out", kFloat, {call[2].shape[0], call[1].shape[1]});
}

// A copy has no other form; the oracle and the vector form are one.
void run(Context&, const OpCall& call) {
  expect_indices(call[2], "gather_rows", "rows", 0, call[1].shape[0]);
  for (int64_t n = 0; n < call[2].shape[0]; ++n)
    std::memcpy(call[0].row<float>(n), call[1].row<float>(call[2].as<int32_t>()[n]),
                static_cast<size_t>(call[1].shape[1]) * 4);
}

}  // namespace

const HostOp gather_rows_op = {"gather_rows", 3, 3, 1, 0, check, run, run};

}  // namespace hadal::cpu
