// sample with masks: rows that are not masked keep their bits, masked ones choose among the allowed alone, and
// logprobs stay those of the raw logits. The op's other rules are tested elsewhere.
#include "tests/case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

struct Step {
  Array ids, logprobs, top_ids, top_logprobs, logits, params, seeds, offsets, list, values, masked, masks;
  Step(int64_t N, int64_t V, uint64_t seed)
      : ids(DType::I32, {N}), logprobs(DType::F32, {N}), top_ids(DType::I32, {N, 20}), top_logprobs(DType::F32, {N, 20}),
        logits(Random(seed).array(DType::F32, {N, V}, 2)), params(DType::F32, {N, 8}), seeds(DType::I32, {N, 4}),
        offsets(DType::I32, {N + 1}), list(DType::I32, {1}), values(DType::F32, {1}), masked(DType::I32, {N}),
        masks(DType::I32, {N, (V + 31) / 32}) {
    for (int64_t n = 0; n < N; ++n) {
      const float row[] = {1, 1, 0, 0, 1, 0, 0, 5};
      for (int64_t i = 0; i < 8; ++i) params.at<float>(n * 8 + i) = row[i];
      seeds.at<int32_t>(n * 4) = static_cast<int32_t>(seed * 100 + static_cast<uint64_t>(n));
    }
  }
  Call call(bool with_masks) {
    std::vector<std::vector<Tensor>> args = {{ids.view()}, {logprobs.view()}, {top_ids.view()}, {top_logprobs.view()},
        {logits.view()}, {params.view()}, {seeds.view()}, {offsets.view()}, {list.view()}, {offsets.view()}, {list.view()}, {values.view()}};
    if (with_masks) args.insert(args.end(), {{masked.view()}, {masks.view()}});
    return {"sample", args};
  }
  void allow(int64_t n, int32_t id) {
    masks.at<uint32_t>(n * masks.shape()[1] + id / 32) |= 1u << (id % 32);
  }
};

void run_everywhere(Step& step, bool with_masks) {
  for (Bench& bench : benches()) run(*bench.device, step.call(with_masks), Form::fast);
}

}  // namespace

int main() {
  for (const int64_t V : {1, 31, 32, 33, 512, 1000}) {
    test("masks, V = " + std::to_string(V), [&] {
      for (uint64_t seed = 0; seed < 20; ++seed) {
        Step free(4, V, seed), step(4, V, seed);
        run_everywhere(free, false);
        run_everywhere(step, true);
        CHECK(free.ids.same_bits(step.ids) && free.logprobs.same_bits(step.logprobs));
        step.masked.at<int32_t>(1) = step.masked.at<int32_t>(2) = step.masked.at<int32_t>(3) = 1;
        const auto only = static_cast<int32_t>(seed % static_cast<uint64_t>(V));
        step.allow(1, only);
        for (int32_t id = 0; id < V; ++id) step.allow(2, id);
        run_everywhere(step, true);
        CHECK(step.ids.at<int32_t>(0) == free.ids.at<int32_t>(0));
        CHECK(step.ids.at<int32_t>(1) == only);
        CHECK(step.ids.at<int32_t>(2) == free.ids.at<int32_t>(2));
        CHECK(step.ids.at<int32_t>(3) == -1);  // nothing allowed: its own trouble, no failed step
        double top = -INFINITY, sum = 0;
        for (int64_t i = 0; i < V; ++i) top = std::fmax(top, step.logits.f32(V + i));
        for (int64_t i = 0; i < V; ++i) sum += std::exp(step.logits.f32(V + i) - top);
        CHECK(std::fabs(step.logprobs.f32(1) - (step.logits.f32(V + only) - top - std::log(sum))) < 1e-5);
        CHECK(std::memcmp(&free.top_ids.at<int32_t>(20), &step.top_ids.at<int32_t>(20), 80) == 0);
        CHECK(step.ids.guards_intact() && step.masks.guards_intact());
      }
    });
  }
  test("greedy takes the best of the allowed; NaN is never chosen", [] {
    Step step(1, 40, 3);
    step.params.at<float>(0) = 0;
    step.masked.at<int32_t>(0) = 1;
    for (const int32_t id : {3, 17, 39}) step.allow(0, id);
    step.logits.at<float>(3) = 1, step.logits.at<float>(17) = 2, step.logits.at<float>(39) = NAN, step.logits.at<float>(5) = 9;
    run_everywhere(step, true);
    CHECK(step.ids.at<int32_t>(0) == 17);
  });
  test("shapes are checked", [] {
    Step step(2, 64, 1);
    Array narrow(DType::I32, {2, 1}), floats(DType::F32, {2, 2});
    HostDevice& device = *benches().front().device;
    Call one = step.call(true);
    one.args.pop_back();
    CHECK(throws(HADAL_ERROR_INVALID, "together", [&] { run(device, one, Form::fast); }));
    for (const Array* wrong : {&narrow, &floats}) {
      Call call = step.call(true);
      call.args.back() = {wrong->view()};
      CHECK(throws(HADAL_ERROR_INVALID, "masks", [&] { run(device, call, Form::fast); }));
    }
  });
  return finish();
}
