// sample on the CPU: the cases of every backend on every instruction set, and draws that depend on seed and counter
// alone.
#include "tests/sampling_cases.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

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
  const SamplingCases cases{test, run_everywhere, 3000, 20000, 1e-14};
  sampling_argmax_cases(cases);
  sampling_support_cases(cases);
  sampling_distribution_cases(cases);
  seed_tests();
  return finish();
}
