// sample: one next token per row of logits. Order: mask, bias, penalties, temperature, top-k, top-p, min-p, draw.
// A draw depends on (seed, counter) and the row alone. A row is sampled by one thread; oracle and fast form
// share the body, because a choice has no tolerance.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/check.h"
#include "cpu/ops.h"

namespace hadal::cpu {

namespace {

constexpr const char* kName = "sample";
constexpr int64_t kTop = 20;

enum Argument : size_t {
  kIds, kLogprobs, kTopIds, kTopLogprobs, kLogits, kParams, kSeeds,
  kHistoryOffsets, kHistoryIds, kBiasOffsets, kBiasIds, kBiasValues,
  kMasked, kMasks,  // both or none
};

struct Params {
  double temperature, top_p, min_p, repetition, presence, frequency;
  int64_t top_k, wanted;
};

struct Candidate {
  float value;
  int32_t id;
};

// Descending value; the lower id first among equals.
bool before(const Candidate& a, const Candidate& b) { return a.value > b.value || (a.value == b.value && a.id < b.id); }

void check(const OpCall& call) {
  expect_tensor(call, kName, kLogits, "logits", kFloat, {-1, -1});
  const int64_t N = call[kLogits].shape[0];
  expect_dense(call, kName, kIds, "ids", kInt, {N});
  expect_dense(call, kName, kLogprobs, "logprobs", kFloat, {N});
  expect_dense(call, kName, kTopIds, "top_ids", kInt, {N, kTop});
  expect_dense(call, kName, kTopLogprobs, "top_logprobs", kFloat, {N, kTop});
  expect_dense(call, kName, kParams, "params", kFloat, {N, 8});
  expect_dense(call, kName, kSeeds, "seeds", kInt, {N, 4});
  expect_dense(call, kName, kHistoryOffsets, "history_offsets", kInt, {-1});
  expect_dense(call, kName, kHistoryIds, "history_ids", kInt, {-1});
  expect_dense(call, kName, kBiasOffsets, "bias_offsets", kInt, {-1});
  expect_dense(call, kName, kBiasIds, "bias_ids", kInt, {-1});
  expect_dense(call, kName, kBiasValues, "bias_values", kFloat, {call[kBiasIds].shape[0]});
  HADAL_EXPECT(call.has(kMasked) == call.has(kMasks), "%s: expected masked and masks together, got one", kName);
  if (call.has(kMasks)) {
    expect_dense(call, kName, kMasked, "masked", kInt, {N});
    expect_dense(call, kName, kMasks, "masks", kInt, {N, (call[kLogits].shape[1] + 31) / 32});
  }
  for (const size_t i : {kHistoryOffsets, kBiasOffsets})
    HADAL_EXPECT(call[i].shape[0] >= N + 1, "%s: offsets: expected at least %lld entries, got %lld", kName,
                 static_cast<long long>(N + 1), static_cast<long long>(call[i].shape[0]));
}

Params params(const OpCall& call, int64_t n) {
  const float* p = call[kParams].row<float>(n);
  const auto row = static_cast<long long>(n);
  HADAL_EXPECT(p[0] >= 0 && std::isfinite(p[0]), "%s: row %lld: temperature: expected 0 or more, got %g", kName, row, p[0]);
  HADAL_EXPECT(p[1] > 0 && p[1] <= 1, "%s: row %lld: top_p: expected above 0 up to 1, got %g", kName, row, p[1]);
  HADAL_EXPECT(p[2] >= 0 && p[2] < 0x1p24f, "%s: row %lld: top_k: expected 0 or more, got %g", kName, row, p[2]);
  HADAL_EXPECT(p[3] >= 0 && p[3] <= 1, "%s: row %lld: min_p: expected 0 to 1, got %g", kName, row, p[3]);
  HADAL_EXPECT(p[4] > 0 && std::isfinite(p[4]), "%s: row %lld: repetition penalty: expected above 0, got %g", kName, row, p[4]);
  HADAL_EXPECT(std::isfinite(p[5]) && std::isfinite(p[6]), "%s: row %lld: penalties: expected finite, got %g, %g", kName, row, p[5], p[6]);
  HADAL_EXPECT(p[7] >= 0 && p[7] <= kTop, "%s: row %lld: top logprobs: expected 0 to 20, got %g", kName, row, p[7]);
  return {p[0], p[1], p[3], p[4], p[5], p[6], static_cast<int64_t>(p[2]), static_cast<int64_t>(p[7])};
}

bool is_masked(const OpCall& call, int64_t n) { return call.has(kMasks) && call[kMasked].as<int32_t>()[n] != 0; }

// Ids whose bit is 0 become impossible; masks of rows that are not masked are never read.
void apply_mask(const OpCall& call, int64_t n, std::vector<float>& z) {
  const auto* words = call[kMasks].row<uint32_t>(n);
  for (size_t i = 0; i < z.size(); ++i)
    if ((words[i / 32] >> (i % 32) & 1) == 0) z[i] = -std::numeric_limits<float>::infinity();
}

struct Range {
  int64_t begin, end;
};

Range list_range(const Tensor& offsets, const Tensor& list, int64_t n) {
  const auto* o = offsets.as<int32_t>();
  HADAL_EXPECT(o[n] >= 0 && o[n] <= o[n + 1] && o[n + 1] <= list.shape[0],
               "%s: row %lld: offsets: expected ascending values up to %lld, got %d, %d", kName,
               static_cast<long long>(n), static_cast<long long>(list.shape[0]), o[n], o[n + 1]);
  return {o[n], o[n + 1]};
}

int32_t checked_id(int32_t id, int64_t V, const char* what) {
  HADAL_EXPECT(id >= 0 && id < V, "%s: %s: expected ids below %lld, got %d", kName, what, static_cast<long long>(V), id);
  return id;
}

void apply_bias(const OpCall& call, int64_t n, std::vector<float>& z) {
  const Range r = list_range(call[kBiasOffsets], call[kBiasIds], n);
  for (int64_t i = r.begin; i < r.end; ++i)
    z[static_cast<size_t>(checked_id(call[kBiasIds].as<int32_t>()[i], call[kLogits].shape[1], "bias_ids"))] +=
        call[kBiasValues].as<float>()[i];
}

void apply_penalties(const OpCall& call, int64_t n, const Params& p, std::vector<float>& z) {
  const Range r = list_range(call[kHistoryOffsets], call[kHistoryIds], n);
  const auto* ids = call[kHistoryIds].as<int32_t>();
  std::vector<int32_t> history(ids + r.begin, ids + r.end);
  std::sort(history.begin(), history.end());
  for (size_t i = 0; i < history.size();) {
    size_t end = i;
    while (end < history.size() && history[end] == history[i]) ++end;
    float& v = z[static_cast<size_t>(checked_id(history[i], call[kLogits].shape[1], "history_ids"))];
    v = static_cast<float>(v > 0 ? v / p.repetition : v * p.repetition);
    v = static_cast<float>(v - p.presence - p.frequency * static_cast<double>(end - i));
    i = end;
  }
}

// Uniform in [0, 1): two rounds of the splitmix64 finaliser over seed and counter.
double uniform(const int32_t* seeds) {
  const auto mix = [](uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  };
  const uint64_t seed = static_cast<uint32_t>(seeds[0]) | static_cast<uint64_t>(static_cast<uint32_t>(seeds[1])) << 32;
  const uint64_t counter = static_cast<uint32_t>(seeds[2]) | static_cast<uint64_t>(static_cast<uint32_t>(seeds[3])) << 32;
  const uint64_t bits = mix(mix(seed + 0x9e3779b97f4a7c15u) ^ (counter * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u));
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

// The `count` first of the candidates in front, sorted.
void sort_first(std::vector<Candidate>& c, size_t count) {
  if (count < c.size()) std::nth_element(c.begin(), c.begin() + static_cast<std::ptrdiff_t>(count), c.end(), before);
  std::sort(c.begin(), c.begin() + static_cast<std::ptrdiff_t>(std::min(count, c.size())), before);
}

// Keeps the shortest run of most likely candidates whose probability reaches top_p.
void keep_top_p(std::vector<Candidate>& c, double top_p, float top, double temperature) {
  const auto weight = [&](const Candidate& x) { return std::exp((static_cast<double>(x.value) - top) / temperature); };
  double total = 0;
  for (const Candidate& x : c) total += weight(x);
  for (size_t sorted = 256;; sorted *= 8) {
    sort_first(c, sorted);
    double sum = 0;
    for (size_t i = 0; i < std::min(sorted, c.size()); ++i) {
      sum += weight(c[i]);
      if (sum < top_p * total) continue;
      c.resize(i + 1);
      return;
    }
    if (sorted >= c.size()) return;
  }
}

int32_t draw(std::vector<Candidate>& c, const Params& p, float top, const int32_t* seeds) {
  if (p.top_k > 0 && p.top_k < static_cast<int64_t>(c.size())) {
    const auto k = static_cast<size_t>(p.top_k);
    std::nth_element(c.begin(), c.begin() + static_cast<std::ptrdiff_t>(k), c.end(), before);
    c.resize(k);
  }
  if (p.top_p < 1) keep_top_p(c, p.top_p, top, p.temperature);
  if (p.min_p > 0) {
    const double floor = std::log(p.min_p) * p.temperature + top;
    std::erase_if(c, [&](const Candidate& x) { return x.value < floor; });
  }
  // The draw walks ascending ids, so that it does not depend on how the selection left its order.
  std::sort(c.begin(), c.end(), [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
  double total = 0;
  for (const Candidate& x : c) total += std::exp((static_cast<double>(x.value) - top) / p.temperature);
  const double target = uniform(seeds) * total;
  double sum = 0;
  int32_t last = c.front().id;
  for (const Candidate& x : c) {
    const double w = std::exp((static_cast<double>(x.value) - top) / p.temperature);
    if (w > 0) last = x.id;
    sum += w;
    if (sum > target) return x.id;
  }
  return last;  // rounding left the sum a hair below the target
}

void report(const OpCall& call, int64_t n, int64_t wanted, int32_t chosen, double top, double log_sum) {
  const float* logits = call[kLogits].row<float>(n);
  const int64_t V = call[kLogits].shape[1];
  const auto logprob = [&](int32_t id) { return static_cast<float>(logits[id] - top - log_sum); };
  call[kIds].as<int32_t>()[n] = chosen;
  call[kLogprobs].as<float>()[n] = chosen < 0 ? 0.0f : logprob(chosen);
  auto* ids = call[kTopIds].row<int32_t>(n);
  auto* logprobs = call[kTopLogprobs].row<float>(n);
  std::fill(ids, ids + kTop, -1);
  std::fill(logprobs, logprobs + kTop, -std::numeric_limits<float>::infinity());
  int64_t have = 0;
  for (int32_t id = 0; wanted > 0 && id < V; ++id) {
    if (std::isnan(logits[id]) || (have == wanted && logits[id] <= logits[ids[have - 1]])) continue;
    int64_t at = have < wanted ? have++ : have - 1;
    for (; at > 0 && logits[id] > logits[ids[at - 1]]; --at) ids[at] = ids[at - 1];
    ids[at] = id;
  }
  for (int64_t i = 0; i < have; ++i) logprobs[i] = logprob(ids[i]);
}

void sample_row(const OpCall& call, int64_t n) {
  const Params p = params(call, n);
  const float* logits = call[kLogits].row<float>(n);
  const int64_t V = call[kLogits].shape[1];
  double top = -std::numeric_limits<double>::infinity(), sum = 0;
  for (int64_t i = 0; i < V; ++i)
    if (logits[i] > top) top = logits[i];
  HADAL_EXPECT(std::isfinite(top), "%s: row %lld: expected a finite largest logit, got %g (NaN or infinite weights?)",
               kName, static_cast<long long>(n), top);
  for (int64_t i = 0; i < V; ++i)
    if (!std::isnan(logits[i])) sum += std::exp(logits[i] - top);

  std::vector<float> z(logits, logits + V);
  if (is_masked(call, n)) apply_mask(call, n, z);
  apply_bias(call, n, z);
  apply_penalties(call, n, p, z);
  int32_t best = -1;
  for (int32_t i = 0; i < V; ++i)
    if (z[static_cast<size_t>(i)] > (best < 0 ? -std::numeric_limits<float>::infinity() : z[static_cast<size_t>(best)])) best = i;
  // A mask that leaves nothing is its request's trouble and no reason to fail the others of the step.
  if (best < 0 && is_masked(call, n)) return report(call, n, p.wanted, best, top, std::log(sum));
  HADAL_EXPECT(best >= 0, "%s: row %lld: expected a token that the logit bias leaves possible, got none", kName,
               static_cast<long long>(n));
  HADAL_EXPECT(std::isfinite(z[static_cast<size_t>(best)]),
               "%s: row %lld: expected a finite largest logit after bias and penalties, got %g", kName,
               static_cast<long long>(n), z[static_cast<size_t>(best)]);
  int32_t chosen = best;
  if (p.temperature > 0) {
    std::vector<Candidate> candidates;
    candidates.reserve(static_cast<size_t>(V));
    for (int32_t i = 0; i < V; ++i)
      if (z[static_cast<size_t>(i)] > -std::numeric_limits<float>::infinity()) candidates.push_back({z[static_cast<size_t>(i)], i});
    chosen = draw(candidates, p, z[static_cast<size_t>(best)], call[kSeeds].row<int32_t>(n));
  }
  report(call, n, p.wanted, chosen, top, std::log(sum));
}

void run(Context& context, const OpCall& call) {
  context.pool.parallel_for(call[kLogits].shape[0], 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) sample_row(call, n);
  });
}

}  // namespace

const HostOp sample_op = {kName, 12, 14, 4, 0, check, run, run};

}  // namespace hadal::cpu
