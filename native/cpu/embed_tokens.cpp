// embed_tokens: out[t] = table[ids[t]], converted to F32.
#include "core/check.h"
#include "cpu/convert.h"
#include "cpu/leaves.h"
#include "cpu/ops.h"

namespace hadal::cpu {

namespace {

void check(const OpCall& call) {
  expect_dense(call, "embed_tokens", 1, "ids", kInt, {-1});
  expect_dense(call, "embed_tokens", 2, "table", kWeight, {-1, -1});
  expect_tensor(call, "embed_tokens", 0, "out", kFloat, {call[1].shape[0], call[2].shape[1]});
}

void reference(Context&, const OpCall& call) {
  expect_indices(call[1], "embed_tokens", "ids", 0, call[2].shape[0]);
  const int64_t D = call[2].shape[1];
  for (int64_t t = 0; t < call[1].shape[0]; ++t)
    for (int64_t i = 0; i < D; ++i)
      call[0].row<float>(t)[i] = weight_at(call[2].data, call[2].dtype, call[1].as<int32_t>()[t] * D + i);
}

void fast(Context& context, const OpCall& call) {
  expect_indices(call[1], "embed_tokens", "ids", 0, call[2].shape[0]);
  const int64_t D = call[2].shape[1], row_bytes = D * static_cast<int64_t>(dtype_size(call[2].dtype));
  const auto convert = leaves(context).convert_row[static_cast<int>(call[2].dtype)];
  context.pool.parallel_for(call[1].shape[0], grain_for(D), [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t)
      convert(call[0].row<float>(t), call[2].as<char>() + call[1].as<int32_t>()[t] * row_bytes, D);
  });
}

}  // namespace

const HostOp embed_tokens_op = {"embed_tokens", 3, 3, 1, 0, check, reference, fast};

}  // namespace hadal::cpu
