// sample: the reported logprobs, logits and biases that are not numbers, the smallest and the real vocabulary,
// and what is refused.
#include "tests/sampling_case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;

// log-softmax of the raw logits in double, to the last bit of F32.
bool logprob_is(float got, const std::vector<float>& logits, size_t id) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const float z : logits) total += std::exp(z - top);
  const double want = logits[id] - top - std::log(total);
  return got == want || std::fabs(got - want) <= 0x1p-24 * std::fabs(want) + 1e-14;
}

bool reports_well(Batch& batch, int64_t n, const Row& row) {
  if (!logprob_is(batch.logprobs.f32(n), row.logits, static_cast<size_t>(batch.id(n)))) return false;
  std::vector<size_t> by(row.logits.size());
  std::iota(by.begin(), by.end(), 0);
  std::stable_sort(by.begin(), by.end(), [&](size_t a, size_t b) { return row.logits[a] > row.logits[b]; });
  const auto have = std::min(static_cast<size_t>(row.options.wanted), by.size());
  for (size_t i = 0; i < 20; ++i) {
    const int64_t at = 20 * n + static_cast<int64_t>(i);
    if (i < have) {
      if (batch.top_ids.at<int32_t>(at) != static_cast<int32_t>(by[i])) return false;
      if (!logprob_is(batch.top_logprobs.f32(at), row.logits, by[i])) return false;
    } else if (batch.top_ids.at<int32_t>(at) != -1 || batch.top_logprobs.f32(at) != -INFINITY) {
      return false;
    }
  }
  return true;
}

void logprob_tests() {
  test("logprobs are those of the raw logits whatever the options, the most likely first, ties by id", [] {
    Random random(4);
    for (const int V : {1, 2, 19, 20, 21, 1000}) {
      std::vector<Row> rows;
      for (int i = 0; i <= 20; ++i) {
        Row row{{}, {i % 3 * 0.7f, 0.9f, 40, 0.01f, 1.3f, 0.5f, 0.2f, static_cast<float>(i)}, {0, 0}, {{0, 3}}};
        for (int v = 0; v < V; ++v)  // steps of ¼ tie often; every fifth row has large ones
          row.logits.push_back(std::round(8 * random.normal()) / 4 + (i % 5 ? 0 : 1e4f));
        rows.push_back(row);
      }
      for (const Bench& bench : benches()) {
        Batch batch(rows);
        for (int64_t n = 0; n < batch.N; ++n) batch.seed(n, 3, static_cast<uint64_t>(n));
        batch.run_on(*bench.device);
        for (int64_t n = 0; n < batch.N; ++n) CHECK(reports_well(batch, n, rows[static_cast<size_t>(n)]));
        if (!current_ok) return;
      }
    }
  });
  test("a vocabulary of one token", [] {
    for (const float temperature : {0.0f, 1.0f}) {
      Batch batch({{{-3}, {temperature, 0.5f, 1, 1, 2, 1, 1, 20}, {0}, {{0, -5}}}});
      batch.run_on(*benches().front().device);
      CHECK(batch.id(0) == 0 && batch.logprobs.f32(0) == 0);
      CHECK(batch.top_ids.at<int32_t>(0) == 0 && batch.top_ids.at<int32_t>(1) == -1);
    }
  });
  test("V3's vocabulary of 129280 tokens", [] {
    Random random(12);
    Row row{{}, {0.6f, 0.95f, 0, 0, 1, 0, 0, 20}, {129279, 129279}, {{129279, 0}}};
    for (int v = 0; v < 129280; ++v) row.logits.push_back(4 * random.normal());
    row.logits[129279] = 40;
    std::vector<Row> rows(4, row);
    rows[0].options.temperature = 0;
    rows[1].bias = {{129279, -100}};
    rows[3].options.temperature = 50;  // flat: top-p sorts most of the vocabulary
    Batch batch(rows);
    batch.run_on(*benches().back().device);
    CHECK(batch.id(0) == 129279 && batch.id(1) != 129279 && batch.id(2) == 129279);
    for (int64_t n = 0; n < 4; ++n) CHECK(reports_well(batch, n, rows[static_cast<size_t>(n)]));
    CHECK(distribution(rows[1])[static_cast<size_t>(batch.id(1))] > 0);
    CHECK(distribution(rows[3])[static_cast<size_t>(batch.id(3))] > 0);
  });
}

void expect_refused(const char* part, const Row& row) {
  for (const float temperature : {0.0f, 1.0f}) {
    Batch batch({{{0, 0, 0}, {}, {}, {}}, row});
    batch.params.set(8, temperature);
    CHECK(throws(HADAL_ERROR_INVALID, part, [&] { run_reference(batch.call()); }));
  }
}

void hostile_tests() {
  test("tokens of −∞ and NaN are never chosen; their place in the report", [] {
    Options all;
    all.wanted = 20;
    const Row row{{-INFINITY, 1, NAN, 1, -INFINITY}, all, {0, 2}, {{0, 5}, {2, 5}}};
    CHECK(support(row) == (std::vector<int32_t>{1, 3}));
    Batch batch({row, row});
    batch.params.set(8, 0);
    batch.run_on(*benches().front().device);
    CHECK(batch.id(1) == 1);
    for (int64_t n = 0; n < 2; ++n) {
      CHECK(std::fabs(batch.logprobs.f32(n) + 0.6931472f) < 1e-6f);
      const int32_t ids[] = {1, 3, 0, 4, -1};
      for (int64_t i = 0; i < 5; ++i) CHECK(batch.top_ids.at<int32_t>(20 * n + i) == ids[i]);
      for (int64_t i = 2; i < 20; ++i) CHECK(batch.top_logprobs.f32(20 * n + i) == -INFINITY);
    }
    CHECK(support({{NAN, 0, NAN}, {1, 0.9f, 2, 0.1f}, {}, {}}) == (std::vector<int32_t>{1}));
  });
  test("without a finite largest logit the row is refused and named", [] {
    expect_refused("row 1: expected a finite largest logit, got -inf", {{NAN, NAN, NAN}, {}, {}, {}});
    expect_refused("row 1: expected a finite largest logit, got -inf", {{-INFINITY, NAN, -INFINITY}, {}, {}, {}});
    expect_refused("row 1: expected a finite largest logit, got inf", {{1, INFINITY, 2}, {}, {}, {}});
  });
  test("a row that its bias masks altogether is refused", [] {
    expect_refused("row 1: expected a token that the logit bias leaves possible, got none",
                   {{1, 2, -INFINITY}, {}, {}, {{0, -INFINITY}, {1, -INFINITY}}});
    expect_refused("leaves possible, got none", {{1, 2, 3}, {}, {}, {{0, NAN}, {1, NAN}, {2, NAN}}});
  });
  test("bias and penalties that end in +∞ are refused, at every temperature alike", [] {
    expect_refused("row 1: expected a finite largest logit after bias and penalties, got inf",
                   {{1, 2, 3}, {}, {}, {{1, INFINITY}}});
    Options o;
    o.repetition = 1e-40f;
    expect_refused("after bias and penalties, got inf", {{1, 2, 3}, o, {1}, {}});
    o.repetition = 1;
    o.presence = -3e38f;
    o.frequency = -3e38f;
    expect_refused("after bias and penalties, got inf", {{1, 2, 3}, o, {1, 1}, {}});
  });
  test("huge finite logits, biases and penalties are drawn from as any others", [] {
    CHECK(support({{3e38f, -3e38f, 3e38f}, {}, {}, {}}) == (std::vector<int32_t>{0, 2}));
    CHECK(support({{1, 2, 3}, {}, {}, {{1, 1e6f}}}) == (std::vector<int32_t>{1}));
    CHECK(support({{1, 1, 3}, {1, 1, 0, 0, 1, 1e30f, 0}, {2}, {}}) == (std::vector<int32_t>{0, 1}));
  });
}

void value_refusals() {
  test("parameters out of range are refused with their row", [] {
    struct Bad {
      int64_t place;
      float value;
      const char* part;
    };
    for (const Bad& bad : {Bad{0, -0.1f, "temperature: expected 0 or more, got -0.1"}, Bad{0, NAN, "temperature"},
                           Bad{0, INFINITY, "temperature"}, Bad{1, 0, "top_p: expected above 0 up to 1, got 0"},
                           Bad{1, 1.01f, "top_p"}, Bad{1, NAN, "top_p"},
                           Bad{2, -1, "top_k: expected 0 or more, got -1"},
                           Bad{2, 1e9f, "top_k"}, Bad{2, NAN, "top_k"}, Bad{3, 1.1f, "min_p: expected 0 to 1, got 1.1"},
                           Bad{3, -1, "min_p"}, Bad{3, NAN, "min_p"},
                           Bad{4, 0, "repetition penalty: expected above 0, got 0"},
                           Bad{4, INFINITY, "repetition"}, Bad{4, NAN, "repetition"},
                           Bad{5, NAN, "penalties: expected finite"},
                           Bad{6, -INFINITY, "penalties: expected finite, got 0, -inf"},
                           Bad{7, 21, "top logprobs: expected 0 to 20, got 21"}, Bad{7, -1, "top logprobs"},
                           Bad{7, NAN, "top logprobs"}}) {
      Batch batch({{{1, 2}, {}, {}, {}}, {{1, 2}, {}, {}, {}}});
      batch.params.set(8 + bad.place, bad.value);
      CHECK(throws(HADAL_ERROR_INVALID, bad.part, [&] { run_reference(batch.call()); }));
      CHECK(throws(HADAL_ERROR_INVALID, "row 1: ", [&] { run_reference(batch.call()); }));
    }
  });
  test("lists whose offsets or ids lead outside are refused", [] {
    const Row row{{1, 2, 3}, {}, {0, 1}, {{0, 1}, {2, 1}}};
    const auto refused = [&](const char* part, Array Batch::* list, int64_t at, int32_t bad) {
      Batch batch({row, row});
      (batch.*list).at<int32_t>(at) = bad;
      CHECK(throws(HADAL_ERROR_INVALID, part, [&] { run_reference(batch.call()); }));
    };
    for (Array Batch::* list : {&Batch::history_offsets, &Batch::bias_offsets}) {
      refused("row 1: offsets: expected ascending values up to 4, got 2, 5", list, 2, 5);
      refused("row 1: offsets: expected ascending values up to 4, got 2, 1", list, 2, 1);
      refused("row 0: offsets: expected ascending values up to 4, got -1, 2", list, 0, -1);
      refused("row 1: offsets: expected ascending values up to 4, got 2, -2147483648", list, 2, INT32_MIN);
    }
    refused("history_ids: expected ids below 3, got 3", &Batch::history_ids, 3, 3);
    refused("history_ids: expected ids below 3, got -1", &Batch::history_ids, 0, -1);
    refused("bias_ids: expected ids below 3, got 2147483647", &Batch::bias_ids, 1, INT32_MAX);
    refused("bias_ids: expected ids below 3, got -1", &Batch::bias_ids, 2, -1);
  });
}

void shape_refusals() {
  test("wrong shapes and dtypes are refused with what was expected and what came", [] {
    const Row row{{1, 2, 3}, {}, {0}, {{0, 1}}};
    const auto refused = [&](const char* part, size_t i, const Array& other) {
      Batch batch({row, row});
      Call call = batch.call();
      call.args[i] = {other.view()};
      CHECK(throws(HADAL_ERROR_INVALID, part, [&] { run_reference(call); }));
    };
    refused("ids: expected [2] I32 with last stride 1, got [3] I32", 0, Array(D::I32, {3}));
    refused("logprobs: expected [2] F32 with last stride 1, got [2] F16", 1, Array(D::F16, {2}));
    refused("top_ids: expected [2, 20] I32 with last stride 1, got [2, 19] I32", 2, Array(D::I32, {2, 19}));
    refused("top_logprobs: expected [2, 20] F32 with last stride 1, got [1, 20] F32", 3, Array(D::F32, {1, 20}));
    refused("logits: expected [any, any] F32 with last stride 1, got [2, 3] BF16", 4, Array(D::BF16, {2, 3}));
    refused("params: expected [2, 8] F32 with last stride 1, got [2, 7] F32", 5, Array(D::F32, {2, 7}));
    refused("seeds: expected [2, 4] I32 with last stride 1, got [2, 3] I32", 6, Array(D::I32, {2, 3}));
    refused("offsets: expected at least 3 entries, got 2", 7, Array(D::I32, {2}));
    refused("history_ids: expected [any] I32 with last stride 1, got [1] F32", 8, Array(D::F32, {1}));
    refused("offsets: expected at least 3 entries, got 1", 9, Array(D::I32, {1}));
    refused("bias_values: expected [5] F32 with last stride 1, got [2] F32", 10, Array(D::I32, {5}));
    refused("bias_values: expected [2] F32 with last stride 1, got [2, 1] F32", 11, Array(D::F32, {2, 1}));
  });
  test("no rows are no work; no vocabulary is refused", [] {
    for (const Bench& bench : benches()) {
      Batch none({}, 0);
      none.run_on(*bench.device);
      Batch empty(std::vector<Row>(1));
      CHECK(throws(HADAL_ERROR_INVALID, "finite largest logit", [&] { empty.run_on(*bench.device); }));
    }
  });
}

}  // namespace

int main() {
  logprob_tests();
  hostile_tests();
  value_refusals();
  shape_refusals();
  return finish();
}
