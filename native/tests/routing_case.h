// Cases of gated_top_k that every backend is held against: scorings, groups, biases, ties and hostile logits, with a
// sorting double-precision definition written here. An id has no tolerance; a weight may differ by the rounding of
// its score.
#pragma once

#include <algorithm>
#include <numeric>

#include "tests/case.h"

namespace hadal::testing {

struct Gate {
  int64_t E, K;
  bool softmax = false;
  int64_t groups = 1, kept = 1;
  int group_score = 0;  // 0 none, 1 max, 2 sum of the top two
  bool normalise = true;
  double scale = 1;

  std::vector<double> attributes() const {
    return {softmax ? 1.0 : 0.0,
            static_cast<double>(groups),
            static_cast<double>(kept),
            static_cast<double>(group_score),
            normalise ? 1.0 : 0.0,
            scale};
  }
};

struct Routing {
  Gate gate;
  Array logits, ids, weights;
  std::vector<Array> bias;

  Routing(const Gate& g, Array l, int64_t padding = 0)
      : gate(g),
        logits(DType::F32, l.shape(), padding),
        ids(DType::I32, {l.shape()[0], g.K}),
        weights(DType::F32, {l.shape()[0], g.K}) {
    for (int64_t i = 0; i < l.size(); ++i) logits.set(i, l.f32(i));
  }
  int64_t T() const { return logits.shape()[0]; }
  Call call() {
    std::vector<std::vector<Tensor>> args = {{ids.view()}, {weights.view()}, {logits.view()}};
    if (!bias.empty()) args.push_back({bias[0].view()});
    return {"gated_top_k", args, gate.attributes()};
  }
  int32_t id(int64_t i) { return ids.at<int32_t>(i); }
};

inline Array row(std::initializer_list<float> values) {
  Array a(DType::F32, {1, static_cast<int64_t>(values.size())});
  int64_t i = 0;
  for (const float v : values) a.set(i++, v);
  return a;
}

inline Array line(std::initializer_list<float> values) {
  Array a(DType::F32, {static_cast<int64_t>(values.size())});
  int64_t i = 0;
  for (const float v : values) a.set(i++, v);
  return a;
}

inline std::vector<double> scores(const Gate& gate, const std::vector<double>& logits) {
  std::vector<double> s;
  double total = 0;
  for (const double x : logits) s.push_back(gate.softmax ? std::exp(x) : 1 / (1 + std::exp(-x)));
  for (const double x : s) total += x;
  if (gate.softmax)
    for (double& x : s) x /= total;
  return s;
}

// Indices by descending value, lower index first among equals.
inline std::vector<int64_t> order(const std::vector<float>& values) {
  std::vector<int64_t> by(values.size());
  std::iota(by.begin(), by.end(), 0);
  std::stable_sort(by.begin(), by.end(), [&](int64_t a, int64_t b) {
    return values[static_cast<size_t>(a)] > values[static_cast<size_t>(b)];
  });
  return by;
}

inline std::vector<char> kept_groups(const Gate& gate, const std::vector<float>& choice) {
  const int64_t size = gate.E / gate.groups;
  std::vector<float> best;
  for (int64_t g = 0; g < gate.groups; ++g) {
    std::vector<float> group(choice.begin() + g * size, choice.begin() + (g + 1) * size);
    std::sort(group.rbegin(), group.rend());
    best.push_back(gate.group_score == 2 && size > 1 ? group[0] + group[1] : group[0]);
  }
  std::vector<char> kept(static_cast<size_t>(gate.groups), gate.group_score == 0);
  const std::vector<int64_t> by = order(best);
  for (int64_t i = 0; i < gate.kept; ++i) kept[static_cast<size_t>(by[static_cast<size_t>(i)])] = 1;
  return kept;
}

// One token, by sorting. Selection compares in F32, as the definition says, so that ties are the same ties.
inline bool routed_well(Routing& r, int64_t t) {
  const Gate& gate = r.gate;
  std::vector<double> logits;
  for (int64_t e = 0; e < gate.E; ++e) logits.push_back(r.logits.f32(t * gate.E + e));
  const std::vector<double> s = scores(gate, logits);
  std::vector<float> choice;
  for (int64_t e = 0; e < gate.E; ++e)
    choice.push_back(static_cast<float>(s[static_cast<size_t>(e)]) + (r.bias.empty() ? 0 : r.bias[0].f32(e)));
  const std::vector<char> kept = kept_groups(gate, choice);
  std::vector<int64_t> chosen;
  for (const int64_t e : order(choice))
    if (kept[static_cast<size_t>(e / (gate.E / gate.groups))] && static_cast<int64_t>(chosen.size()) < gate.K)
      chosen.push_back(e);
  double total = 0;
  for (const int64_t e : chosen) total += s[static_cast<size_t>(e)];
  for (int64_t k = 0; k < gate.K; ++k) {
    const int64_t e = chosen[static_cast<size_t>(k)];
    const double want = s[static_cast<size_t>(e)] / (gate.normalise ? total + 1e-20 : 1) * gate.scale;
    const double got = r.weights.f32(t * gate.K + k);
    if (r.id(t * gate.K + k) == e && std::fabs(got - want) <= 4 * 0x1p-24 * std::fabs(want)) continue;
    std::printf("  E %ld K %ld token %ld place %ld: expected %ld with %.9g, got %d with %.9g\n",
                static_cast<long>(gate.E), static_cast<long>(gate.K), static_cast<long>(t), static_cast<long>(k),
                static_cast<long>(e), want, r.id(t * gate.K + k), got);
    return false;
  }
  return true;
}

inline std::vector<Gate> gates() {
  std::vector<Gate> all;
  for (const bool softmax : {false, true}) {
    for (const bool normalise : {false, true}) {
      const double scale = normalise ? 2.5 : 1;
      const std::pair<int64_t, int64_t> sizes[] = {{1, 1}, {2, 1}, {3, 3}, {7, 2}, {8, 8}, {65, 5}, {256, 8}};
      for (const auto& [E, K] : sizes)
        all.push_back({E, K, softmax, 1, 1, 0, normalise, scale});
      for (const int score : {0, 1, 2}) {
        all.push_back({256, 8, softmax, 8, 4, score, normalise, scale});  // V3
        all.push_back({160, 6, softmax, 8, 3, score, normalise, 16});     // V2
        all.push_back({12, 6, softmax, 4, 2, score, normalise, scale});   // every expert of the kept groups
        all.push_back({12, 4, softmax, 3, 3, score, normalise, scale});   // all groups kept
        all.push_back({10, 3, softmax, 10, 4, score, normalise, scale});  // groups of one
        all.push_back({33, 8, softmax, 3, 1, score, normalise, -0.5});
      }
    }
  }
  return all;
}

// How a backend runs the cases: on so many tokens a case, each case under `named`. `run` fills ids and weights;
// `expect` runs and holds every token against the definition.
struct RoutingCases {
  std::function<void(const std::string&, const std::function<void()>&)> named;
  std::function<void(Routing&)> run, expect;
  int64_t tokens;
};

inline void routing_value_cases(const RoutingCases& cases) {
  // 0: no bias; small ones that change the choice; negative ones larger than every score.
  for (const float size : {0.0f, 0.3f, -5.0f}) {
    char name[100];
    std::snprintf(name, sizeof name, "every scoring, grouping and weighting, bias around %g",
                  static_cast<double>(size));
    cases.named(name, [&] {
      uint64_t seed = 1;
      for (const Gate& gate : gates()) {
        Random random(++seed);
        Routing r(gate, random.array(DType::F32, {cases.tokens, gate.E}, 2), seed % 2 ? 3 : 0);
        if (size != 0) r.bias.push_back(random.array(DType::F32, {gate.E}, 0.3f));
        if (size < 0)
          for (int64_t e = 0; e < gate.E; ++e) r.bias[0].set(e, size - std::fabs(r.bias[0].f32(e)));
        cases.expect(r);
        if (!current_ok) return;
      }
    });
  }
  cases.named("logits of a few values only, so that experts and groups tie everywhere", [&] {
    uint64_t seed = 100;
    for (const Gate& gate : gates()) {
      Random random(++seed);
      Array logits(DType::F32, {cases.tokens, gate.E});
      for (int64_t i = 0; i < logits.size(); ++i) logits.set(i, static_cast<float>(random.below(3)));
      Routing r(gate, logits);
      cases.expect(r);
      if (!current_ok) return;
    }
  });
}

// ids of one token, weights left in the routing.
inline void expect_ids(const RoutingCases& cases, Routing r, std::initializer_list<int32_t> want) {
  cases.run(r);
  int64_t k = 0;
  for (const int32_t id : want) CHECK(r.id(k++) == id);
}

inline void routing_by_hand_cases(const RoutingCases& cases) {
  cases.named("the lowest index wins a tie, among experts, groups, and experts of different groups", [&] {
    expect_ids(cases, {{6, 4}, row({1, 1, 1, 1, 1, 1})}, {0, 1, 2, 3});
    expect_ids(cases, {{6, 3}, row({0, 2, 1, 2, 1, 2})}, {1, 3, 5});
    expect_ids(cases, {{6, 3, false, 3, 2, 1}, row({0, 1, 0, 1, 0, 1})}, {1, 3, 0});
    expect_ids(cases, {{6, 2, false, 3, 1, 2}, row({0, 1, 1, 0, 0, 1})}, {1, 0});
    expect_ids(cases, {{6, 4, true, 3, 2, 2}, row({1, 1, 2, 2, 2, 2})}, {2, 3, 4, 5});
    expect_ids(cases, {{256, 8, false, 8, 4, 2}, Array(DType::F32, {1, 256})}, {0, 1, 2, 3, 4, 5, 6, 7});
  });
  cases.named("the two group scores disagree where one expert shines alone", [&] {
    expect_ids(cases, {{6, 1, false, 2, 1, 1}, row({3, -9, -9, 2, 2, 2})}, {0});
    expect_ids(cases, {{6, 1, false, 2, 1, 2}, row({3, -9, -9, 2, 2, 2})}, {3});
    expect_ids(cases, {{6, 2, false, 2, 1, 0}, row({3, -9, -9, 2, 2, 2})}, {0, 3});  // no group score: no groups
  });
  cases.named("a bias changes the choice, also of groups, and never a weight", [&] {
    for (const bool normalise : {false, true}) {
      Routing r({4, 2, false, 1, 1, 0, normalise, 3}, row({0, 0, 0, 0}));
      r.bias.push_back(line({0, 100, 0, 50}));
      expect_ids(cases, r, {1, 3});
      cases.run(r);
      for (int64_t k = 0; k < 2; ++k) CHECK(r.weights.f32(k) == 1.5f);  // sigmoid(0)·3, or 3/2
    }
    Routing grouped({4, 2, false, 2, 1, 2}, row({5, 5, 0, 0}));
    grouped.bias.push_back(line({0, 0, 1, 1}));
    expect_ids(cases, grouped, {2, 3});
  });
  cases.named("negative biases larger than the scores still leave out the groups that are not kept", [&] {
    // Masking with 0 instead of −∞ would choose the experts that were left out.
    Routing r({6, 2, false, 3, 1, 2}, row({0, 0, 4, 4, 0, 0}));
    r.bias.push_back(line({-9, -9, -8, -8, -9, -9}));
    expect_ids(cases, r, {2, 3});
  });
  cases.named("experts that are left out come before none at all, by index; groups of one score as they are", [&] {
    expect_ids(cases, {{4, 2, false, 2, 1, 1}, row({0, 0, 1, NAN})}, {2, 0});
    expect_ids(cases, {{4, 2, false, 4, 2, 2}, row({0, 1, 2, 3})}, {3, 2});
  });
  cases.named("scores that underflow to zero give weights of zero and not NaN", [&] {
    Routing r({3, 2, false}, row({-2000, -3000, -4000}));
    expect_ids(cases, r, {0, 1});
    cases.run(r);
    CHECK(r.weights.f32(0) == 0 && r.weights.f32(1) == 0);
    Routing soft({3, 2, true}, row({1e4f, -1e4f, 1e4f}));
    expect_ids(cases, soft, {0, 2});
    cases.run(soft);
    CHECK(soft.weights.f32(0) == 0.5f && soft.weights.f32(1) == 0.5f);
  });
}

inline void routing_hostile_cases(const RoutingCases& cases) {
  const float odd[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 0, 1};
  cases.named("NaN and infinite logits and biases: ids stay in range and apart", [&] {
    for (const Gate& gate : gates()) {
      Random random(9);
      Array logits(DType::F32, {std::max<int64_t>(cases.tokens, 8), gate.E});
      for (int64_t i = 0; i < logits.size(); ++i) logits.set(i, odd[i / gate.E < 7 ? i / gate.E : random.below(7)]);
      for (const bool biased : {false, true}) {
        Routing r(gate, logits);
        if (biased) {
          r.bias.emplace_back(DType::F32, Shape{gate.E});
          for (int64_t e = 0; e < gate.E; ++e) r.bias[0].set(e, odd[random.below(7)]);
        }
        cases.run(r);
        CHECK(r.ids.guards_intact() && r.weights.guards_intact());
        for (int64_t t = 0; t < r.T() && current_ok; ++t) {
          std::vector<int32_t> seen;
          for (int64_t k = 0; k < gate.K; ++k) seen.push_back(r.id(t * gate.K + k));
          std::sort(seen.begin(), seen.end());
          CHECK(seen.front() >= 0 && seen.back() < gate.E);
          CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
        }
      }
    }
  });
  cases.named("a NaN logit is not chosen before a number, and its token alone suffers", [&] {
    expect_ids(cases, {{5, 3}, row({NAN, 1, NAN, -5, 2})}, {4, 1, 3});
    expect_ids(cases, {{6, 2, false, 3, 1, 1}, row({NAN, NAN, NAN, -4, NAN, -5})}, {3});
    expect_ids(cases, {{4, 2, true}, row({NAN, 1, 2, 3})}, {0, 1});  // softmax: every score is NaN
    Random random(3);
    Routing clean({8, 2, true}, random.array(DType::F32, {5, 8}));
    Routing dirty = clean;
    dirty.logits.set(2 * 8 + 3, NAN);
    cases.run(clean);
    cases.run(dirty);
    for (int64_t i = 0; i < 10; ++i) {
      if (i / 2 == 2) CHECK(std::isnan(dirty.weights.f32(i)));
      else CHECK(dirty.id(i) == clean.id(i) && dirty.weights.f32(i) == clean.weights.f32(i));
    }
  });
}

}  // namespace hadal::testing
