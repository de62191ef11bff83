// gated_top_k on the CPU: the cases of every backend on every instruction set, one body alone and in company, and
// what is refused.
#include "tests/routing_case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;

void expect_routing(Routing& r) {
  run_reference(r.call());
  for (int64_t t = 0; t < r.T() && current_ok; ++t) CHECK(routed_well(r, t));
  for (const Bench& bench : benches()) {
    Routing fast = r;
    for (int64_t i = 0; i < fast.ids.size(); ++i) fast.ids.at<int32_t>(i) = -7;
    run(*bench.device, fast.call(), Form::fast);
    CHECK(fast.ids.same_bits(r.ids) && fast.weights.same_bits(r.weights));
    CHECK(fast.ids.guards_intact() && fast.weights.guards_intact());
    if (!current_ok) return;
  }
}

void run_everywhere(Routing& r) {
  for (const Bench& bench : benches()) run(*bench.device, r.call(), Form::fast);
}

void company_tests() {
  test("more tokens than one task takes, bit for bit as alone", [] {
    for (const Gate& gate : {Gate{256, 8, false, 8, 4, 2, true, 2.5}, Gate{5, 2, true}}) {
      Random random(5);
      Routing all(gate, random.array(D::F32, {300, gate.E}));
      all.bias.push_back(random.array(D::F32, {gate.E}, 0.1f));
      expect_routing(all);
      for (const int64_t t : {0, 1, 150, 299}) {
        Routing one(gate, Array(D::F32, {1, gate.E}));
        one.bias = all.bias;
        for (int64_t e = 0; e < gate.E; ++e) one.logits.set(e, all.logits.f32(t * gate.E + e));
        for (const Bench& bench : benches()) {
          run(*bench.device, one.call(), Form::fast);
          for (int64_t k = 0; k < gate.K; ++k)
            CHECK(one.id(k) == all.id(t * gate.K + k) && one.weights.f32(k) == all.weights.f32(t * gate.K + k));
        }
      }
    }
  });
}

void refusal_tests() {
  const auto refused = [](const char* part, const Call& call) {
    CHECK(throws(HADAL_ERROR_INVALID, part, [&] { run_reference(call); }));
  };
  test("wrong shapes, dtypes and attributes are refused with what was expected and what came", [&] {
    Array logits(D::F32, {2, 8}), ids(D::I32, {2, 3}), weights(D::F32, {2, 3}), bias(D::F32, {8});
    Array half(D::BF16, {2, 8});
    Array short_bias(D::F32, {7}), floats(D::F32, {2, 3}), wide(D::F32, {2, 4}), many(D::I32, {2, 9});
    Array none(D::I32, {2, 0});
    Array many_weights(D::F32, {2, 9}), no_weights(D::F32, {2, 0}), padded(D::I32, {2, 3}, 1), rows(D::I32, {3, 3});
    const std::vector<double> plain = {0, 1, 1, 0, 1, 1};
    const auto with = [&](const Array& i, const Array& w, const Array& l, const Array& b,
                          const std::vector<double>& a) {
      return Call{"gated_top_k", {{i.view()}, {w.view()}, {l.view()}, {b.view()}}, a};
    };
    run_reference(with(ids, weights, logits, bias, plain));
    refused("logits: expected [any, any] F32 with last stride 1, got [2, 8] BF16",
            with(ids, weights, half, bias, plain));
    refused("ids: expected [2, any] I32 with last stride 1, got [2, 3] F32",
            with(floats, weights, logits, bias, plain));
    refused("ids: expected [2, any] I32 with last stride 1, got [3, 3] I32", with(rows, weights, logits, bias, plain));
    refused("ids: expected a contiguous tensor, got strides 4, 1", with(padded, weights, logits, bias, plain));
    refused("weights: expected [2, 3] F32 with last stride 1, got [2, 4] F32", with(ids, wide, logits, bias, plain));
    refused("bias: expected [8] F32 with last stride 1, got [7] F32", with(ids, weights, logits, short_bias, plain));
    refused("expected 1 to 8 experts per token, got 9", with(many, many_weights, logits, bias, plain));
    refused("expected 1 to 8 experts per token, got 0", with(none, no_weights, logits, bias, plain));
    struct Bad {
      size_t attribute;
      double value;
      const char* part;
    };
    for (const Bad& bad : {Bad{0, 2, "scoring: expected a whole number from 0 to 1, got 2"},
                           Bad{1, 0, "groups: expected a whole number from 1 to 8, got 0"},
                           Bad{1, 9, "groups: expected a whole number from 1 to 8, got 9"},
                           Bad{1, 3, "groups: expected a divisor of 8 experts, got 3"},
                           Bad{2, 2, "groups kept: expected a whole number from 1 to 1, got 2"},
                           Bad{3, 3, "group score: expected a whole number from 0 to 2, got 3"},
                           Bad{4, 0.5, "normalise: expected a whole number from 0 to 1, got 0.5"},
                           Bad{5, INFINITY, "scale: expected a finite number, got inf"}}) {
      std::vector<double> attributes = plain;
      attributes[bad.attribute] = bad.value;
      refused(bad.part, with(ids, weights, logits, bias, attributes));
    }
    refused("expected 1 to 2 experts per token, got 3", with(ids, weights, logits, bias, {0, 4, 1, 2, 1, 1}));
  });
  test("no tokens are no work", [] {
    for (const Bench& bench : benches()) {
      Routing r({8, 3}, Array(D::F32, {0, 8}));
      run(*bench.device, r.call(), Form::fast);
      CHECK(r.ids.guards_intact());
    }
  });
}

}  // namespace

int main() {
  const RoutingCases cases{test, run_everywhere, expect_routing, 40};
  routing_value_cases(cases);
  company_tests();
  routing_by_hand_cases(cases);
  routing_hostile_cases(cases);
  refusal_tests();
  return finish();
}
