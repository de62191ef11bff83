// What the two sampling tests share: rows to sample with their parameters, lists and outputs, and the
// distribution that they must be drawn from, written in double without the op's code.
#pragma once

#include <algorithm>
#include <map>
#include <numeric>

#include "tests/case.h"

namespace hadal::testing {

struct Options {
  float temperature = 1, top_p = 1, top_k = 0, min_p = 0, repetition = 1, presence = 0, frequency = 0, wanted = 0;
};

struct Row {
  std::vector<float> logits;
  Options options;
  std::vector<int32_t> history;
  std::vector<std::pair<int32_t, float>> bias;
};

// N rows of one step; `spare` more offsets than rows, as the engine's buffers have.
class Batch {
 public:
  explicit Batch(const std::vector<Row>& rows, int64_t spare = 2) : N(static_cast<int64_t>(rows.size())) {
    V = rows.empty() ? 4 : static_cast<int64_t>(rows[0].logits.size());
    std::vector<int32_t> ids, bias;
    std::vector<float> amounts;
    logits = Array(DType::F32, {N, V}, 3);
    params = Array(DType::F32, {N, 8});
    seeds = Array(DType::I32, {N, 4});
    history_offsets = Array(DType::I32, {N + 1 + spare});
    bias_offsets = history_offsets;
    for (int64_t n = 0; n < N; ++n) {
      const Row& row = rows[static_cast<size_t>(n)];
      for (int64_t v = 0; v < V; ++v) logits.set(n * V + v, row.logits[static_cast<size_t>(v)]);
      const Options& o = row.options;
      int64_t i = n * 8;
      for (const float p : {o.temperature, o.top_p, o.top_k, o.min_p, o.repetition, o.presence, o.frequency, o.wanted})
        params.set(i++, p);
      ids.insert(ids.end(), row.history.begin(), row.history.end());
      for (const auto& [id, amount] : row.bias) {
        bias.push_back(id);
        amounts.push_back(amount);
      }
      history_offsets.at<int32_t>(n + 1) = static_cast<int32_t>(ids.size());
      bias_offsets.at<int32_t>(n + 1) = static_cast<int32_t>(bias.size());
    }
    for (int64_t i = N + 1; i < history_offsets.size(); ++i)
      history_offsets.at<int32_t>(i) = bias_offsets.at<int32_t>(i) = -1;  // past the step's rows: never read
    history_ids = Array(DType::I32, {static_cast<int64_t>(ids.size())});
    bias_ids = Array(DType::I32, {static_cast<int64_t>(bias.size())});
    bias_values = Array(DType::F32, {static_cast<int64_t>(bias.size())});
    for (size_t i = 0; i < ids.size(); ++i) history_ids.at<int32_t>(static_cast<int64_t>(i)) = ids[i];
    for (size_t i = 0; i < bias.size(); ++i) {
      bias_ids.at<int32_t>(static_cast<int64_t>(i)) = bias[i];
      bias_values.set(static_cast<int64_t>(i), amounts[i]);
    }
    ids_out = Array(DType::I32, {N});
    logprobs = Array(DType::F32, {N});
    top_ids = Array(DType::I32, {N, 20});
    top_logprobs = Array(DType::F32, {N, 20});
  }
  void seed(int64_t n, uint64_t seed, uint64_t counter) {
    const uint64_t words[] = {seed, seed >> 32, counter, counter >> 32};
    for (int64_t i = 0; i < 4; ++i)
      seeds.at<int32_t>(4 * n + i) = static_cast<int32_t>(static_cast<uint32_t>(words[i]));
  }
  // From now on row n chooses among the allowed ids alone; other rows among all.
  void mask(int64_t n, const std::vector<int32_t>& allowed) {
    if (masks.empty()) {
      masks.emplace_back(DType::I32, Shape{N});
      masks.emplace_back(DType::I32, Shape{N, (V + 31) / 32});
    }
    masks[0].at<int32_t>(n) = 1;
    for (const int32_t id : allowed) masks[1].at<uint32_t>(n * ((V + 31) / 32) + id / 32) |= 1u << (id % 32);
  }
  Call call() {
    Call made = unmasked();
    for (const Array& array : masks) made.args.push_back({array.view()});
    return made;
  }
  Call unmasked() {
    return {"sample",
            {{ids_out.view()}, {logprobs.view()}, {top_ids.view()}, {top_logprobs.view()}, {logits.view()},
            {params.view()},
             {seeds.view()}, {history_offsets.view()}, {history_ids.view()}, {bias_offsets.view()}, {bias_ids.view()},
             {bias_values.view()}}};
  }
  void run_on(HostDevice& device) {
    for (int64_t n = 0; n < N; ++n) ids_out.at<int32_t>(n) = -7;
    run(device, call(), Form::fast);
    CHECK(ids_out.guards_intact() && logprobs.guards_intact() && top_ids.guards_intact() &&
          top_logprobs.guards_intact());
  }
  int32_t id(int64_t n) { return ids_out.at<int32_t>(n); }

  int64_t N, V;
  std::vector<Array> masks;  // none, or masked and masks
  Array logits{DType::F32, {0, 0}}, params = logits, top_logprobs = logits, bias_values{DType::F32, {0}},
      logprobs = bias_values;
  Array seeds{DType::I32, {0, 4}}, top_ids = seeds, history_offsets{DType::I32, {0}}, history_ids = history_offsets;
  Array bias_offsets = history_offsets, bias_ids = history_offsets, ids_out = history_offsets;
};

// Probability of every token: bias, penalties, temperature, top-k, top-p, min-p, one step after the other,
// with probabilities renormalised in between.
inline std::vector<double> distribution(const Row& row) {
  const Options& o = row.options;
  std::vector<double> z(row.logits.begin(), row.logits.end());
  for (const auto& [id, amount] : row.bias) z[static_cast<size_t>(id)] += amount;
  std::map<int32_t, int> counts;
  for (const int32_t id : row.history) ++counts[id];
  for (const auto& [id, count] : counts) {
    double& v = z[static_cast<size_t>(id)];
    v = (v > 0 ? v / o.repetition : v * o.repetition) - o.presence - static_cast<double>(o.frequency) * count;
  }
  std::vector<size_t> by(z.size());
  std::iota(by.begin(), by.end(), 0);
  std::stable_sort(by.begin(), by.end(), [&](size_t a, size_t b) { return z[a] > z[b]; });
  std::vector<double> p(z.size());
  const auto normalise = [&] {
    const double total = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& x : p) x /= total;
  };
  for (size_t i = 0; i < z.size(); ++i) p[i] = std::exp((z[i] - z[by[0]]) / o.temperature);
  if (o.top_k > 0)
    for (size_t i = static_cast<size_t>(o.top_k); i < by.size(); ++i) p[by[i]] = 0;
  normalise();
  double reached = 0;
  for (const size_t i : by) {
    if (reached >= static_cast<double>(o.top_p)) p[i] = 0;
    reached += p[i];
  }
  normalise();
  for (double& x : p)
    if (x < o.min_p * p[by[0]]) x = 0;
  normalise();
  return p;
}

// The row drawn `draws` times with counters 0, 1, 2, …
inline Batch repeated(const Row& row, int64_t draws, uint64_t seed) {
  Batch batch(std::vector<Row>(static_cast<size_t>(draws), row));
  for (int64_t n = 0; n < draws; ++n) batch.seed(n, seed, static_cast<uint64_t>(n));
  return batch;
}

// log of the probabilities, so that softmax gives them back.
inline std::vector<float> logs(std::initializer_list<double> probabilities) {
  std::vector<float> z;
  for (const double p : probabilities) z.push_back(static_cast<float>(std::log(p)));
  return z;
}

// Small batches on every device, large ones on the last alone: one body serves all.
inline void run_everywhere(Batch& batch) {
  for (const Bench& bench : benches())
    if (batch.N < 1000 || &bench == &benches().back()) batch.run_on(*bench.device);
}

}  // namespace hadal::testing
