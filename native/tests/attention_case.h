// What the two attention tests share: sequences in a paged cache with permuted blocks, where every row that
// no token may see is NaN and every unused table entry leads outside; a double-precision softmax written
// without the ops' code; and the bound of F32 arithmetic that the vector forms must keep.
#pragma once

#include <algorithm>
#include <numeric>
#include <tuple>

#include "tests/case.h"

namespace hadal::testing {

struct Heads {
  int64_t H, G, k, v;  // query heads, KV heads, key and value columns of a head
  int64_t rope = 0;    // MLA (> 0): the last columns of k, which come from q_pe; values are the first v
  double scale = 0;    // 0: 1/sqrt(k)

  bool mla() const { return rope > 0; }
  double factor() const { return scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(k)); }
};

struct Sequence {
  int64_t length, rows;  // cache positions, of which the last `rows` are tokens of this step
};

// Integers: scores are exact in F32 whatever the order of additions, and large.
enum class Fill { normal, integers };

struct Token {
  int64_t sequence, position;
};

struct Setup {
  Heads heads;
  DType dtype;
  std::vector<Sequence> sequences;
  uint64_t seed = 1;
  int64_t padding = 0;  // strided views instead of dense ones
  Fill fill = Fill::normal;
};

// One step over paged caches. Rows of sequence s, as the cache must hold them after rounding, are keys[s]
// [length][G·k] and values[s] [length][G·v]; the ops see k_cache and v_cache only.
class Step {
 public:
  Step(HostDevice& device, const Setup& setup)
      : heads(setup.heads), fill(setup.fill), padding(setup.padding), sequences(setup.sequences) {
    Random random(setup.seed);
    make_tokens(random);
    make_table(random);
    make_queries(random);
    const int64_t spare = 2;
    k_cache.emplace_back(setup.dtype, Shape{blocks + spare, 64, heads.G * heads.k}, padding);
    keys = fill_cache(device, random, k_cache.back(), heads.G * heads.k);
    if (heads.mla()) return;
    v_cache.emplace_back(setup.dtype, Shape{blocks + spare, 64, heads.G * heads.v}, padding);
    values = fill_cache(device, random, v_cache.back(), heads.G * heads.v);
  }

  int64_t T() const { return static_cast<int64_t>(tokens.size()); }
  Array output() const { return Array(DType::F32, {T(), heads.H, heads.v}, padding); }

  Call call(Array& out) { return call(out, queries, ropes, positions, token_seq); }
  Call call(Array& out, Array& q, Array& q_pe, Array& at, Array& of) {
    Array& k = k_cache.front();
    if (heads.mla())
      return {"mla_attention",
              {{out.view()}, {q.view()}, {q_pe.view()}, {k.view()}, {at.view()}, {of.view()}, {table.view()}},
              {heads.factor()}};
    return {"gqa_attention",
            {{out.view()}, {q.view()}, {k.view()}, {v_cache.front().view()}, {at.view()}, {of.view()}, {table.view()}},
            {static_cast<double>(heads.G), heads.factor()}};
  }

  // The tokens `chosen` of this step as a step of their own, over the same cache and table.
  Array run_alone(HostDevice& device, const std::vector<int64_t>& chosen) {
    const auto n = static_cast<int64_t>(chosen.size());
    const int64_t first = heads.k - heads.rope;
    Array q(DType::F32, {n, heads.H, first}), pe(DType::F32, {n, heads.H, heads.rope});
    Array at(DType::I32, {n}), of(DType::I32, {n}), out(DType::F32, {n, heads.H, heads.v});
    for (int64_t i = 0; i < n; ++i) {
      const int64_t t = chosen[static_cast<size_t>(i)];
      for (int64_t j = 0; j < heads.H * first; ++j)
        q.set(i * heads.H * first + j, queries.f32(t * heads.H * first + j));
      for (int64_t j = 0; j < heads.H * heads.rope; ++j)
        pe.set(i * heads.H * heads.rope + j, ropes.f32(t * heads.H * heads.rope + j));
      at.at<int32_t>(i) = positions.at<int32_t>(t);
      of.at<int32_t>(i) = token_seq.at<int32_t>(t);
    }
    run(device, call(out, q, pe, at, of), Form::fast);
    return out;
  }

  // Moves the first block of sequence s to a block that was unused.
  void move_block(int64_t s, int64_t to) {
    int32_t& from = table.at<int32_t>(s * table.shape()[1]);
    for (std::vector<Array>* cache : {&k_cache, &v_cache}) {
      for (Array& a : *cache) {
        const int64_t n = 64 * a.shape()[2];
        for (int64_t i = 0; i < n; ++i) {
          a.set(to * n + i, a.f32(from * n + i));
          a.set(from * n + i, NAN);
        }
      }
    }
    from = static_cast<int32_t>(to);
  }

  Heads heads;
  Fill fill;
  int64_t padding, blocks = 0;
  std::vector<Sequence> sequences;
  std::vector<Token> tokens;
  std::vector<std::vector<float>> keys, values;
  std::vector<Array> k_cache, v_cache;
  Array positions{DType::I32, {0}}, token_seq{DType::I32, {0}}, table{DType::I32, {0, 0}};
  Array queries{DType::F32, {0, 0, 0}}, ropes{DType::F32, {0, 0, 0}};
  std::vector<float> q;  // [T][H][k], parts joined

 private:
  float number(Random& random) const {
    return fill == Fill::integers ? static_cast<float>(random.below(17) - 8) : random.normal();
  }
  void make_tokens(Random& random) {
    for (size_t s = 0; s < sequences.size(); ++s)
      for (int64_t p = sequences[s].length - sequences[s].rows; p < sequences[s].length; ++p)
        tokens.push_back({static_cast<int64_t>(s), p});
    for (int64_t i = T() - 1; i > 0; --i)
      std::swap(tokens[static_cast<size_t>(i)], tokens[static_cast<size_t>(random.below(i + 1))]);
    positions = Array(DType::I32, {T()});
    token_seq = Array(DType::I32, {T()});
    for (int64_t t = 0; t < T(); ++t) {
      positions.at<int32_t>(t) = static_cast<int32_t>(tokens[static_cast<size_t>(t)].position);
      token_seq.at<int32_t>(t) = static_cast<int32_t>(tokens[static_cast<size_t>(t)].sequence);
    }
  }
  void make_table(Random& random) {
    int64_t most = 1;
    for (const Sequence& s : sequences) {
      blocks += (s.length + 63) / 64;
      most = std::max(most, (s.length + 63) / 64);
    }
    std::vector<int32_t> free(static_cast<size_t>(blocks));
    std::iota(free.begin(), free.end(), 1);  // block 0 and the last one stay unused
    for (int64_t i = blocks - 1; i > 0; --i)
      std::swap(free[static_cast<size_t>(i)], free[static_cast<size_t>(random.below(i + 1))]);
    table = Array(DType::I32, {static_cast<int64_t>(sequences.size()), most + 1}, padding);
    for (int64_t i = 0; i < table.size(); ++i) table.at<int32_t>(i) = i % 2 ? INT32_MAX : -1;
    size_t next = 0;
    for (size_t s = 0; s < sequences.size(); ++s)
      for (int64_t b = 0; b * 64 < sequences[s].length; ++b)
        table.at<int32_t>(static_cast<int64_t>(s) * (most + 1) + b) = free[next++];
  }
  void make_queries(Random& random) {
    const int64_t first = heads.k - heads.rope;
    queries = Array(DType::F32, {T(), heads.H, first}, padding);
    ropes = Array(DType::F32, {T(), heads.H, heads.rope}, padding);
    for (int64_t i = 0; i < T() * heads.H * heads.k; ++i) {
      const float x = number(random) * (fill == Fill::integers ? 16 : 1);
      const int64_t row = i / heads.k, column = i % heads.k;
      if (column < first) queries.set(row * first + column, x);
      else ropes.set(row * heads.rope + column - first, x);
      q.push_back(x);
    }
  }
  // Poisons the cache, then writes every sequence through write_kv; returns what it must hold.
  std::vector<std::vector<float>> fill_cache(HostDevice& device, Random& random, Array& cache, int64_t columns) {
    for (int64_t i = 0; i < cache.size(); ++i) cache.set(i, NAN);
    std::vector<std::vector<float>> rows;
    for (size_t s = 0; s < sequences.size(); ++s) {
      const int64_t length = sequences[s].length;
      Array src(DType::F32, {length, columns}, padding), rounded(cache.dtype(), {length, columns});
      Array slots(DType::I32, {length});
      rows.emplace_back();
      for (int64_t i = 0; i < src.size(); ++i) {
        src.set(i, number(random));
        rounded.set(i, src.f32(i));
        rows.back().push_back(rounded.f32(i));
      }
      for (int64_t p = 0; p < length; ++p)
        slots.at<int32_t>(p) =
            table.at<int32_t>(static_cast<int64_t>(s) * table.shape()[1] + p / 64) * 64 + static_cast<int32_t>(p % 64);
      run(device, {"write_kv", {{cache.view()}, {src.view()}, {slots.view()}}}, Form::fast);
    }
    return rows;
  }
};

// What each output must be, and how far F32 arithmetic may take it from there.
struct Expected {
  std::vector<double> exact, slack;
};

// One query row against the rows 0..last of its sequence, in double.
inline void attend(const Step& step, int64_t t, int64_t h, Expected& to) {
  const Heads& d = step.heads;
  const auto [s, last] = step.tokens[static_cast<size_t>(t)];
  const int64_t g = h * d.G / d.H;
  const std::vector<float>& keys = step.keys[static_cast<size_t>(s)];
  const std::vector<float>& values = d.mla() ? keys : step.values[static_cast<size_t>(s)];
  const int64_t v_stride = d.mla() ? d.k : d.G * d.v;
  const float* q = step.q.data() + (t * d.H + h) * d.k;
  std::vector<double> weight;
  double largest = 0, reach = 0;  // |score| and Σ|q·k·scale| at most
  for (int64_t p = 0; p <= last; ++p) {
    double dot = 0, magnitude = 0;
    for (int64_t i = 0; i < d.k; ++i) {
      const double term = static_cast<double>(q[i]) * keys[static_cast<size_t>((p * d.G + g) * d.k + i)];
      dot += term;
      magnitude += std::fabs(term);
    }
    weight.push_back(dot * d.factor());
    largest = std::max(largest, std::fabs(weight.back()));
    reach = std::max(reach, std::fabs(magnitude * d.factor()));
  }
  const double top = *std::max_element(weight.begin(), weight.end());
  double total = 0;
  for (double& w : weight) total += w = std::exp(w - top);
  // Lane-wise sums over at least eight lanes: a chain of k/8 additions and a tree. A score that is wrong by e
  // moves a weight by the factor 1 ± e, numerator and denominator each; then chains of `last` additions.
  const double chain = static_cast<double>(d.k) / 8 + 8;
  const double e = step.fill == Fill::integers ? 0 : chain * 0x1p-24 * reach + 4 * 0x1p-24 * largest;
  const double relative = 2 * e + (static_cast<double>(last) + 24) * 0x1p-23;
  for (int64_t i = 0; i < d.v; ++i) {
    double sum = 0, magnitude = 0;
    for (int64_t p = 0; p <= last; ++p) {
      const double value = values[static_cast<size_t>(p * v_stride + (d.mla() ? 0 : g * d.v) + i)];
      sum += weight[static_cast<size_t>(p)] * value;
      magnitude += weight[static_cast<size_t>(p)] * std::fabs(value);
    }
    to.exact.push_back(sum / total);
    to.slack.push_back(relative * magnitude / total + 1e-30);
  }
}

inline Expected expected(const Step& step) {
  Expected all;
  for (int64_t t = 0; t < step.T(); ++t)
    for (int64_t h = 0; h < step.heads.H; ++h) attend(step, t, h, all);
  return all;
}

// Names the first element that is further off than its slack times `part`.
inline bool matches(const Array& out, const Expected& want, double part, const std::string& who) {
  for (int64_t i = 0; i < out.size(); ++i) {
    const double exact = want.exact[static_cast<size_t>(i)], slack = part * want.slack[static_cast<size_t>(i)];
    if (std::fabs(out.f32(i) - exact) <= slack + std::fabs(exact) * 0x1p-24) continue;
    std::printf("  %s: element %lld: expected %.9g within %.2g, got %.9g\n", who.c_str(), static_cast<long long>(i),
                exact, slack, static_cast<double>(out.f32(i)));
    return false;
  }
  return out.guards_intact();
}

// The oracle to the last bit of F32, every vector form within its bound.
inline void expect_step(const Setup& setup) {
  Step step(*benches().front().device, setup);
  const Expected want = expected(step);
  Array out = step.output();
  run_reference(step.call(out));
  CHECK(matches(out, want, 1e-6, "reference"));
  for (const Bench& bench : benches()) {
    Array fast = step.output();
    run(*bench.device, step.call(fast), Form::fast);
    CHECK(matches(fast, want, 1, bench.name));
    if (!current_ok) return;
  }
}

// The same bits with one thread and three, in company and alone, and after the blocks moved.
inline void expect_invariant(const Setup& setup) {
  std::string isa;
  Array first(DType::F32, {0});
  for (const Bench& bench : benches()) {
    Step step(*bench.device, setup);
    Array all(DType::F32, {step.T(), step.heads.H, step.heads.v});
    run(*bench.device, step.call(all), Form::fast);
    const std::string name = bench.name.substr(0, bench.name.find(' '));
    if (name == isa) CHECK(all.same_bits(first));
    isa = name;
    first = all;
    const int64_t width = step.heads.H * step.heads.v;
    const auto same = [&](const Array& part, int64_t i, int64_t t) {
      for (int64_t j = 0; j < width; ++j)
        if (part.f32(i * width + j) != all.f32(t * width + j)) return false;
      return true;
    };
    for (int64_t t = 0; t < step.T(); ++t) CHECK(same(step.run_alone(*bench.device, {t}), 0, t));
    const std::vector<int64_t> some = {step.T() - 1, 0, step.T() / 2};
    const Array part = step.run_alone(*bench.device, some);
    for (size_t i = 0; i < some.size(); ++i) CHECK(same(part, static_cast<int64_t>(i), some[i]));
    step.move_block(0, 0);
    step.move_block(static_cast<int64_t>(setup.sequences.size()) - 1, step.blocks + 1);
    Array moved(DType::F32, {step.T(), step.heads.H, step.heads.v});
    run(*bench.device, step.call(moved), Form::fast);
    CHECK(moved.same_bits(all));
    if (!current_ok) return;
  }
}

}  // namespace hadal::testing
