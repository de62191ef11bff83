// mla_attention: absorbed multi-head latent attention. Every head sees one KV row of L + R values: the
// latent, which is key and value both, and the shared rotary key.
#include "cpu/attention.h"
#include "core/check.h"
#include "cpu/ops.h"

namespace hadal::cpu {

namespace {

constexpr const char* kName = "mla_attention";

void check(const OpCall& call) {
  expect_tensor(call, kName, 1, "q", kFloat, {-1, -1, -1});
  const int64_t T = call[1].shape[0], H = call[1].shape[1], L = call[1].shape[2];
  expect_tensor(call, kName, 2, "q_pe", kFloat, {T, H, -1});
  expect_tensor(call, kName, 0, "out", kFloat, {T, H, L});
  expect_tensor(call, kName, 3, "cache", kCache, {-1, 64, L + call[2].shape[2]});
  check_attention_indices(call, kName, 4, T);
  expect_finite(call, kName, 0, "softmax scale");
}

Attention problem(const OpCall& call) {
  const int64_t L = call[1].shape[2];
  return {kName,   call[3], call[3], 1,       call[1].shape[1],  L + call[2].shape[2], L,
          call[4], call[5], call[6], call.attribute(0), call[0], call[1],              call[2]};
}

void reference(Context&, const OpCall& call) { attention_reference(problem(call)); }
void fast(Context& context, const OpCall& call) { attention_fast(context, problem(call)); }

}  // namespace

const HostOp mla_attention_op = {kName, 7, 7, 1, 1, check, reference, fast};

}  // namespace hadal::cpu
