// gated_top_k: which experts each token goes to, and with what weight. FP32 throughout, lowest index wins a
// tie. Few hundred values a token: one body is oracle and fast form alike, threaded over tokens.
// Sources: V3 inference/model.py Gate; V2 form in deepseek_v2 (softmax, group maximum).
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "cpu/leaves.h"
#include "cpu/ops.h"

namespace hadal::cpu {

namespace {

constexpr const char* kName = "gated_top_k";
constexpr float kLowest = -std::numeric_limits<float>::infinity();

enum Attribute : size_t { kScoring, kGroups, kGroupsKept, kGroupScore, kNormalise, kScale };

void check(const OpCall& call) {
  expect_tensor(call, kName, 2, "logits", kFloat, {-1, -1});
  const int64_t T = call[2].shape[0], E = call[2].shape[1];
  expect_dense(call, kName, 0, "ids", kInt, {T, -1});
  const int64_t K = call[0].shape[1];
  expect_dense(call, kName, 1, "weights", kFloat, {T, K});
  if (call.has(3)) expect_dense(call, kName, 3, "bias", kFloat, {E});
  whole_attribute(call, kName, kScoring, "scoring", 0, 1);
  const int64_t groups = whole_attribute(call, kName, kGroups, "groups", 1, E);
  const int64_t kept = whole_attribute(call, kName, kGroupsKept, "groups kept", 1, groups);
  whole_attribute(call, kName, kGroupScore, "group score", 0, 2);
  whole_attribute(call, kName, kNormalise, "normalise", 0, 1);
  expect_finite(call, kName, kScale, "scale");
  HADAL_EXPECT(E % groups == 0, "%s: groups: expected a divisor of %lld experts, got %lld", kName,
               static_cast<long long>(E), static_cast<long long>(groups));
  HADAL_EXPECT(K >= 1 && K <= E / groups * kept, "%s: ids: expected 1 to %lld experts per token, got %lld", kName,
               static_cast<long long>(E / groups * kept), static_cast<long long>(K));
}

void score(float* s, const float* logits, int64_t E, bool softmax) {
  if (!softmax) {
    for (int64_t e = 0; e < E; ++e) s[e] = static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(logits[e]))));
    return;
  }
  double sum = 0;
  const double top = *std::max_element(logits, logits + E);
  for (int64_t e = 0; e < E; ++e) sum += std::exp(logits[e] - top);
  for (int64_t e = 0; e < E; ++e) s[e] = static_cast<float>(std::exp(logits[e] - top) / sum);
}

// Index of the largest value; the lowest index wins a tie. Values already taken are −inf and `taken`.
int64_t largest(const float* values, const bool* taken, int64_t n) {
  int64_t best = -1;
  for (int64_t i = 0; i < n; ++i)
    if (!taken[i] && (best < 0 || values[i] > values[best])) best = i;
  return best;
}

float group_score(const float* s, int64_t n, bool two) {
  float first = kLowest, second = kLowest;
  for (int64_t i = 0; i < n; ++i) {
    if (s[i] > first) {
      second = first;
      first = s[i];
    } else if (s[i] > second) {
      second = s[i];
    }
  }
  return two && n > 1 ? first + second : first;
}

struct Scratch {
  float* scores;  // [E] unbiased
  float* choice;  // [E] biased, masked
  float* groups;  // [groups]
  bool* taken;    // [E]
};

void keep_groups(const OpCall& call, const Scratch& s, int64_t E) {
  const auto groups = static_cast<int64_t>(call.attribute(kGroups));
  const auto kept = static_cast<int64_t>(call.attribute(kGroupsKept));
  const int64_t size = E / groups;
  if (call.attribute(kGroupScore) == 0 || kept == groups) return;
  for (int64_t g = 0; g < groups; ++g) {
    s.groups[g] = group_score(s.choice + g * size, size, call.attribute(kGroupScore) == 2);
    if (std::isnan(s.groups[g])) s.groups[g] = kLowest;
  }
  std::fill(s.taken, s.taken + groups, false);
  for (int64_t i = 0; i < kept; ++i) s.taken[largest(s.groups, s.taken, groups)] = true;
  for (int64_t e = 0; e < E; ++e)
    if (!s.taken[e / size]) s.choice[e] = kLowest;
}

void route(const OpCall& call, const Scratch& s, int64_t t) {
  const int64_t E = call[2].shape[1], K = call[0].shape[1];
  score(s.scores, call[2].row<float>(t), E, call.attribute(kScoring) == 1);
  for (int64_t e = 0; e < E; ++e) {
    s.choice[e] = s.scores[e] + (call.has(3) ? call[3].as<float>()[e] : 0.0f);
    if (std::isnan(s.choice[e])) s.choice[e] = kLowest;  // a NaN must not choose, nor hang the search
  }
  keep_groups(call, s, E);
  std::fill(s.taken, s.taken + E, false);
  auto* ids = call[0].row<int32_t>(t);
  auto* weights = call[1].row<float>(t);
  double sum = 0;
  for (int64_t k = 0; k < K; ++k) {
    const int64_t e = largest(s.choice, s.taken, E);
    s.taken[e] = true;
    ids[k] = static_cast<int32_t>(e);
    weights[k] = s.scores[e];
    sum += s.scores[e];
  }
  const double factor = call.attribute(kScale) / (call.attribute(kNormalise) == 1 ? sum + 1e-20 : 1.0);
  for (int64_t k = 0; k < K; ++k) weights[k] = static_cast<float>(weights[k] * factor);
}

void run(Context& context, const OpCall& call) {
  const int64_t T = call[2].shape[0], E = call[2].shape[1];
  const auto threads = static_cast<size_t>(context.pool.threads());
  const size_t each = static_cast<size_t>(E) * 16;  // three float rows and the flags
  auto* memory = static_cast<char*>(context.scratch(threads * each));
  context.pool.parallel_for(T, grain_for(E * 16), [&](int64_t begin, int64_t end, int thread) {
    auto* f = reinterpret_cast<float*>(memory + static_cast<size_t>(thread) * each);
    const Scratch s{f, f + E, f + 2 * E, reinterpret_cast<bool*>(f + 3 * E)};
    for (int64_t t = begin; t < end; ++t) route(call, s, t);
  });
}

}  // namespace

const HostOp gated_top_k_op = {kName, 3, 4, 2, 6, check, run, run};

}  // namespace hadal::cpu
