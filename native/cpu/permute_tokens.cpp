// permute_tokens: a stable counting sort of the pairs (t·K + k) by expert. Integers only, so one body.
#include <algorithm>

#include "core/check.h"
#include "cpu/ops.h"

namespace hadal::cpu {

namespace {

void check(const OpCall& call) {
  expect_dense(call, "permute_tokens", 2, "ids", kInt, {-1, -1});
  expect_dense(call, "permute_tokens", 0, "offsets", kInt, {-1});
  expect_dense(call, "permute_tokens", 1, "rows", kInt, {call[2].shape[0], call[2].shape[1]});
  HADAL_EXPECT(call[0].shape[0] >= 2, "permute_tokens: offsets: expected at least 2 entries, got %lld",
               static_cast<long long>(call[0].shape[0]));
}

void run(Context&, const OpCall& call) {
  const int64_t E = call[0].shape[0] - 1, pairs = call[2].shape[0] * call[2].shape[1];
  expect_indices(call[2], "permute_tokens", "ids", 0, E);
  auto* offsets = call[0].as<int32_t>();
  auto* rows = call[1].as<int32_t>();
  const auto* ids = call[2].as<int32_t>();
  std::fill(offsets, offsets + E + 1, 0);
  for (int64_t p = 0; p < pairs; ++p) ++offsets[ids[p] + 1];
  for (int64_t e = 0; e < E; ++e) offsets[e + 1] += offsets[e];
  // offsets[e] serves as expert e's cursor and ends at offsets[e+1]; shifting restores it.
  for (int64_t p = 0; p < pairs; ++p) rows[offsets[ids[p]]++] = static_cast<int32_t>(p);
  for (int64_t e = E; e > 0; --e) offsets[e] = offsets[e - 1];
  offsets[0] = 0;
}

}  // namespace

const HostOp permute_tokens_op = {"permute_tokens", 3, 3, 2, 0, check, run, run};

}  // namespace hadal::cpu
