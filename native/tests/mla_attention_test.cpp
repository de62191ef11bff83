// mla_attention over a cache that write_kv filled: the oracle against a double softmax, every vector form
// against its F32 bound, the causal limit, invariance bit for bit, and what is refused.
#include "tests/attention_case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;

Heads mla(int64_t H, int64_t L, int64_t R, double scale = 0) { return {H, 1, L + R, L, R, scale}; }

// Decodes beside prefills; together they need more than one chunk of 512 positions.
const std::vector<Sequence> kCompany = {{1, 1}, {63, 1}, {64, 5}, {65, 65}, {129, 3}, {1000, 2}};

void value_tests() {
  for (const D dtype : {D::F32, D::BF16, D::F16}) {
    const std::string name = dtype_name(dtype);
    test("one token at each context length, cache in " + name, [&] {
      for (const int64_t length : {1, 2, 63, 64, 65, 129, 511, 512, 513, 1000}) {
        for (const Heads& heads : {mla(1, 7, 2), mla(3, 33, 6), mla(16, 40, 8)}) {
          expect_step({heads, dtype, {{length, 1}}, static_cast<uint64_t>(length), length % 2 ? 3 : 0});
          if (!current_ok) return;
        }
      }
    });
    test("prefill and decode rows of six sequences in one step, cache in " + name, [&] {
      for (const Heads& heads : {mla(1, 16, 4), mla(3, 5, 1), mla(16, 31, 10), mla(17, 20, 4), mla(40, 9, 2)})
        expect_step({heads, dtype, kCompany, static_cast<uint64_t>(heads.H), heads.H % 2 ? 5 : 0});
    });
    test("V3's own dimensions, cache in " + name, [&] {
      expect_step({mla(16, 512, 64, 0.1352337788608801), dtype, {{130, 2}, {600, 1}}});
    });
    test("scores of tens of thousands neither overflow nor lose the winner, cache in " + name, [&] {
      for (const double scale : {1.0, -1.0})
        expect_step({mla(5, 32, 8, scale), dtype, {{1, 1}, {64, 64}, {700, 2}}, 5, 0, Fill::integers});
    });
  }
  test("a scale of zero averages the values", [] {
    Step step(*benches().front().device, {mla(2, 12, 4, 1e-300), D::F32, {{100, 1}}});
    const Expected want = expected(step);
    for (const Bench& bench : benches()) {
      Array out = step.output();
      Call call = step.call(out);
      call.attributes = {0};
      run(*bench.device, call, Form::fast);
      CHECK(matches(out, want, 1, bench.name));
    }
  });
  test("one visible position gives its value exactly, whatever the score", [] {
    for (const float size : {0.0f, 1.0f, 1e4f, -1e4f, 1e18f}) {
      Step step(*benches().front().device, {mla(3, 21, 4), D::F32, {{1, 1}, {1, 1}}});
      for (int64_t i = 0; i < step.queries.size(); ++i) step.queries.set(i, size);
      for (const Bench& bench : benches()) {
        for (const Form form : {Form::reference, Form::fast}) {
          Array out = step.output();
          run(*bench.device, step.call(out), form);
          for (int64_t i = 0; i < out.size(); ++i) {
            const auto s = static_cast<size_t>(step.tokens[static_cast<size_t>(i / 63)].sequence);
            CHECK(out.f32(i) == step.keys[s][static_cast<size_t>(i % 21)]);
          }
        }
      }
    }
  });
}

void causal_tests() {
  test("a NaN row reaches the tokens at and after its position and no others", [] {
    const std::vector<Sequence> sequences = {{600, 90}, {70, 70}};
    for (const int64_t poisoned : {520, 575, 576, 599}) {
      for (const Bench& bench : benches()) {
        Step step(*bench.device, {mla(3, 12, 4), D::BF16, sequences, 4});
        Array clean = step.output(), out = step.output();
        run(*bench.device, step.call(clean), Form::fast);
        const int64_t block = step.table.at<int32_t>(poisoned / 64);
        step.k_cache.front().set((block * 64 + poisoned % 64) * 16 + 5, NAN);
        for (const Form form : {Form::reference, Form::fast}) {
          run(*bench.device, step.call(out), form);
          for (int64_t i = 0; i < out.size() && current_ok; ++i) {
            const Token& token = step.tokens[static_cast<size_t>(i / 36)];
            const bool reached = token.sequence == 0 && token.position >= poisoned;
            CHECK(std::isnan(out.f32(i)) == reached);
            if (form == Form::fast && !reached) CHECK(out.f32(i) == clean.f32(i));
          }
          if (!current_ok) return;
        }
      }
    }
  });
  test("a NaN query gives NaN and never an average of the values", [] {
    for (const bool rope : {false, true}) {
      for (const int64_t length : {1, 9, 64, 700}) {
        for (const Bench& bench : benches()) {
          for (const Form form : {Form::reference, Form::fast}) {
            Step step(*bench.device, {mla(3, 12, 4), D::F16, {{length, 1}, {5, 1}}});
            const int64_t t = step.tokens[0].sequence == 0 ? 0 : 1;
            (rope ? step.ropes : step.queries).set((t * 3 + 1) * (rope ? 4 : 12), NAN);
            Array out = step.output();
            run(*bench.device, step.call(out), form);
            for (int64_t i = 0; i < out.size(); ++i) CHECK(std::isnan(out.f32(i)) == (i / 12 == t * 3 + 1));
          }
          if (!current_ok) return;
        }
      }
    }
  });
}

void invariance_tests() {
  test("a token has the same bits alone, in company, on any thread count, wherever its blocks lie", [] {
    const std::vector<Sequence> company = {{1, 1}, {64, 2}, {513, 2}, {1000, 1}, {1600, 1}};
    for (const D dtype : {D::F32, D::F16}) {
      expect_invariant({mla(3, 40, 8), dtype, company, 6});
      expect_invariant({mla(17, 21, 6), dtype, company, 7});
      expect_invariant({mla(1, 64, 16), dtype, kCompany, 8});
    }
  });
  test("a prefill in chunks has the bits of a prefill at once", [] {
    for (const Bench& bench : benches()) {
      Step step(*bench.device, {mla(4, 24, 8), D::F16, {{580, 100}}, 9});
      Array all = step.output();
      run(*bench.device, step.call(all), Form::fast);
      for (const int64_t size : {1, 7, 64}) {
        for (int64_t begin = 0; begin < step.T(); begin += size) {
          std::vector<int64_t> chunk;
          for (int64_t t = begin; t < std::min(step.T(), begin + size); ++t) chunk.push_back(t);
          const Array part = step.run_alone(*bench.device, chunk);
          for (int64_t i = 0; i < part.size(); ++i) CHECK(part.f32(i) == all.f32(begin * 96 + i));
        }
      }
    }
  });
}

void shape_refusals() {
  const auto refused = [](const char* part, const Call& call) {
    CHECK(throws(HADAL_ERROR_INVALID, part, [&] { run_reference(call); }));
  };
  test("wrong shapes, dtypes and attributes are refused with what was expected and what came", [&] {
    Array out(D::F32, {2, 3, 8}), q(D::F32, {2, 3, 8}), pe(D::F32, {2, 3, 4}), cache(D::F16, {3, 64, 12});
    Array at(D::I32, {2}), of(D::I32, {2}), table(D::I32, {2, 3});
    const auto with = [&](size_t i, const Array& other) {
      std::vector<std::vector<Tensor>> args = {{out.view()}, {q.view()},  {pe.view()},   {cache.view()},
                                               {at.view()},  {of.view()}, {table.view()}};
      args[i] = {other.view()};
      return Call{"mla_attention", args, {1}};
    };
    run_reference(with(0, out));
    refused("out: expected [2, 3, 8] F32 with last stride 1, got [2, 3, 9] F32", with(0, Array(D::F32, {2, 3, 9})));
    refused("out: expected [2, 3, 8] F32 with last stride 1, got [2, 3, 8] F16", with(0, Array(D::F16, {2, 3, 8})));
    refused("q: expected [any, any, any] F32 with last stride 1, got [2, 24] F32", with(1, Array(D::F32, {2, 24})));
    refused("q_pe: expected [2, 3, any] F32 with last stride 1, got [2, 2, 4] F32", with(2, Array(D::F32, {2, 2, 4})));
    refused("cache: expected [any, 64, 12] F32 or BF16 or F16 with last stride 1, got [3, 64, 8] F16",
            with(3, Array(D::F16, {3, 64, 8})));
    refused("cache: expected [any, 64, 12]", with(3, Array(D::F16, {3, 32, 12})));
    refused("got [3, 64, 12] F8_E4M3", with(3, Array(D::F8_E4M3, {3, 64, 12})));
    refused("positions: expected [2] I32 with last stride 1, got [3] I32", with(4, Array(D::I32, {3})));
    refused("token_seq: expected [2] I32 with last stride 1, got [2] F32", with(5, Array(D::F32, {2})));
    refused("block_table: expected [any, any] I32 with last stride 1, got [6] I32", with(6, Array(D::I32, {6})));
    Call call = with(0, out);
    for (const double bad : {static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
      call.attributes = {bad};
      refused("softmax scale: expected a finite number, got", call);
    }
    call = with(0, out);
    call.args[3].clear();
    refused("cache): expected one tensor, got 0", call);
  });
  test("no heads are refused and do not divide by zero", [&] {
    Array q(D::F32, {1, 0, 8}), pe(D::F32, {1, 0, 4}), cache(D::F32, {1, 64, 12});
    Array one(D::I32, {1}), table(D::I32, {1, 1});
    for (const Form form : {Form::reference, Form::fast})
      CHECK(throws(HADAL_ERROR_INVALID, "mla_attention: heads: expected a multiple of 1, at least 1, got 0", [&] {
        run(*benches().front().device,
            {"mla_attention",
             {{q.view()}, {q.view()}, {pe.view()}, {cache.view()}, {one.view()}, {one.view()}, {table.view()}},
             {1}},
            form);
      }));
  });
}

void value_refusals() {
  test("positions, sequences and blocks that lead outside are refused by both forms", [] {
    for (const Form form : {Form::reference, Form::fast}) {
      Step step(*benches().front().device, {mla(2, 8, 4), D::F32, {{130, 3}, {64, 1}}});
      Array out = step.output();
      const auto refused = [&](const char* part, int32_t& place, int32_t bad) {
        const int32_t good = place;
        place = bad;
        CHECK(throws(HADAL_ERROR_INVALID, part, [&] { run(*benches().front().device, step.call(out), form); }));
        place = good;
      };
      refused("positions[1]: expected 0 to 255, got 256", step.positions.at<int32_t>(1), 256);
      refused("positions[0]: expected 0 to 255, got -1", step.positions.at<int32_t>(0), -1);
      refused("positions[3]: expected 0 to 255, got 2147483647", step.positions.at<int32_t>(3), INT32_MAX);
      refused("token_seq[2]: expected 0 to 1, got 2", step.token_seq.at<int32_t>(2), 2);
      refused("token_seq[0]: expected 0 to 1, got -2147483648", step.token_seq.at<int32_t>(0), INT32_MIN);
      for (int64_t b = 0; b < 3; ++b) {
        char part[100];
        std::snprintf(part, sizeof part, "block_table[0][%d]: expected 0 to 5, got 6", static_cast<int>(b));
        refused(part, step.table.at<int32_t>(b), 6);
        refused("got -1", step.table.at<int32_t>(b), -1);
      }
      refused("block_table[1][0]: expected 0 to 5, got 2147483647", step.table.at<int32_t>(4), INT32_MAX);
      run(*benches().front().device, step.call(out), form);
    }
  });
  test("no tokens are no work, whatever the table holds", [] {
    for (const Bench& bench : benches()) {
      for (const Form form : {Form::reference, Form::fast}) {
        Step step(*bench.device, {mla(2, 8, 4), D::F32, {{70, 0}}});
        Array out = step.output();
        for (int64_t i = 0; i < step.table.size(); ++i) step.table.at<int32_t>(i) = -1;
        run(*bench.device, step.call(out), form);
        CHECK(out.guards_intact());
      }
    }
  });
}

}  // namespace

int main() {
  value_tests();
  causal_tests();
  invariance_tests();
  shape_refusals();
  value_refusals();
  return finish();
}
