// gated_top_k on CUDA: the CPU's cases, counts of pairs, rows alone and in company bit for bit, strided rows that
// are read by 4 or by 16 bytes, and what is refused.
#include "cuda/routing/gated_top_k.h"
#include "tests/cuda/cuda_case.h"
#include "tests/routing_case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

cuda::GatedTopKParams params_of(const Gate& gate, int64_t tokens) {
  cuda::GatedTopKParams p{};
  p.logits_stride = gate.E;
  p.tokens = static_cast<int32_t>(tokens);
  p.experts = static_cast<int32_t>(gate.E);
  p.chosen = static_cast<int32_t>(gate.K);
  p.groups = static_cast<int32_t>(gate.groups);
  p.groups_kept = static_cast<int32_t>(gate.kept);
  p.group_score = gate.group_score;
  p.softmax = gate.softmax;
  p.normalise = gate.normalise;
  p.scale = static_cast<float>(gate.scale);
  return p;
}

bool supported(const Gate& gate) {
  if (gate.group_score == 0 || gate.kept == gate.groups) return true;
  return gate.groups <= 32 && (gate.groups & (gate.groups - 1)) == 0;
}

// The routing's own arrays as the kernel's; counts must be those of the ids.
void run_on_cuda(Routing& r) {
  const int64_t E = r.gate.E, padding = r.T() % 2 == 0 ? 0 : 3;
  std::vector<float> logits;
  for (int64_t t = 0; t < r.T(); ++t)
    for (int64_t e = 0; e < E + padding; ++e) logits.push_back(e < E ? r.logits.f32(t * E + e) : NAN);
  std::vector<float> bias;
  for (int64_t e = 0; e < E && !r.bias.empty(); ++e) bias.push_back(r.bias[0].f32(e));
  const auto pairs = static_cast<size_t>(r.T() * r.gate.K);
  DeviceVector<float> device_logits(logits), device_bias(bias), weights(pairs);
  DeviceVector<int32_t> ids(pairs), counts(static_cast<size_t>(E));
  device_logits.written_by_kernel();
  cuda::GatedTopKParams p = params_of(r.gate, r.T());
  p.ids = ids.data();
  p.weights = weights.data();
  p.logits = device_logits.data();
  p.bias = bias.empty() ? nullptr : device_bias.data();
  p.counts = padding == 0 ? counts.data() : nullptr;
  p.logits_stride = E + padding;
  cuda::gated_top_k(cuda_queue(), p);
  CHECK(ids.guards_intact() && weights.guards_intact() && counts.guards_intact());
  std::vector<int32_t> want(static_cast<size_t>(E));
  for (size_t i = 0; i < pairs; ++i) {
    r.ids.at<int32_t>(static_cast<int64_t>(i)) = ids.read()[i];
    r.weights.set(static_cast<int64_t>(i), weights.read()[i]);
    if (p.counts != nullptr && ids.read()[i] >= 0 && ids.read()[i] < E) ++want[static_cast<size_t>(ids.read()[i])];
  }
  CHECK(counts.read() == want);
}

void run_or_refuse(Routing& r) {
  if (supported(r.gate)) return run_on_cuda(r);
  CHECK(throws(HADAL_ERROR_INVALID, "expected 1, 2, 4, 8, 16 or 32 on CUDA", [&] { run_on_cuda(r); }));
  run_reference(r.call());  // so that the case has something to look at
}

void expect_on_cuda(Routing& r) {
  run_or_refuse(r);
  for (int64_t t = 0; t < r.T() && current_ok; ++t) CHECK(routed_well(r, t));
}

Routing random_routing(const Gate& gate, int64_t tokens, uint64_t seed) {
  Random random(seed);
  Routing r(gate, random.array(DType::F32, {tokens, gate.E}, 2));
  r.bias.push_back(random.array(DType::F32, {gate.E}, 0.1f));
  return r;
}

const Gate kModels[] = {
    {256, 8, false, 8, 4, 2, true, 2.5},  // V3
    {160, 6, true, 8, 3, 1, false, 16},   // V2
    {64, 6, false, 1, 1, 2, true, 2.446},  // Moonlight
    {384, 8, false, 1, 1, 2, true, 2.827},  // Kimi K2
    {512, 16, false, 32, 9, 2, true, 1},
    {512, 16, true, 1, 1, 0, true, 1},
};

void company_tests() {
  kernel_test("models' gates, tokens alone and in company bit for bit", [] {
    for (const Gate& gate : kModels) {
      for (const int64_t T : {0, 1, 7, 32, 33}) {
        Routing all = random_routing(gate, T, static_cast<uint64_t>(gate.E));
        expect_on_cuda(all);
        if (T == 0 || !current_ok) continue;
        Routing one(gate, Array(DType::F32, {1, gate.E}));
        one.bias = all.bias;
        for (int64_t e = 0; e < gate.E; ++e) one.logits.set(e, all.logits.f32((T - 1) * gate.E + e));
        run_on_cuda(one);
        for (int64_t k = 0; k < gate.K; ++k) {
          const int64_t at = (T - 1) * gate.K + k;
          CHECK(one.id(k) == all.id(at) && one.weights.f32(k) == all.weights.f32(at));
        }
      }
    }
  });
  test("4096 tokens, more than the grid has warps", [] {
    Routing r = random_routing(kModels[0], 4096, 1);
    expect_on_cuda(r);
    expect_no_hazards();
  });
}

// Logits one last bit apart: their scores are equal or one last bit apart, and an exponential of FP32 alone would
// order some of them otherwise than the oracle does.
void near_tie_tests() {
  kernel_test("experts whose logits are neighbouring floats are chosen as by the oracle", [] {
    const Gate gate{64, 8};
    const int64_t T = 40;
    Routing r(gate, Array(DType::F32, {T, gate.E}));
    for (int64_t t = 0; t < T; ++t) {
      float logit = -3 + 0.15f * static_cast<float>(t);
      for (int64_t e = 0; e < gate.E; ++e) {
        r.logits.set(t * gate.E + e * 29 % gate.E, logit);
        logit = std::nextafter(logit, INFINITY);
      }
    }
    run_reference(r.call());
    std::vector<int32_t> expected;
    for (int64_t i = 0; i < T * gate.K; ++i) expected.push_back(r.id(i));
    run_on_cuda(r);
    for (int64_t i = 0; i < T * gate.K; ++i) {
      if (r.id(i) == expected[static_cast<size_t>(i)]) continue;
      std::printf("  token %ld choice %ld: expected %d, got %d\n", long(i / gate.K), long(i % gate.K),
                  expected[static_cast<size_t>(i)], r.id(i));
      CHECK(false);
      break;
    }
  });
}

void refusal_tests() {
  const auto refused = [](const char* part, const Gate& gate, int64_t stride = 1000) {
    cuda::GatedTopKParams p = params_of(gate, 1);
    p.logits_stride = stride;
    CHECK(throws(HADAL_ERROR_INVALID, part, [&] { cuda::gated_top_k(cuda_queue(), p); }));
  };
  test("shapes that are no gate or none of CUDA's are refused", [&] {
    refused("experts: expected 1 to 512, got 513", {513, 1});
    refused("experts per token: expected 1 to 16, got 17", {512, 17});
    refused("experts per token: expected 1 to 8, got 9", {16, 9, false, 2, 1, 1});
    refused("experts per token: expected 1 to 8, got 0", {8, 0});
    refused("groups: expected a divisor of 8 experts, got 3", {8, 1, false, 3});
    refused("groups kept: expected 1 to 2, got 3", {8, 1, false, 2, 3});
    refused("groups: expected 1, 2, 4, 8, 16 or 32 on CUDA, got 3", {12, 1, false, 3, 1, 1});
    refused("groups: expected 1, 2, 4, 8, 16 or 32 on CUDA, got 64", {64, 1, false, 64, 3, 1});
    refused("scale: expected a finite number, got inf", {8, 1, false, 1, 1, 0, true, INFINITY});
    refused("logits: expected rows at least 8 apart, got 7", {8, 1}, 7);
  });
}

}  // namespace

int main() {
  const RoutingCases cases{kernel_test, run_or_refuse, expect_on_cuda, 5};
  routing_value_cases(cases);
  routing_by_hand_cases(cases);
  routing_hostile_cases(cases);
  near_tie_tests();
  company_tests();
  refusal_tests();
  return finish();
}
