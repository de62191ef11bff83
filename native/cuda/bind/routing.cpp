// gated_top_k, permute_tokens, combine_experts.
#include "cuda/bind/bind.h"
#include "cuda/routing/combine_experts.h"
#include "cuda/routing/gated_top_k.h"
#include "cuda/routing/permute_tokens.h"

namespace hadal::cuda {
namespace {

enum Attribute : size_t { kScoring, kGroups, kGroupsKept, kGroupScore, kNormalise, kScale };

void shapes_gated_top_k(const OpCall& call) {
  constexpr const char* kName = "gated_top_k";
  expect_tensor(call, kName, 2, "logits", kFloat, {-1, -1});
  const int64_t T = call[2].shape[0], E = call[2].shape[1];
  expect_dense(call, kName, 0, "ids", kInt, {T, -1});
  expect_dense(call, kName, 1, "weights", kFloat, {T, call[0].shape[1]});
  if (call.has(3)) expect_dense(call, kName, 3, "bias", kFloat, {E});
  whole_attribute(call, kName, kScoring, "scoring", 0, 1);
  const int64_t groups = whole_attribute(call, kName, kGroups, "groups", 1, E);
  whole_attribute(call, kName, kGroupsKept, "groups kept", 1, groups);
  whole_attribute(call, kName, kGroupScore, "group score", 0, 2);
  whole_attribute(call, kName, kNormalise, "normalise", 0, 1);
}

void run_gated_top_k(Context& context, const OpCall& call) {
  const auto whole = [&](Attribute i) { return static_cast<int32_t>(call.attribute(i)); };
  GatedTopKParams p{};
  p.ids = call[0].as<int32_t>();
  p.weights = call[1].as<float>();
  p.logits = call[2].as<float>();
  p.bias = call.has(3) ? call[3].as<float>() : nullptr;
  p.logits_stride = call[2].strides[0];
  p.tokens = small("gated_top_k", call[2].shape[0]);
  p.experts = small("gated_top_k", call[2].shape[1]);
  p.chosen = small("gated_top_k", call[0].shape[1]);
  p.groups = whole(kGroups);
  p.groups_kept = whole(kGroupsKept);
  p.group_score = whole(kGroupScore);
  p.softmax = whole(kScoring);
  p.normalise = whole(kNormalise);
  p.scale = static_cast<float>(call.attribute(kScale));
  gated_top_k(context.queue, p);
}

void shapes_permute_tokens(const OpCall& call) {
  expect_dense(call, "permute_tokens", 2, "ids", kInt, {-1, -1});
  expect_dense(call, "permute_tokens", 0, "offsets", kInt, {-1});
  expect_dense(call, "permute_tokens", 1, "rows", kInt, {call[2].shape[0], call[2].shape[1]});
  HADAL_EXPECT(call[0].shape[0] >= 2, "permute_tokens: offsets: expected at least 2 entries, got %lld",
               static_cast<long long>(call[0].shape[0]));
}

void run_permute_tokens(Context& context, const OpCall& call) {
  const int64_t pairs = call[2].shape[0] * call[2].shape[1], experts = call[0].shape[0] - 1;
  PermuteTokensParams p{};
  p.offsets = call[0].as<int32_t>();
  p.rows = call[1].as<int32_t>();
  p.ids = call[2].as<int32_t>();
  p.pairs = small("permute_tokens", pairs);
  p.experts = small("permute_tokens", experts);
  if (const int64_t words = permute_tokens_scratch(pairs, experts); words > 0)
    p.scratch = context.scratch<int32_t>(static_cast<uint64_t>(words) * sizeof(int32_t));
  permute_tokens(context.queue, p);
}

void shapes_combine_experts(const OpCall& call) {
  constexpr const char* kName = "combine_experts";
  expect_tensor(call, kName, 1, "y", kActivation, {-1, -1, -1});
  const int64_t T = call[1].shape[0], K = call[1].shape[1], D = call[1].shape[2];
  expect_tensor(call, kName, 0, "out", {call[1].dtype}, {T, D});
  expect_tensor(call, kName, 2, "weights", kFloat, {T, K});
  if (call.has(3)) expect_tensor(call, kName, 3, "add", {call[1].dtype}, {T, D});
}

void run_combine_experts(Context& context, const OpCall& call) {
  CombineExpertsParams p{};
  p.out = call[0].data;
  p.y = call[1].data;
  p.weights = call[2].as<float>();
  p.add = call.has(3) ? call[3].data : nullptr;
  p.out_stride = call[0].strides[0];
  p.y_stride = row_stride("combine_experts", call[1]);
  p.weights_stride = call[2].strides[0];
  p.add_stride = call.has(3) ? call[3].strides[0] : 0;
  p.tokens = small("combine_experts", call[1].shape[0]);
  p.chosen = small("combine_experts", call[1].shape[1]);
  p.width = small("combine_experts", call[1].shape[2]);
  combine_experts(context.queue, call[1].dtype, p);
}

}  // namespace

const CudaOp combine_experts_op = make_op<shapes_combine_experts, run_combine_experts>("combine_experts", 3, 4, 1, 0);
const CudaOp permute_tokens_op = make_op<shapes_permute_tokens, run_permute_tokens>("permute_tokens", 3, 3, 2, 0);
const CudaOp gated_top_k_op = make_op<shapes_gated_top_k, run_gated_top_k>("gated_top_k", 3, 4, 2, 6);

}  // namespace hadal::cuda
