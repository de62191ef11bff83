// gqa_attention: grouped-query attention; query head h reads KV head h / (H / G).
#include "cpu/attention.h"
#include "core/check.h"
#include "cpu/ops.h"

namespace hadal::cpu {

namespace {

constexpr const char* kName = "gqa_attention";

void check(const OpCall& call) {
  expect_tensor(call, kName, 1, "q", kFloat, {-1, -1, -1});
  const int64_t T = call[1].shape[0], H = call[1].shape[1], d = call[1].shape[2];
  const int64_t G = whole_attribute(call, kName, 0, "kv heads", 1, H);
  HADAL_EXPECT(H % G == 0, "%s: kv heads: expected a divisor of %lld query heads, got %lld", kName,
               static_cast<long long>(H), static_cast<long long>(G));
  expect_tensor(call, kName, 0, "out", kFloat, {T, H, -1});
  expect_tensor(call, kName, 2, "k_cache", kCache, {-1, 64, G * d});
  expect_tensor(call, kName, 3, "v_cache", {call[2].dtype}, {call[2].shape[0], 64, G * call[0].shape[2]});
  check_attention_indices(call, kName, 4, T);
  expect_finite(call, kName, 1, "softmax scale");
}

Attention problem(const OpCall& call) {
  return {kName,
          call[2],
          call[3],
          static_cast<int64_t>(call.attribute(0)),
          call[1].shape[1],
          call[1].shape[2],
          call[0].shape[2],
          call[4],
          call[5],
          call[6],
          call.attribute(1),
          call[0],
          call[1],
          Tensor{}};
}

void reference(Context&, const OpCall& call) { attention_reference(problem(call)); }
void fast(Context& context, const OpCall& call) { attention_fast(context, problem(call)); }

}  // namespace

const HostOp gqa_attention_op = {kName, 7, 7, 1, 2, check, reference, fast};

}  // namespace hadal::cpu
