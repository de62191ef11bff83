// sample on CUDA: the CPU's cases, and every batch, whatever it is for, also against the CPU's own ids, draw by draw,
// with its reports; masks, flat rows whose threshold histograms find, rows alone and in company, BF16, and the codes
// of rows that the CPU refuses.
#include "cuda/sampling/sample.h"

#include "tests/cuda/cuda_case.h"
#include "tests/sampling_cases.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using Ids = std::vector<int32_t>;

// Sums of up to some 10^5 fast exponentials, 2^-21 each, and a logarithm.
constexpr double kLogprobSlack = 2e-6;

template <typename T>
std::vector<T> values_of(const Array& array) {
  Array copy = array;
  std::vector<T> values;
  for (int64_t i = 0; i < copy.size(); ++i) values.push_back(copy.at<T>(i));
  return values;
}

// Logits as rows `stride` apart, NaN between them.
std::vector<float> strided(const Batch& batch, int64_t stride) {
  std::vector<float> values;
  for (int64_t n = 0; n < batch.N; ++n)
    for (int64_t v = 0; v < stride; ++v) values.push_back(v < batch.V ? batch.logits.f32(n * batch.V + v) : NAN);
  return values;
}

int64_t padding = 0;  // of the logits' rows, on the device

void run_kernels(Batch& batch, DType type = DType::F32) {
  const int64_t stride = batch.V + padding;
  const auto rows = static_cast<size_t>(batch.N);
  DeviceVector<float> f32(type == DType::F32 ? strided(batch, stride) : std::vector<float>());
  DeviceVector<uint16_t> bf16(type == DType::BF16 ? to_bf16(strided(batch, stride)) : std::vector<uint16_t>());
  DeviceVector<float> params(values_of<float>(batch.params)), bias_values(values_of<float>(batch.bias_values));
  DeviceVector<int32_t> seeds(values_of<int32_t>(batch.seeds));
  DeviceVector<int32_t> history_offsets(values_of<int32_t>(batch.history_offsets)),
      history_ids(values_of<int32_t>(batch.history_ids)), bias_offsets(values_of<int32_t>(batch.bias_offsets)),
      bias_ids(values_of<int32_t>(batch.bias_ids));
  DeviceVector<int32_t> masked(batch.masks.empty() ? Ids() : values_of<int32_t>(batch.masks[0]));
  DeviceVector<uint32_t> masks(batch.masks.empty() ? std::vector<uint32_t>() : values_of<uint32_t>(batch.masks[1]));
  DeviceVector<int32_t> ids(Ids(rows, -77)), top_ids(Ids(20 * rows, -77));
  DeviceVector<float> logprobs(std::vector<float>(rows, -77)), top_logprobs(std::vector<float>(20 * rows, -77));
  const bool edits = batch.history_ids.size() + batch.bias_ids.size() > 0 || !batch.masks.empty();
  const auto vocabulary = static_cast<int32_t>(batch.V);
  DeviceVector<uint8_t> scratch(
      std::vector<uint8_t>(cuda::sample_scratch_bytes(static_cast<int32_t>(batch.N), vocabulary, edits), 0xee));
  cuda::SampleParams p{};
  p.ids = ids.data();
  p.logprobs = logprobs.data();
  p.top_ids = top_ids.data();
  p.top_logprobs = top_logprobs.data();
  p.logits = type == DType::F32 ? static_cast<void*>(f32.data()) : static_cast<void*>(bf16.data());
  p.params = params.data();
  p.seeds = seeds.data();
  p.history_offsets = history_offsets.data();
  p.history_ids = history_ids.data();
  p.bias_offsets = bias_offsets.data();
  p.bias_ids = bias_ids.data();
  p.bias_values = bias_values.data();
  p.masked = batch.masks.empty() ? nullptr : masked.data();
  p.masks = batch.masks.empty() ? nullptr : masks.data();
  p.scratch = cuda::sample_scratch(scratch.data(), static_cast<int32_t>(batch.N), vocabulary, edits);
  p.logits_stride = stride;
  p.rows = static_cast<int32_t>(batch.N);
  p.vocabulary = vocabulary;
  p.history_count = static_cast<int32_t>(batch.history_ids.size());
  p.bias_count = static_cast<int32_t>(batch.bias_ids.size());
  cuda::sample(cuda_queue(), type, p);
  for (const bool intact : {ids.guards_intact(), logprobs.guards_intact(), top_ids.guards_intact(),
                            top_logprobs.guards_intact(), scratch.guards_intact(), f32.guards_intact()})
    CHECK(intact);
  for (int64_t n = 0; n < batch.N; ++n) {
    batch.ids_out.at<int32_t>(n) = ids.read()[static_cast<size_t>(n)];
    batch.logprobs.set(n, logprobs.read()[static_cast<size_t>(n)]);
  }
  for (int64_t i = 0; i < 20 * batch.N; ++i) {
    batch.top_ids.at<int32_t>(i) = top_ids.read()[static_cast<size_t>(i)];
    batch.top_logprobs.set(i, top_logprobs.read()[static_cast<size_t>(i)]);
  }
}

bool close(float got, float want) {
  if (got == want) return true;
  return std::fabs(got - want) <= 0x1p-23f * std::fabs(want) + static_cast<float>(kLogprobSlack);
}

// The same draws as the CPU's, and the same reports.
void expect_cpu(Batch& got) {
  Batch want = got;
  run_reference(want.call());
  for (int64_t n = 0; n < got.N && current_ok; ++n) {
    if (got.id(n) != want.id(n) || !close(got.logprobs.f32(n), want.logprobs.f32(n))) {
      std::printf("  row %ld: expected id %d at %.9g, got %d at %.9g\n", static_cast<long>(n), want.id(n),
                  want.logprobs.f32(n), got.id(n), got.logprobs.f32(n));
      CHECK(false);
    }
    for (int64_t i = 20 * n; i < 20 * n + 20; ++i) {
      if (got.top_ids.at<int32_t>(i) == want.top_ids.at<int32_t>(i) && close(got.top_logprobs.f32(i), want.top_logprobs.f32(i))) continue;
      std::printf("  row %ld, place %ld: expected %d at %.9g, got %d at %.9g\n", static_cast<long>(n),
                  static_cast<long>(i % 20), want.top_ids.at<int32_t>(i), want.top_logprobs.f32(i),
                  got.top_ids.at<int32_t>(i), got.top_logprobs.f32(i));
      CHECK(false);
      return;
    }
  }
}

void run_checked(Batch& batch) {
  run_kernels(batch);
  expect_cpu(batch);
}

Batch seeded(const std::vector<Row>& rows, uint64_t seed) {
  Batch batch(rows);
  for (int64_t n = 0; n < batch.N; ++n) batch.seed(n, seed, static_cast<uint64_t>(n) << 31);
  return batch;
}

Row random_row(Random& random, int64_t V, float scale, const Options& options) {
  Row row{{}, options, {}, {}};
  for (int64_t v = 0; v < V; ++v) row.logits.push_back(scale * random.normal());
  return row;
}

// With one order of threads: the tests of three seeds meet the same code.
void once(const std::string& name, const std::function<void()>& body) {
  if (std::getenv("HADAL_TEST_MUTANT") != nullptr) return kernel_test(name, body);
  test(name, [&] {
    body();
    expect_no_hazards();
  });
}

// Every filter by itself, in pairs and all, small and large.
const Options kOptions[] = {
    {0}, {1}, {0.6f}, {1, 0.9f}, {1, 1, 1}, {1, 1, 40}, {1, 1, 3000}, {1, 1, 0, 0.05f}, {0.7f, 0.95f, 50},
    {1, 0.5f, 2500, 0.001f}, {1.3f, 0.999f}, {1, 0.8f, 0, 0.2f}, {2, 1, 400, 0.01f}, {0.9f, 0.3f, 7, 0.5f}};

void vocabulary_tests() {
  for (const int32_t V : {1, 33, 511, 513, 4096, 4097, 9000}) {
    const auto in_both_scales = [V](float even, float odd, uint64_t seed) {
      Random random(seed);
      std::vector<Row> rows;
      for (const Options& o : kOptions) {
        rows.push_back(random_row(random, V, rows.size() % 2 ? odd : even, o));
        rows.back().options.wanted = static_cast<float>(rows.size() * 3 % 21);
      }
      Batch batch = seeded(rows, seed);
      run_checked(batch);
    };
    (V == 4097 ? kernel_test : once)("every filter, V = " + std::to_string(V), [&] {
      padding = 0;
      in_both_scales(3, 0.1f, 5);
      padding = 3;
      in_both_scales(0.1f, 3, 6);
      padding = 0;
    });
  }
  kernel_test("lists: long histories, biases that repeat, at both ends of slices", [] {
    Random random(4);
    std::vector<Row> rows;
    for (const Options& options : kOptions) {
      Options o = options;
      o.repetition = 1.2f;
      o.presence = 0.3f;
      o.frequency = 0.1f;
      Row row = random_row(random, 9000, 2, o);
      for (int i = 0; i < 700; ++i) row.history.push_back(static_cast<int32_t>(random.below(i % 2 ? 9000 : 40)));
      for (const int32_t id : {0, 4095, 4096, 8191, 8192, 8999, 4095, 0, 0}) {
        row.history.push_back(id);
        row.bias.emplace_back(id, 1e-3f + random.normal());
      }
      for (int i = 0; i < 300; ++i) row.bias.emplace_back(static_cast<int32_t>(random.below(9000)), 3 * random.normal());
      rows.push_back(row);
      rows.push_back(random_row(random, 9000, 2, o));  // no lists beside one with them
    }
    Batch batch = seeded(rows, 6);
    run_checked(batch);
  });
}

// Rows whose candidates are too many for a list.
void flat_tests() {
  kernel_test("flat rows and crowded ties: thresholds by histogram, exact to the tie", [] {
    Random random(8);
    std::vector<Row> rows;
    const auto add = [&](const std::function<float(int)>& logit, const Options& o) {
      Row row{{}, o, {}, {}};
      for (int v = 0; v < 9000; ++v) row.logits.push_back(logit(v));
      rows.push_back(row);
    };
    for (const Options& o : {Options{1, 1, 2500}, Options{1, 0.7f}, Options{1, 0.7f, 6000}, Options{5, 0.9f, 0, 0.7f},
                             Options{50, 0.99f}, Options{1, 1, 8999}, Options{1, 0.999f, 3000, 0.9f}}) {
      add([&](int) { return random.normal(); }, o);
      add([&](int) { return 0.25f; }, o);                                            // all equal
      add([&](int v) { return v % 3 == 0 ? 1.0f : 0.5f; }, o);                       // two values
      add([&](int v) { return -1.0f + static_cast<float>(v % 4500) * 0x1p-23f; }, o);  // neighbouring floats
      add([&](int v) { return v % 2 ? 100.0f * random.normal() : -INFINITY; }, o);
      add([&](int v) { return v % 7 == 0 ? NAN : 1e-3f * random.normal(); }, o);
      add([&](int v) { return v < 10 ? 30.0f : random.normal(); }, o);
    }
    Batch batch = seeded(rows, 9);
    run_checked(batch);
  });
  once("tokens that tie at the threshold are kept from the lowest id on", [] {
    Row row{std::vector<float>(9000, 0.5f), {1, 0.5f, 6000}, {}, {}};
    row.logits[100] = row.logits[8000] = 1.5f;
    Batch batch = repeated(row, 24, 3);
    run_checked(batch);
    int32_t last = 0;
    for (int64_t n = 0; n < batch.N; ++n) last = std::max(last, batch.id(n) == 8000 ? 0 : batch.id(n));
    CHECK(last > 2000 && last < 3010);
  });
}

void slice_tests() {
  kernel_test("the largest logit in several slices: the lowest id", [] {
    std::vector<Row> rows(2);
    for (Row& row : rows) {
      row.logits.assign(9000, -1);
      row.options = {0};
    }
    for (const size_t id : {4500, 5200, 8999}) rows[0].logits[id] = 3;
    for (const size_t id : {700, 6000}) rows[1].logits[id] = -0.5f;
    Batch batch = seeded(rows, 21);
    run_checked(batch);
    CHECK(batch.id(0) == 4500 && batch.id(1) == 700);
  });
}

void mask_tests() {
  kernel_test("masks: one id, all ids, none, every third; rows without keep their bits", [] {
    for (const int32_t V : {1, 31, 33, 512, 5000}) {
      Random random(static_cast<uint64_t>(V));
      std::vector<Row> rows;
      for (int i = 0; i < 12; ++i) rows.push_back(random_row(random, V, 2, i % 3 ? Options{1, 0.9f, 0, 0, 1, 0, 0, 5} : Options{0}));
      rows[7].bias = {{V - 1, INFINITY}};
      Batch free = seeded(rows, 1), batch = free;
      Ids all, third;
      for (int32_t id = 0; id < V; ++id) {
        all.push_back(id);
        if (id % 3 == 0) third.push_back(id);
      }
      for (const int64_t n : {1, 3}) batch.mask(n, {V / 2});
      for (const int64_t n : {2, 6}) batch.mask(n, all);
      for (const int64_t n : {4, 9}) batch.mask(n, {});
      for (const int64_t n : {5, 8}) batch.mask(n, third);
      rows.resize(12);
      batch.mask(7, V > 1 ? Ids{0} : Ids{});  // the infinite bias meets a masked id
      run_checked(batch);
      CHECK(batch.id(1) == V / 2 && batch.id(3) == V / 2 && batch.id(4) == -1 && batch.id(9) == -1);
    }
  });
}

void company_tests() {
  kernel_test("a row gives the same bits alone and in company", [] {
    Random random(12);
    std::vector<Row> rows;
    for (const Options& o : kOptions) {
      rows.push_back(random_row(random, 9001, 2, o));
      rows.back().options.wanted = 20;
    }
    Batch all = seeded(rows, 3);
    run_checked(all);
    for (int64_t n = 0; n < all.N; n += 3) {
      Batch one({rows[static_cast<size_t>(n)]}, 0);
      one.seed(0, 3, static_cast<uint64_t>(n) << 31);
      run_kernels(one);
      CHECK(one.id(0) == all.id(n) && one.logprobs.f32(0) == all.logprobs.f32(n));
      for (int64_t i = 0; i < 20; ++i) CHECK(one.top_logprobs.f32(i) == all.top_logprobs.f32(20 * n + i));
    }
  });
  once("BF16 logits are drawn from as the same values in F32", [] {
    Random random(13);
    std::vector<Row> rows;
    for (const Options& o : kOptions) {
      rows.push_back(random_row(random, 4500, 2, o));
      rows.back().options.wanted = 20;
      rows.back().logits = from_bf16(to_bf16(rows.back().logits));
    }
    for (padding = 0; padding < 4 && current_ok; ++padding) {
      Batch batch = seeded(rows, 3);
      run_kernels(batch, DType::BF16);
      expect_cpu(batch);
    }
    padding = 0;
  });
  once("163840 tokens, the largest vocabulary of a published model", [] {
    Random random(14);
    std::vector<Row> rows;
    for (const Options& o : {Options{0, 1, 0, 0, 1, 0, 0, 20}, Options{1}, Options{0.6f, 0.95f}, Options{1, 1, 50}})
      rows.push_back(random_row(random, 163840, 3, o));
    Batch batch = seeded(rows, 2);
    run_checked(batch);
  });
}

// What the CPU refuses comes as a code in the row's id, and the other rows are not disturbed.
void code_tests() {
  const auto code = [](const Row& bad) {
    int32_t got = 0;
    for (const float temperature : {0.0f, 1.0f}) {
      const Row good{{3, 1, 2}, {temperature}, {}, {}};
      Row row = bad;
      if (row.options.temperature == 1) row.options.temperature = temperature;
      Batch batch({good, row, good});
      run_kernels(batch);
      CHECK(batch.id(0) >= 0 && batch.id(2) >= 0 && batch.logprobs.f32(1) == 0);
      CHECK(temperature == 0 || batch.id(1) == got);
      got = batch.id(1);
    }
    return got;
  };
  once("rows without a finite largest logit, or without any id, say so", [&] {
    CHECK(code({{NAN, NAN, NAN}, {}, {}, {}}) == cuda::kSampleNoFiniteLogit);
    CHECK(code({{-INFINITY, NAN, -INFINITY}, {}, {}, {}}) == cuda::kSampleNoFiniteLogit);
    CHECK(code({{1, INFINITY, 2}, {}, {}, {}}) == cuda::kSampleNoFiniteLogit);
    CHECK(code({{1, 2, -INFINITY}, {}, {}, {{0, -INFINITY}, {1, -INFINITY}}}) == cuda::kSampleNothing);
    CHECK(code({{1, 2, 3}, {}, {}, {{0, NAN}, {1, NAN}, {2, NAN}}}) == cuda::kSampleNothing);
    CHECK(code({{1, 2, 3}, {}, {}, {{1, INFINITY}}}) == cuda::kSampleInfiniteEdit);
    CHECK(code({{1, 2, 3}, {1, 1, 0, 0, 1e-40f}, {1}, {}}) == cuda::kSampleInfiniteEdit);
    CHECK(code({{1, 2, 3}, {1, 1, 0, 0, 1, -3e38f, -3e38f}, {1, 1}, {}}) == cuda::kSampleInfiniteEdit);
  });
  once("parameters out of range and lists that lead outside say so, and nothing is read there", [&] {
    for (const Options& o : {Options{-0.1f}, Options{NAN}, Options{INFINITY}, Options{1, 0}, Options{1, 1.01f}, Options{1, NAN},
                             Options{1, 1, -1}, Options{1, 1, 1e9f}, Options{1, 1, NAN}, Options{1, 1, 0, 1.1f},
                             Options{1, 1, 0, -1}, Options{1, 1, 0, 0, 0}, Options{1, 1, 0, 0, INFINITY},
                             Options{1, 1, 0, 0, 1, NAN}, Options{1, 1, 0, 0, 1, 0, -INFINITY},
                             Options{1, 1, 0, 0, 1, 0, 0, 21}, Options{1, 1, 0, 0, 1, 0, 0, NAN}})
      CHECK(code({{1, 2, 3}, o, {1}, {{1, 1}}}) == cuda::kSampleBadInput);
    for (const int32_t id : {-1, 3, INT32_MAX, INT32_MIN}) {
      CHECK(code({{1, 2, 3}, {1, 1, 0, 0, 1, 1}, {id}, {}}) == cuda::kSampleBadInput);
      CHECK(code({{1, 2, 3}, {}, {}, {{id, 1}}}) == cuda::kSampleBadInput);
    }
    const Row row{{1, 2, 3}, {}, {0, 1}, {{0, 1}, {2, 1}}};
    for (Array Batch::* list : {&Batch::history_offsets, &Batch::bias_offsets})
      for (const auto& [at, bad] : {std::pair{2, 5}, {2, 1}, {0, -1}, {2, INT32_MIN}}) {
        Batch batch({row, row});
        (batch.*list).at<int32_t>(at) = bad;
        run_kernels(batch);
        CHECK(batch.id(at == 0 ? 0 : 1) == cuda::kSampleBadInput);
      }
  });
}

void refusal_tests() {
  test("shapes and missing tensors are refused", [] {
    alignas(16) static uint8_t memory[4096];
    const auto refused = [](const char* part, const std::function<void(cuda::SampleParams&)>& spoil) {
      cuda::SampleParams p{};
      p.logits_stride = p.vocabulary = 8;
      p.rows = 1;
      p.scratch = cuda::sample_scratch(memory, 1, 8, false);
      spoil(p);
      CHECK(throws(HADAL_ERROR_INVALID, part, [&] { cuda::sample(cuda_queue(), DType::F32, p); }));
    };
    refused("vocabulary: expected 1 to 262144, got 0", [](auto& p) { p.vocabulary = 0; });
    refused("vocabulary: expected 1 to 262144, got 262145", [](auto& p) { p.vocabulary = 262145; });
    refused("rows: expected 0 to 65535, got 65536", [](auto& p) { p.rows = 65536; });
    refused("logits: expected rows at least 8 apart, got 7", [](auto& p) { p.logits_stride = 7; });
    refused("masked and masks together, got one", [](auto& p) { p.masks = reinterpret_cast<uint32_t*>(memory); });
    refused("history: expected offsets and ids, got null", [](auto& p) { p.history_count = 1; });
    refused("bias: expected offsets, ids and values, got null", [](auto& p) { p.bias_count = 1; });
    refused("scratch: expected memory, got null", [](auto& p) { p.scratch.slices = nullptr; });
    refused("scratch: expected a place for edited logits, got null", [](auto& p) {
      p.masks = reinterpret_cast<uint32_t*>(memory);
      p.masked = reinterpret_cast<int32_t*>(memory);
    });
    cuda::SampleParams p{};
    CHECK(throws(HADAL_ERROR_INVALID, "expected F32 or BF16, got F16",
                 [&] { cuda::sample(cuda_queue(), DType::F16, p); }));
    Batch none({}, 0);
    run_kernels(none);
  });
}

}  // namespace

int main() {
  // Few draws: each is also the CPU's own, and the CPU's are held against the distribution by the ten thousand.
  const SamplingCases cases{once, run_checked, 40, 64, kLogprobSlack};
  sampling_argmax_cases(cases);
  sampling_support_cases(cases);
  // Of a planted fault they show nothing that the others do not, in a third of the time.
  if (std::getenv("HADAL_TEST_MUTANT") == nullptr) sampling_distribution_cases(cases);
  sampling_logprob_cases(cases);
  sampling_number_cases(cases);
  vocabulary_tests();
  flat_tests();
  slice_tests();
  mask_tests();
  company_tests();
  code_tests();
  refusal_tests();
  return finish();
}
