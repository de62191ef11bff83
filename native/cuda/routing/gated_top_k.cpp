// Launcher of gated_top_k: see gated_top_k.h.
#include "cuda/routing/gated_top_k.h"

#include <algorithm>
#include <cmath>

namespace hadal::cuda {
namespace {

void expect_range(const char* what, int32_t value, int32_t low, int32_t high) {
  HADAL_EXPECT(value >= low && value <= high, "gated_top_k: %s: expected %d to %d, got %d", what, low, high, value);
}

void check(const GatedTopKParams& p) {
  expect_range("tokens", p.tokens, 0, INT32_MAX / kGatedTopKMaxExperts);
  expect_range("experts", p.experts, 1, kGatedTopKMaxExperts);
  expect_range("groups", p.groups, 1, p.experts);
  expect_range("groups kept", p.groups_kept, 1, p.groups);
  expect_range("group score", p.group_score, 0, 2);
  HADAL_EXPECT(p.experts % p.groups == 0, "gated_top_k: groups: expected a divisor of %d experts, got %d",
               p.experts, p.groups);
  expect_range("experts per token", p.chosen, 1,
               std::min(kGatedTopKMaxChosen, p.experts / p.groups * p.groups_kept));
  HADAL_EXPECT(std::isfinite(p.scale), "gated_top_k: scale: expected a finite number, got %g",
               static_cast<double>(p.scale));
  HADAL_EXPECT(p.logits_stride >= p.experts, "gated_top_k: logits: expected rows at least %d apart, got %lld",
               p.experts, static_cast<long long>(p.logits_stride));
}

bool aligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % 16 == 0; }

const Kernel& instance(int32_t slots) {
  if (slots <= 2) return kGatedTopK2;
  if (slots <= 5) return kGatedTopK5;
  if (slots <= 8) return kGatedTopK8;
  return slots <= 12 ? kGatedTopK12 : kGatedTopK16;
}

}  // namespace

void gated_top_k(Queue& queue, GatedTopKParams params) {
  check(params);
  if (params.group_score == 0 || params.groups_kept == params.groups)
    params.groups = params.groups_kept = 1;  // no group is left out
  HADAL_EXPECT(params.groups <= 32 && (params.groups & (params.groups - 1)) == 0,
               "gated_top_k: groups: expected 1, 2, 4, 8, 16 or 32 on CUDA, got %d", params.groups);
  const int32_t size = params.experts / params.groups, lanes = 32 / params.groups;
  params.by_16_bytes = size % 4 == 0 && params.logits_stride % 4 == 0 && aligned(params.logits) &&
                       aligned(params.bias);
  Launch launch;
  constexpr int32_t kWarps = kGatedTopKThreads / 32;
  // Twice the multiprocessors at most: then a block's own counts are worth their while.
  launch.grid.x = static_cast<uint32_t>(std::min((params.tokens + kWarps - 1) / kWarps, 264));
  launch.shared_bytes = kGatedTopKMaxExperts * sizeof(int32_t);
  launch.dependent = true;
  queue.launch(instance((size + lanes - 1) / lanes), launch, params);
}

}  // namespace hadal::cuda
