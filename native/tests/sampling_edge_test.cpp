// sample: the reported logprobs, logits and biases that are not numbers, the smallest and the real vocabulary,
// and what is refused.
#include "tests/sampling_cases.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;

void expect_refused(const char* part, const Row& row) {
  for (const float temperature : {0.0f, 1.0f}) {
    Batch batch({{{0, 0, 0}, {}, {}, {}}, row});
    batch.params.set(8, temperature);
    CHECK(throws(HADAL_ERROR_INVALID, part, [&] { run_reference(batch.call()); }));
  }
}

void hostile_tests() {
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
  const SamplingCases cases{test, run_everywhere, 3000, 20000, 1e-14};
  sampling_logprob_cases(cases);
  sampling_number_cases(cases);
  hostile_tests();
  value_refusals();
  shape_refusals();
  return finish();
}
