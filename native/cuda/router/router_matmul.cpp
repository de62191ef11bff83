// Launcher of router_matmul: see router_matmul.h.
#include "cuda/router/router_matmul.h"

#include <algorithm>

#include "cuda/rows_check.h"

namespace hadal::cuda {

namespace {

constexpr const char* kOp = "router_matmul";

struct Choice {
  const Kernel& kernel;
  int32_t experts, tokens;  // of a block
  bool many;
};

// By tokens alone: the bits are the same in all.
Choice choose(DType x, int32_t tokens) {
  const bool wide = x == DType::F32;
  if (tokens <= 4) return {wide ? kRouterMatmul2F32 : kRouterMatmul2Bf16, 2, wide ? 2 : 4, false};
  if (tokens <= 32) return {wide ? kRouterMatmul4F32 : kRouterMatmul4Bf16, 4, wide ? 2 : 4, false};
  return {wide ? kRouterMatmul8F32 : kRouterMatmul8Bf16, 8, 4, true};
}

void check(DType x, const RouterMatmulParams& p) {
  if (x != DType::BF16 && x != DType::F32) no_instance(kOp, dtype_name(x));
  const auto bytes = static_cast<int64_t>(dtype_size(x));
  expect_row_count(kOp, p.tokens);
  expect_width(kOp, p.width, 8, kRouterMaxWidth);
  HADAL_EXPECT(p.experts > 0, "%s: experts: expected one or more, got %d", kOp, p.experts);
  expect_rows(kOp, "x", p.x, p.tokens, p.width * bytes, p.x_stride * bytes);
  expect_rows(kOp, "logits", p.logits, p.tokens, 4 * int64_t{p.experts}, 4 * p.logits_stride, 4);
  expect_pointer(kOp, "weight", p.weight, 16);
}

}  // namespace

void router_matmul(Queue& queue, DType x, const RouterMatmulParams& p) {
  check(x, p);
  const Choice choice = choose(x, p.tokens);
  const uint32_t across = blocks_for(p.experts, choice.experts), down = blocks_for(p.tokens, choice.tokens);
  Launch launch;
  // Many tokens: two blocks on each of 132 SMs at most, each with several tiles for its weights.
  launch.grid.x = across;
  launch.grid.y = choice.many ? std::min(down, std::max(1u, 2 * 132 / across)) : down;
  launch.shared_bytes = kRouterThreads / 32 * sizeof(float) * static_cast<uint32_t>(choice.experts * choice.tokens);
  launch.dependent = true;
  queue.launch(choice.kernel, launch, p);
}

}  // namespace hadal::cuda
