// gated_top_k.
#include "cuda/bind/bind.h"
#include "cuda/routing/gated_top_k.h"

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

}  // namespace

const CudaOp gated_top_k_op = make_op<shapes_gated_top_k, run_gated_top_k>("gated_top_k", 3, 4, 2, 6);

}  // namespace hadal::cuda
