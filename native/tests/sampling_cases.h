// Cases of sample that every backend is held against: argmax and its ties, every step of the order, the distribution
// of many draws by chi-square, the reported logprobs, and logits that are not numbers.
#pragma once

#include "tests/sampling_case.h"

namespace hadal::testing {

// How a backend runs the cases, each under `named`: so many draws to meet all ids that are possible, so many for a
// distribution, and how far a logprob may be from a double's besides its own rounding.
struct SamplingCases {
  std::function<void(const std::string&, const std::function<void()>&)> named;
  std::function<void(Batch&)> run;
  int64_t support_draws, draws;
  double logprob_slack;
};

// The ids that many draws meet, ascending.
inline std::vector<int32_t> support(const SamplingCases& cases, const Row& row) {
  Batch batch = repeated(row, cases.support_draws, 17);
  cases.run(batch);
  std::vector<int32_t> met;
  for (int64_t n = 0; n < batch.N; ++n) met.push_back(batch.id(n));
  std::sort(met.begin(), met.end());
  met.erase(std::unique(met.begin(), met.end()), met.end());
  return met;
}

inline int32_t argmax(const SamplingCases& cases, Row row) {
  row.options.temperature = 0;
  Batch batch({row});
  cases.run(batch);
  return batch.id(0);
}

inline void sampling_argmax_cases(const SamplingCases& cases) {
  cases.named("temperature 0 takes the largest logit, the lowest id among equals, for every seed", [&] {
    Batch batch({{{1, 3, 2, 3, 3}, {0}, {}, {}},
                 {{-1, -1, -1, -1, -1}, {0}, {}, {}},
                 {{-5, -4, -3, -2, -1}, {0}, {}, {}}});
    for (uint64_t seed = 0; seed < 20; ++seed) {
      for (int64_t n = 0; n < 3; ++n) batch.seed(n, seed, seed);
      cases.run(batch);
      CHECK(batch.id(0) == 1 && batch.id(1) == 0 && batch.id(2) == 4);
    }
  });
  cases.named("a bias moves the argmax, adds up over repeated ids, and comes before the penalties", [&] {
    CHECK(argmax(cases, {{1, 2, 3}, {}, {}, {{0, 2.5f}}}) == 0);
    CHECK(argmax(cases, {{1, 2, 3}, {}, {}, {{0, 1.5f}, {0, 1.5f}}}) == 0);
    CHECK(argmax(cases, {{1, 2, 3}, {}, {}, {{2, -INFINITY}}}) == 1);
    Options halved;
    halved.repetition = 2;
    CHECK(argmax(cases, {{1, 2}, halved, {0}, {{0, 2}}}) == 1);  // (1 + 2) / 2 < 2 < 1 / 2 + 2
  });
  cases.named("a repetition penalty divides positive logits and multiplies negative ones, once per token", [&] {
    Options o;
    o.repetition = 2;
    CHECK(argmax(cases, {{4, 2.5f}, o, {0}, {}}) == 1);
    CHECK(argmax(cases, {{4, 1.5f}, o, {0, 0, 0}, {}}) == 0);
    CHECK(argmax(cases, {{-1, -1.5f}, o, {0}, {}}) == 1);
    CHECK(argmax(cases, {{-1, -2.5f}, o, {0, 0}, {}}) == 0);
    o.repetition = 0.5f;
    CHECK(argmax(cases, {{2, 3}, o, {0}, {}}) == 0);
  });
  cases.named("a presence penalty counts once, a frequency penalty per occurrence, apart or not", [&] {
    Options o;
    o.presence = 0.5f;
    CHECK(argmax(cases, {{2, 1.4f}, o, {0, 0, 0, 0}, {}}) == 0);
    CHECK(argmax(cases, {{2, 1.6f}, o, {0}, {}}) == 1);
    o.presence = 0;
    o.frequency = 0.25f;
    CHECK(argmax(cases, {{2, 1.3f, 0}, o, {0, 2, 0}, {}}) == 0);
    CHECK(argmax(cases, {{2, 1.3f, 0}, o, {0, 2, 0, 2, 0}, {}}) == 1);
    o.frequency = -0.25f;
    CHECK(argmax(cases, {{2, 1.3f, 0}, o, {1, 1, 1}, {}}) == 1);
    Options all;
    all.repetition = 2;
    all.presence = 0.25f;
    all.frequency = 0.25f;
    CHECK(argmax(cases, {{4, 1.2f}, all, {0, 0}, {}}) == 0);  // 4 / 2 − 0.25 − 0.5 = 1.25
    CHECK(argmax(cases, {{4, 1.3f}, all, {0, 0}, {}}) == 1);
  });
  cases.named("the penalties of one row do not reach another", [&] {
    Options o;
    o.temperature = 0;
    o.presence = 9;
    Batch batch({{{2, 1}, o, {}, {}}, {{2, 1}, o, {0}, {}}, {{2, 1}, o, {}, {{1, 5}}}, {{2, 1}, o, {}, {}}});
    cases.run(batch);
    CHECK(batch.id(0) == 0 && batch.id(1) == 1 && batch.id(2) == 1 && batch.id(3) == 0);
  });
}

inline void sampling_support_cases(const SamplingCases& cases) {
  const auto met = [&](const std::vector<float>& logits, const Options& o) { return support(cases, {logits, o, {}, {}}); };
  cases.named("top-k keeps k, the lowest ids among equals; 0 and more than all keep all", [&] {
    const std::vector<float> z = {1, 2, 2, 2, 1.5f};
    CHECK(met(z, {1, 1, 0}) == (std::vector<int32_t>{0, 1, 2, 3, 4}));
    CHECK(met(z, {1, 1, 5}) == (std::vector<int32_t>{0, 1, 2, 3, 4}));
    CHECK(met(z, {1, 1, 100}) == (std::vector<int32_t>{0, 1, 2, 3, 4}));
    CHECK(met(z, {1, 1, 4}) == (std::vector<int32_t>{1, 2, 3, 4}));
    CHECK(met(z, {1, 1, 2}) == (std::vector<int32_t>{1, 2}));
    CHECK(met(z, {1, 1, 1}) == (std::vector<int32_t>{1}));
  });
  cases.named("top-p keeps the shortest run that reaches p, at least one", [&] {
    CHECK(met({0, 0, 0, 0}, {1, 0.5f}) == (std::vector<int32_t>{0, 1}));
    CHECK(met({0, 0, 0, 0}, {1, 0.51f}) == (std::vector<int32_t>{0, 1, 2}));
    CHECK(met({0, 0, 0, 0}, {1, 1e-9f}) == (std::vector<int32_t>{0}));
    CHECK(met(logs({0.1, 0.2, 0.4, 0.3}), {1, 0.69f}) == (std::vector<int32_t>{2, 3}));
    CHECK(met(logs({0.1, 0.2, 0.4, 0.3}), {1, 0.71f}) == (std::vector<int32_t>{1, 2, 3}));
  });
  cases.named("top-p over more equal tokens than one sorted piece holds", [&] {
    const std::vector<float> z(1000, 0.5f);
    for (const auto& [p, kept] : {std::pair<float, int64_t>{0.1f, 101}, {0.2555f, 256}, {0.2565f, 257}, {0.5f, 500}}) {
      const std::vector<int32_t> ids = met(z, {1, p});
      CHECK(static_cast<int64_t>(ids.size()) <= kept && ids.back() < kept);
      if (cases.support_draws >= 3000) CHECK(static_cast<int64_t>(ids.size()) > kept * 9 / 10);
    }
  });
  cases.named("min-p keeps what reaches a part of the largest probability; 1 keeps the largest", [&] {
    CHECK(met(logs({0.5, 0.3, 0.2}), {1, 1, 0, 0.59f}) == (std::vector<int32_t>{0, 1}));
    CHECK(met(logs({0.5, 0.3, 0.2}), {1, 1, 0, 0.61f}) == (std::vector<int32_t>{0}));
    CHECK(met({1, 3, 3, 2}, {1, 1, 0, 1}) == (std::vector<int32_t>{1, 2}));
  });
  cases.named("temperature comes before min-p, top-k before top-p, top-p before min-p", [&] {
    CHECK(met({1, 0}, {2, 1, 0, 0.5f}) == (std::vector<int32_t>{0, 1}));  // e^−½ ≥ ½ > e^−1
    CHECK(met(logs({0.4, 0.3, 0.2, 0.1}), {1, 0.5f, 2}) == (std::vector<int32_t>{0}));         // 0.4 / 0.7 reaches ½
    CHECK(met(logs({0.4, 0.3, 0.2, 0.1}), {1, 0.5f, 0, 0.7f}) == (std::vector<int32_t>{0, 1}));  // 0.4 alone does not
  });
  cases.named("a tiny temperature takes the largest, a huge one all", [&] {
    CHECK(met({1, 1.001f, 1}, {1e-38f}) == (std::vector<int32_t>{1}));
    CHECK(met({1, 1.001f, 1}, {1e-45f}) == (std::vector<int32_t>{1}));
    CHECK(met({1, 5, -20}, {3e38f}) == (std::vector<int32_t>{0, 1, 2}));
  });
}

// Draws of one row against its distribution. Sum of squares over V − 1 degrees of freedom; with fixed seeds
// the result is the same on every machine, and five standard deviations leave no room for luck.
inline void expect_distribution(const SamplingCases& cases, const Row& row, const std::function<void(Batch&)>& reseed) {
  const int64_t draws = cases.draws;
  Batch batch = repeated(row, draws, 2024);
  reseed(batch);
  cases.run(batch);
  const std::vector<double> p = distribution(row);
  std::vector<double> met(p.size());
  for (int64_t n = 0; n < draws; ++n) met[static_cast<size_t>(batch.id(n))] += 1;
  double square = 0, freedom = -1;
  for (size_t i = 0; i < p.size(); ++i) {
    if (p[i] == 0) CHECK(met[i] == 0);
    if (p[i] == 0) continue;
    const double want = p[i] * static_cast<double>(draws);
    square += (met[i] - want) * (met[i] - want) / want;
    freedom += 1;
  }
  const double most = freedom + 5 * std::sqrt(2 * freedom);
  if (square > most) std::printf("  chi-square: expected at most %g, got %g\n", most, square);
  CHECK(square <= most);
}

inline void sampling_distribution_cases(const SamplingCases& cases) {
  Random random(31);
  std::vector<float> z;
  for (int i = 0; i < 12; ++i) z.push_back(1.5f * random.normal());
  const auto same = [](Batch&) {};
  cases.named("draws follow the distribution, with every option and all of them", [&] {
    const std::vector<int32_t> history = {3, 7, 3, 3, 1, 7};
    expect_distribution(cases, {z, {}, {}, {}}, same);
    expect_distribution(cases, {z, {0.6f}, {}, {}}, same);
    expect_distribution(cases, {z, {1.7f}, {}, {}}, same);
    expect_distribution(cases, {z, {1, 1, 5}, {}, {}}, same);
    expect_distribution(cases, {z, {1, 0.8f}, {}, {}}, same);
    expect_distribution(cases, {z, {1, 1, 0, 0.15f}, {}, {}}, same);
    expect_distribution(cases, {z, {1, 1, 0, 0, 1.4f}, history, {}}, same);
    expect_distribution(cases, {z, {1, 1, 0, 0, 1, 0.7f, 0.3f}, history, {}}, same);
    expect_distribution(cases, {z, {1, 1, 0, 0, 1, -0.7f, -0.3f}, history, {}}, same);
    expect_distribution(cases, {z, {}, {}, {{2, 1.5f}, {9, -2}, {2, 0.5f}, {5, -INFINITY}}}, same);
    expect_distribution(cases, {z, {0.8f, 0.92f, 9, 0.04f, 1.2f, 0.2f, 0.1f}, history, {{2, 1.5f}, {9, -2}}}, same);
  });
  cases.named("each word of seed and counter by itself gives independent draws", [&] {
    for (int64_t word = 0; word < 4; ++word) {
      expect_distribution(cases, {z, {}, {}, {}}, [&](Batch& batch) {
        for (int64_t n = 0; n < batch.N; ++n) {
          for (int64_t i = 0; i < 4; ++i) batch.seeds.at<int32_t>(4 * n + i) = 5;
          batch.seeds.at<int32_t>(4 * n + word) = static_cast<int32_t>(n) - 10000;
        }
      });
    }
  });
  cases.named("successive draws of one seed do not lean on each other", [&] {
    Batch batch = repeated({{0, 0, 0, 0}, {}, {}, {}}, cases.draws + 1, 5);
    cases.run(batch);
    double pairs[16] = {}, square = 0;
    const double want = static_cast<double>(cases.draws) / 16;
    for (int64_t n = 0; n < cases.draws; ++n) pairs[batch.id(n) * 4 + batch.id(n + 1)] += 1;
    for (const double met : pairs) square += (met - want) * (met - want) / want;
    CHECK(square < 15 + 5 * std::sqrt(30.0));
  });
}

// log-softmax of the raw logits in double, to the last bit of F32 and the slack of the backend.
inline bool logprob_is(const SamplingCases& cases, float got, const std::vector<float>& logits, size_t id) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const float z : logits) total += std::exp(z - top);
  const double want = logits[id] - top - std::log(total);
  return got == want || std::fabs(got - want) <= 0x1p-24 * std::fabs(want) + cases.logprob_slack;
}

inline bool reports_well(const SamplingCases& cases, Batch& batch, int64_t n, const Row& row) {
  if (!logprob_is(cases, batch.logprobs.f32(n), row.logits, static_cast<size_t>(batch.id(n)))) return false;
  std::vector<size_t> by(row.logits.size());
  std::iota(by.begin(), by.end(), 0);
  std::stable_sort(by.begin(), by.end(), [&](size_t a, size_t b) { return row.logits[a] > row.logits[b]; });
  const auto have = std::min(static_cast<size_t>(row.options.wanted), by.size());
  for (size_t i = 0; i < 20; ++i) {
    const int64_t at = 20 * n + static_cast<int64_t>(i);
    if (i < have) {
      if (batch.top_ids.at<int32_t>(at) != static_cast<int32_t>(by[i])) return false;
      if (!logprob_is(cases, batch.top_logprobs.f32(at), row.logits, by[i])) return false;
    } else if (batch.top_ids.at<int32_t>(at) != -1 || batch.top_logprobs.f32(at) != -INFINITY) {
      return false;
    }
  }
  return true;
}

inline void sampling_logprob_cases(const SamplingCases& cases) {
  cases.named("logprobs are those of the raw logits whatever the options, the most likely first, ties by id", [&] {
    Random random(4);
    for (const int V : {1, 2, 19, 20, 21, 1000}) {
      std::vector<Row> rows;
      for (int i = 0; i <= 20; ++i) {
        Row row{{}, {i % 3 * 0.7f, 0.9f, 40, 0.01f, 1.3f, 0.5f, 0.2f, static_cast<float>(i)}, {0, 0}, {{0, 3}}};
        for (int v = 0; v < V; ++v)  // steps of ¼ tie often; every fifth row has large ones
          row.logits.push_back(std::round(8 * random.normal()) / 4 + (i % 5 ? 0 : 1e4f));
        rows.push_back(row);
      }
      Batch batch(rows);
      for (int64_t n = 0; n < batch.N; ++n) batch.seed(n, 3, static_cast<uint64_t>(n));
      cases.run(batch);
      for (int64_t n = 0; n < batch.N; ++n) CHECK(reports_well(cases, batch, n, rows[static_cast<size_t>(n)]));
      if (!current_ok) return;
    }
  });
  cases.named("a vocabulary of one token", [&] {
    for (const float temperature : {0.0f, 1.0f}) {
      Batch batch({{{-3}, {temperature, 0.5f, 1, 1, 2, 1, 1, 20}, {0}, {{0, -5}}}});
      cases.run(batch);
      CHECK(batch.id(0) == 0 && batch.logprobs.f32(0) == 0);
      CHECK(batch.top_ids.at<int32_t>(0) == 0 && batch.top_ids.at<int32_t>(1) == -1);
    }
  });
  cases.named("V3's vocabulary of 129280 tokens", [&] {
    Random random(12);
    Row row{{}, {0.6f, 0.95f, 0, 0, 1, 0, 0, 20}, {129279, 129279}, {{129279, 0}}};
    for (int v = 0; v < 129280; ++v) row.logits.push_back(4 * random.normal());
    row.logits[129279] = 40;
    std::vector<Row> rows(4, row);
    rows[0].options.temperature = 0;
    rows[1].bias = {{129279, -100}};
    rows[3].options.temperature = 50;  // flat: top-p sorts most of the vocabulary
    Batch batch(rows);
    cases.run(batch);
    CHECK(batch.id(0) == 129279 && batch.id(1) != 129279 && batch.id(2) == 129279);
    for (int64_t n = 0; n < 4; ++n) CHECK(reports_well(cases, batch, n, rows[static_cast<size_t>(n)]));
    CHECK(distribution(rows[1])[static_cast<size_t>(batch.id(1))] > 0);
    CHECK(distribution(rows[3])[static_cast<size_t>(batch.id(3))] > 0);
  });
}

inline void sampling_number_cases(const SamplingCases& cases) {
  cases.named("tokens of −∞ and NaN are never chosen; their place in the report", [&] {
    Options all;
    all.wanted = 20;
    const Row row{{-INFINITY, 1, NAN, 1, -INFINITY}, all, {0, 2}, {{0, 5}, {2, 5}}};
    CHECK(support(cases, row) == (std::vector<int32_t>{1, 3}));
    Batch batch({row, row});
    batch.params.set(8, 0);
    cases.run(batch);
    CHECK(batch.id(1) == 1);
    for (int64_t n = 0; n < 2; ++n) {
      CHECK(std::fabs(batch.logprobs.f32(n) + 0.6931472f) < 2e-6f);
      const int32_t ids[] = {1, 3, 0, 4, -1};
      for (int64_t i = 0; i < 5; ++i) CHECK(batch.top_ids.at<int32_t>(20 * n + i) == ids[i]);
      for (int64_t i = 2; i < 20; ++i) CHECK(batch.top_logprobs.f32(20 * n + i) == -INFINITY);
    }
    CHECK(support(cases, {{NAN, 0, NAN}, {1, 0.9f, 2, 0.1f}, {}, {}}) == (std::vector<int32_t>{1}));
  });
  cases.named("huge finite logits, biases and penalties are drawn from as any others", [&] {
    CHECK(support(cases, {{3e38f, -3e38f, 3e38f}, {}, {}, {}}) == (std::vector<int32_t>{0, 2}));
    CHECK(support(cases, {{1, 2, 3}, {}, {}, {{1, 1e6f}}}) == (std::vector<int32_t>{1}));
    CHECK(support(cases, {{1, 1, 3}, {1, 1, 0, 0, 1, 1e30f, 0}, {2}, {}}) == (std::vector<int32_t>{0, 1}));
  });
}

}  // namespace hadal::testing
