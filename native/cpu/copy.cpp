// copy: out = a, row by row, F32 or I32; used to keep what the next layer would overwrite.
#include <cstring>

#include "core/check.h"
#include "cpu/leaves.h"
#include "cpu/ops.h"

namespace hadal::cpu {

namespace {

void check(const OpCall& call) {
  expect_tensor(call, "copy", 1, "a", {DType::F32, DType::I32}, {-1, -1});
  expect_tensor(call, "copy", 0, "out", {DType::F32, DType::I32}, {call[1].shape[0], call[1].shape[1]});
  HADAL_EXPECT(call[0].dtype == call[1].dtype, "copy: out: expected the dtype of a, %s, got %s",
               dtype_name(call[1].dtype), dtype_name(call[0].dtype));
}

void reference(Context&, const OpCall& call) {
  const auto bytes = static_cast<size_t>(call[1].shape[1]) * 4;
  for (int64_t t = 0; t < call[1].shape[0]; ++t) std::memmove(call[0].row<float>(t), call[1].row<float>(t), bytes);
}

void fast(Context& context, const OpCall& call) {
  const auto bytes = static_cast<size_t>(call[1].shape[1]) * 4;
  context.pool.parallel_for(call[1].shape[0], grain_for(call[1].shape[1]), [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) std::memmove(call[0].row<float>(t), call[1].row<float>(t), bytes);
  });
}

}  // namespace

const HostOp copy_op = {"copy", 2, 2, 1, 0, check, reference, fast};

}  // namespace hadal::cpu
