// sample: which token is chosen. Argmax and its ties, every step of the order, the distribution of 20000 draws by
// chi-square, and draws that depend on seed and counter alone.
#include "tests/sampling_case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using Ids = std::vector<int32_t>;

int32_t argmax(Row row) {
  row.options.temperature = 0;
  Batch batch({row});
  batch.run_on(*benches().front().device);
  return batch.id(0);
}

void argmax_tests() {
  test("temperature 0 takes the largest logit, the lowest id among equals, for every seed", [] {
    for (const Bench& bench : benches()) {
      Batch batch({{{1, 3, 2, 3, 3}, {0}, {}, {}},
                   {{-1, -1, -1, -1, -1}, {0}, {}, {}},
                   {{-5, -4, -3, -2, -1}, {0}, {}, {}}});
      for (uint64_t seed = 0; seed < 20; ++seed) {
        for (int64_t n = 0; n < 3; ++n) batch.seed(n, seed, seed);
        batch.run_on(*bench.device);
        CHECK(batch.id(0) == 1 && batch.id(1) == 0 && batch.id(2) == 4);
      }
    }
  });
  test("a bias moves the argmax, adds up over repeated ids, and comes before the penalties", [] {
    CHECK(argmax({{1, 2, 3}, {}, {}, {{0, 2.5f}}}) == 0);
    CHECK(argmax({{1, 2, 3}, {}, {}, {{0, 1.5f}, {0, 1.5f}}}) == 0);
    CHECK(argmax({{1, 2, 3}, {}, {}, {{2, -INFINITY}}}) == 1);
    Options halved;
    halved.repetition = 2;
    CHECK(argmax({{1, 2}, halved, {0}, {{0, 2}}}) == 1);  // (1 + 2) / 2 < 2 < 1 / 2 + 2
  });
  test("a repetition penalty divides positive logits and multiplies negative ones, once per token", [] {
    Options o;
    o.repetition = 2;
    CHECK(argmax({{4, 2.5f}, o, {0}, {}}) == 1);
    CHECK(argmax({{4, 1.5f}, o, {0, 0, 0}, {}}) == 0);
    CHECK(argmax({{-1, -1.5f}, o, {0}, {}}) == 1);
    CHECK(argmax({{-1, -2.5f}, o, {0, 0}, {}}) == 0);
    o.repetition = 0.5f;
    CHECK(argmax({{2, 3}, o, {0}, {}}) == 0);
  });
  test("a presence penalty counts once, a frequency penalty per occurrence, apart or not", [] {
    Options o;
    o.presence = 0.5f;
    CHECK(argmax({{2, 1.4f}, o, {0, 0, 0, 0}, {}}) == 0);
    CHECK(argmax({{2, 1.6f}, o, {0}, {}}) == 1);
    o.presence = 0;
    o.frequency = 0.25f;
    CHECK(argmax({{2, 1.3f, 0}, o, {0, 2, 0}, {}}) == 0);
    CHECK(argmax({{2, 1.3f, 0}, o, {0, 2, 0, 2, 0}, {}}) == 1);
    o.frequency = -0.25f;
    CHECK(argmax({{2, 1.3f, 0}, o, {1, 1, 1}, {}}) == 1);
    Options all;
    all.repetition = 2;
    all.presence = 0.25f;
    all.frequency = 0.25f;
    CHECK(argmax({{4, 1.2f}, all, {0, 0}, {}}) == 0);  // 4 / 2 − 0.25 − 0.5 = 1.25
    CHECK(argmax({{4, 1.3f}, all, {0, 0}, {}}) == 1);
  });
  test("the penalties of one row do not reach another", [] {
    Options o;
    o.temperature = 0;
    o.presence = 9;
    Batch batch({{{2, 1}, o, {}, {}}, {{2, 1}, o, {0}, {}}, {{2, 1}, o, {}, {{1, 5}}}, {{2, 1}, o, {}, {}}});
    batch.run_on(*benches().back().device);
    CHECK(batch.id(0) == 0 && batch.id(1) == 1 && batch.id(2) == 1 && batch.id(3) == 0);
  });
}

void support_tests() {
  const auto met = [](const std::vector<float>& logits, const Options& o) { return support({logits, o, {}, {}}); };
  test("top-k keeps k, the lowest ids among equals; 0 and more than all keep all", [&] {
    const std::vector<float> z = {1, 2, 2, 2, 1.5f};
    CHECK(met(z, {1, 1, 0}) == (Ids{0, 1, 2, 3, 4}));
    CHECK(met(z, {1, 1, 5}) == (Ids{0, 1, 2, 3, 4}));
    CHECK(met(z, {1, 1, 100}) == (Ids{0, 1, 2, 3, 4}));
    CHECK(met(z, {1, 1, 4}) == (Ids{1, 2, 3, 4}));
    CHECK(met(z, {1, 1, 2}) == (Ids{1, 2}));
    CHECK(met(z, {1, 1, 1}) == (Ids{1}));
  });
  test("top-p keeps the shortest run that reaches p, at least one", [&] {
    CHECK(met({0, 0, 0, 0}, {1, 0.5f}) == (Ids{0, 1}));
    CHECK(met({0, 0, 0, 0}, {1, 0.51f}) == (Ids{0, 1, 2}));
    CHECK(met({0, 0, 0, 0}, {1, 1e-9f}) == (Ids{0}));
    CHECK(met(logs({0.1, 0.2, 0.4, 0.3}), {1, 0.69f}) == (Ids{2, 3}));
    CHECK(met(logs({0.1, 0.2, 0.4, 0.3}), {1, 0.71f}) == (Ids{1, 2, 3}));
  });
  test("top-p over more equal tokens than one sorted piece holds", [&] {
    const std::vector<float> z(1000, 0.5f);
    for (const auto& [p, kept] : {std::pair<float, int64_t>{0.1f, 101}, {0.2555f, 256}, {0.2565f, 257}, {0.5f, 500}}) {
      const Ids ids = met(z, {1, p});
      CHECK(static_cast<int64_t>(ids.size()) <= kept && ids.back() < kept);
      CHECK(static_cast<int64_t>(ids.size()) > kept * 9 / 10);
    }
  });
  test("min-p keeps what reaches a part of the largest probability; 1 keeps the largest", [&] {
    CHECK(met(logs({0.5, 0.3, 0.2}), {1, 1, 0, 0.59f}) == (Ids{0, 1}));
    CHECK(met(logs({0.5, 0.3, 0.2}), {1, 1, 0, 0.61f}) == (Ids{0}));
    CHECK(met({1, 3, 3, 2}, {1, 1, 0, 1}) == (Ids{1, 2}));
  });
  test("temperature comes before min-p, top-k before top-p, top-p before min-p", [&] {
    CHECK(met({1, 0}, {2, 1, 0, 0.5f}) == (Ids{0, 1}));  // e^−½ ≥ ½ > e^−1
    CHECK(met(logs({0.4, 0.3, 0.2, 0.1}), {1, 0.5f, 2}) == (Ids{0}));         // 0.4 / 0.7 reaches ½
    CHECK(met(logs({0.4, 0.3, 0.2, 0.1}), {1, 0.5f, 0, 0.7f}) == (Ids{0, 1}));  // 0.4 alone does not
  });
  test("a tiny temperature takes the largest, a huge one all", [&] {
    CHECK(met({1, 1.001f, 1}, {1e-38f}) == (Ids{1}));
    CHECK(met({1, 1.001f, 1}, {1e-45f}) == (Ids{1}));
    CHECK(met({1, 5, -20}, {3e38f}) == (Ids{0, 1, 2}));
  });
}

// Draws of one row against its distribution. Sum of squares over V − 1 degrees of freedom; with fixed seeds
// the result is the same on every machine, and five standard deviations leave no room for luck.
void expect_distribution(const Row& row, const std::function<void(Batch&)>& reseed, int64_t draws = 20000) {
  Batch batch = repeated(row, draws, 2024);
  reseed(batch);
  batch.run_on(*benches().back().device);
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

void distribution_tests() {
  Random random(31);
  std::vector<float> z;
  for (int i = 0; i < 12; ++i) z.push_back(1.5f * random.normal());
  const auto same = [](Batch&) {};
  test("20000 draws follow the distribution, with every option and all of them", [&] {
    const Ids history = {3, 7, 3, 3, 1, 7};
    expect_distribution({z, {}, {}, {}}, same);
    expect_distribution({z, {0.6f}, {}, {}}, same);
    expect_distribution({z, {1.7f}, {}, {}}, same);
    expect_distribution({z, {1, 1, 5}, {}, {}}, same);
    expect_distribution({z, {1, 0.8f}, {}, {}}, same);
    expect_distribution({z, {1, 1, 0, 0.15f}, {}, {}}, same);
    expect_distribution({z, {1, 1, 0, 0, 1.4f}, history, {}}, same);
    expect_distribution({z, {1, 1, 0, 0, 1, 0.7f, 0.3f}, history, {}}, same);
    expect_distribution({z, {1, 1, 0, 0, 1, -0.7f, -0.3f}, history, {}}, same);
    expect_distribution({z, {}, {}, {{2, 1.5f}, {9, -2}, {2, 0.5f}, {5, -INFINITY}}}, same);
    expect_distribution({z, {0.8f, 0.92f, 9, 0.04f, 1.2f, 0.2f, 0.1f}, history, {{2, 1.5f}, {9, -2}}}, same);
  });
  test("each word of seed and counter by itself gives independent draws", [&] {
    for (int64_t word = 0; word < 4; ++word) {
      expect_distribution({z, {}, {}, {}}, [&](Batch& batch) {
        for (int64_t n = 0; n < batch.N; ++n) {
          for (int64_t i = 0; i < 4; ++i) batch.seeds.at<int32_t>(4 * n + i) = 5;
          batch.seeds.at<int32_t>(4 * n + word) = static_cast<int32_t>(n) - 10000;
        }
      });
    }
  });
  test("successive draws of one seed do not lean on each other", [&] {
    Batch batch = repeated({{0, 0, 0, 0}, {}, {}, {}}, 20001, 5);
    batch.run_on(*benches().back().device);
    double pairs[16] = {}, square = 0;
    for (int64_t n = 0; n < 20000; ++n) pairs[batch.id(n) * 4 + batch.id(n + 1)] += 1;
    for (const double met : pairs) square += (met - 1250) * (met - 1250) / 1250;
    CHECK(square < 15 + 5 * std::sqrt(30.0));
  });
}

void seed_tests() {
  test("the same seed and counter give the same draw alone, in company, on any thread and instruction set", [] {
    Random random(8);
    std::vector<Row> rows;
    for (int i = 0; i < 40; ++i) {
      Row row{{}, {0.9f, 0.95f, 30, 0.01f, 1.1f, 0.1f, 0.1f, static_cast<float>(i % 21)}, {1, 2, 2, 300}, {{4, 1}}};
      for (int v = 0; v < 500; ++v) row.logits.push_back(2 * random.normal());
      rows.push_back(row);
    }
    Batch first(rows);
    for (int64_t n = 0; n < first.N; ++n) first.seed(n, 77, static_cast<uint64_t>(n) << 31);
    first.run_on(*benches().front().device);
    for (const Bench& bench : benches()) {
      Batch again = first;
      again.run_on(*bench.device);
      CHECK(again.ids_out.same_bits(first.ids_out) && again.logprobs.same_bits(first.logprobs));
      CHECK(again.top_ids.same_bits(first.top_ids) && again.top_logprobs.same_bits(first.top_logprobs));
      for (int64_t n = 0; n < first.N; n += 13) {
        Batch one({rows[static_cast<size_t>(n)]}, 0);
        one.seed(0, 77, static_cast<uint64_t>(n) << 31);
        one.run_on(*bench.device);
        CHECK(one.id(0) == first.id(n) && one.logprobs.f32(0) == first.logprobs.f32(n));
        for (int64_t i = 0; i < 20; ++i) CHECK(one.top_logprobs.f32(i) == first.top_logprobs.f32(20 * n + i));
      }
    }
    Batch reference = first;
    run_reference(reference.call());
    CHECK(reference.ids_out.same_bits(first.ids_out));
  });
}

}  // namespace

int main() {
  argmax_tests();
  support_tests();
  distribution_tests();
  seed_tests();
  return finish();
}
