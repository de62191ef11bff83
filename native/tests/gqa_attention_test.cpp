// gqa_attention over caches that write_kv filled: grouped heads against a double softmax, every vector form
// against its F32 bound, invariance bit for bit, and what is refused. write_kv itself is held here too.
#include "tests/attention_case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;

const std::vector<Sequence> kCompany = {{1, 1}, {63, 1}, {64, 5}, {65, 65}, {129, 3}, {1000, 2}};

void value_tests() {
  // Head counts 1, 3, 16; one, some and all KV heads; more than 16 query heads to a KV head; d ≠ dv.
  const Heads shapes[] = {{1, 1, 16, 16},  {3, 1, 7, 7},    {3, 3, 5, 9},
                          {16, 4, 24, 24}, {16, 16, 13, 6}, {34, 2, 10, 17}};
  for (const D dtype : {D::F32, D::BF16, D::F16}) {
    const std::string name = dtype_name(dtype);
    test("one token at each context length, caches in " + name, [&] {
      for (const int64_t length : {1, 2, 63, 64, 65, 129, 511, 512, 513, 1000}) {
        for (const Heads& heads : {shapes[0], shapes[2], shapes[3]}) {
          expect_step({heads, dtype, {{length, 1}}, static_cast<uint64_t>(length), length % 2 ? 3 : 0});
          if (!current_ok) return;
        }
      }
    });
    test("prefill and decode rows of six sequences in one step, caches in " + name, [&] {
      for (const Heads& heads : shapes)
        expect_step({heads, dtype, kCompany, static_cast<uint64_t>(heads.H), heads.H % 2 ? 5 : 0});
    });
    test("the dimensions of a distilled model, caches in " + name, [&] {
      expect_step({{12, 2, 128, 128}, dtype, {{130, 2}, {700, 1}}});
    });
    test("scores of tens of thousands neither overflow nor lose the winner, caches in " + name, [&] {
      for (const double scale : {1.0, -1.0})
        expect_step({{6, 2, 40, 20, 0, scale}, dtype, {{1, 1}, {64, 64}, {700, 2}}, 5, 0, Fill::integers});
    });
  }
  test("a NaN query or key gives NaN for its head alone and never an average of the values", [] {
    for (const bool key : {false, true}) {
      for (const int64_t length : {1, 9, 64, 700}) {
        for (const Bench& bench : benches()) {
          for (const Form form : {Form::reference, Form::fast}) {
            Step step(*bench.device, {{4, 2, 12, 6}, D::F32, {{length, 1}}});
            if (key) step.k_cache.front().set(step.table.at<int32_t>(0) * 64 * 24 + 13, NAN);  // KV head 1
            else step.queries.set(3 * 12, NAN);
            Array out = step.output();
            run(*bench.device, step.call(out), form);
            for (int64_t i = 0; i < out.size(); ++i)
              CHECK(std::isnan(out.f32(i)) == (i / 6 == 3 || (key && i / 6 == 2)));
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
    for (const D dtype : {D::BF16, D::F16}) {
      expect_invariant({{3, 1, 40, 40}, dtype, company, 6});
      expect_invariant({{18, 1, 21, 9}, dtype, company, 7});
      expect_invariant({{8, 4, 16, 16}, dtype, kCompany, 8});
    }
  });
}

void shape_refusals() {
  const auto refused = [](const char* part, const Call& call) {
    CHECK(throws(HADAL_ERROR_INVALID, part, [&] { run_reference(call); }));
  };
  test("wrong shapes, dtypes and attributes are refused with what was expected and what came", [&] {
    Array out(D::F32, {2, 4, 6}), q(D::F32, {2, 4, 8}), k(D::F16, {3, 64, 16}), v(D::F16, {3, 64, 12});
    Array at(D::I32, {2}), of(D::I32, {2}), table(D::I32, {2, 3});
    const auto with = [&](size_t i, const Array& other) {
      std::vector<std::vector<Tensor>> args = {{out.view()}, {q.view()},  {k.view()},    {v.view()},
                                               {at.view()},  {of.view()}, {table.view()}};
      args[i] = {other.view()};
      return Call{"gqa_attention", args, {2, 1}};
    };
    run_reference(with(0, out));
    refused("out: expected [2, 4, any] F32 with last stride 1, got [2, 3, 6] F32", with(0, Array(D::F32, {2, 3, 6})));
    refused("q: expected [any, any, any] F32 with last stride 1, got [2, 4, 8] BF16",
            with(1, Array(D::BF16, {2, 4, 8})));
    refused("k_cache: expected [any, 64, 16] F32 or BF16 or F16 with last stride 1, got [3, 64, 8] F16",
            with(2, Array(D::F16, {3, 64, 8})));
    refused("got [3, 65, 16] F16", with(2, Array(D::F16, {3, 65, 16})));
    refused("v_cache: expected [3, 64, 12] F16 with last stride 1, got [2, 64, 12] F16",
            with(3, Array(D::F16, {2, 64, 12})));
    refused("v_cache: expected [3, 64, 12] F16", with(3, Array(D::F32, {3, 64, 12})));
    refused("v_cache: expected [3, 64, 12] F16", with(3, Array(D::F16, {3, 64, 14})));
    refused("positions: expected [2] I32 with last stride 1, got [1] I32", with(4, Array(D::I32, {1})));
    refused("token_seq: expected [2] I32 with last stride 1, got [2, 1] I32", with(5, Array(D::I32, {2, 1})));
    refused("block_table: expected [any, any] I32 with last stride 1, got [2, 3] U8", with(6, Array(D::U8, {2, 3})));
    for (const double bad : {0.0, 5.0, -1.0, 1.5, static_cast<double>(NAN)}) {
      Call call = with(0, out);
      call.attributes[0] = bad;
      refused("kv heads: expected a whole number from 1 to 4, got", call);
    }
    Call call = with(0, out);
    call.attributes = {3, 1};
    refused("kv heads: expected a divisor of 4 query heads, got 3", call);
    call.attributes = {2, INFINITY};
    refused("softmax scale: expected a finite number, got inf", call);
  });
}

void value_refusals() {
  test("positions, sequences and blocks that lead outside are refused by both forms", [] {
    for (const Form form : {Form::reference, Form::fast}) {
      Step step(*benches().front().device, {{2, 1, 8, 8}, D::F32, {{130, 3}, {64, 1}}});
      Array out = step.output();
      const auto refused = [&](const char* part, int32_t& place, int32_t bad) {
        const int32_t good = place;
        place = bad;
        CHECK(throws(HADAL_ERROR_INVALID, part, [&] { run(*benches().front().device, step.call(out), form); }));
        place = good;
      };
      refused("gqa_attention: positions[1]: expected 0 to 255, got 256", step.positions.at<int32_t>(1), 256);
      refused("positions[0]: expected 0 to 255, got -1", step.positions.at<int32_t>(0), -1);
      refused("token_seq[2]: expected 0 to 1, got 2", step.token_seq.at<int32_t>(2), 2);
      refused("token_seq[0]: expected 0 to 1, got -1", step.token_seq.at<int32_t>(0), -1);
      refused("block_table[0][2]: expected 0 to 5, got 6", step.table.at<int32_t>(2), 6);
      refused("block_table[1][0]: expected 0 to 5, got -1", step.table.at<int32_t>(4), -1);
      run(*benches().front().device, step.call(out), form);
    }
  });
  test("no tokens are no work, whatever the table holds", [] {
    for (const Bench& bench : benches()) {
      for (const Form form : {Form::reference, Form::fast}) {
        Step step(*bench.device, {{4, 2, 8, 8}, D::F32, {{70, 0}}});
        Array out = step.output();
        for (int64_t i = 0; i < step.table.size(); ++i) step.table.at<int32_t>(i) = -1;
        run(*bench.device, step.call(out), form);
        CHECK(out.guards_intact());
      }
    }
  });
}

// Values whose rounding is not plain: ties, the largest, overflow, subnormals, zeros, infinities, NaN.
const float kHard[] = {1.00390625f, 1.01171875f, 1.00048828125f, 65504.0f, 65519.9f, 65520.0f, 1e30f,  3.4e38f, 6e-8f,
                       2.9e-8f,     1e-40f,      -0.0f,          INFINITY, -1e30f,   NAN,      -1e-7f, 6.1e-5f};

void write_tests() {
  for (const D dtype : {D::F32, D::BF16, D::F16}) {
    test(std::string("write_kv rounds into its slots and touches nothing else, cache in ") + dtype_name(dtype), [&] {
      for (const Bench& bench : benches()) {
        for (const Form form : {Form::reference, Form::fast}) {
          for (const int64_t C : {1, 15, 16, 17, 576}) {
            Array cache(dtype, {3, 64, C}, 3), src(D::F32, {5, C}, 2), slots = ints({5}, {191, -1, 0, 64, 63});
            Array want(dtype, {3, 64, C}, 3);
            for (int64_t i = 0; i < cache.size(); ++i) cache.set(i, 7);
            want = cache;
            for (int64_t i = 0; i < src.size(); ++i) src.set(i, kHard[i * 5 % 17]);
            for (int64_t i = 0; i < src.size(); ++i)
              if (const int32_t slot = slots.at<int32_t>(i / C); slot >= 0) want.set(slot * C + i % C, src.f32(i));
            run(*bench.device, {"write_kv", {{cache.view()}, {src.view()}, {slots.view()}}}, form);
            CHECK(cache.guards_intact() && distance(cache, want) == 0);
            for (int64_t i = 0; i < cache.size(); ++i) CHECK(std::signbit(cache.f32(i)) == std::signbit(want.f32(i)));
          }
          if (!current_ok) return;
        }
      }
    });
  }
  test("write_kv saturates F16 at 65504 and keeps NaN", [] {
    for (const Bench& bench : benches()) {
      Array cache(D::F16, {1, 64, 3}), src(D::F32, {1, 3}), slots = ints({1}, {1});
      for (int64_t i = 0; i < 3; ++i) src.set(i, i == 0 ? 1e9f : i == 1 ? -INFINITY : NAN);
      run(*bench.device, {"write_kv", {{cache.view()}, {src.view()}, {slots.view()}}}, Form::fast);
      CHECK(cache.f32(3) == 65504 && cache.f32(4) == -65504 && std::isnan(cache.f32(5)));
    }
  });
  test("write_kv refuses slots outside, other widths and other dtypes; no rows are no work", [] {
    Array cache(D::F16, {3, 64, 4}), src(D::F32, {2, 4}), slots = ints({2}, {0, 192}), narrow(D::F32, {2, 3});
    Array no_rows(D::F32, {0, 4}), no_slots(D::I32, {0}), fp8(D::F8_E4M3, {3, 64, 4});
    for (const Form form : {Form::reference, Form::fast}) {
      const auto refused = [&](const char* part, const Array& to, const Array& from) {
        CHECK(throws(HADAL_ERROR_INVALID, part, [&] {
          run(*benches().front().device, {"write_kv", {{to.view()}, {from.view()}, {slots.view()}}}, form);
        }));
      };
      slots.at<int32_t>(1) = 192;
      refused("write_kv: slots[1]: expected -1 to 191, got 192", cache, src);
      slots.at<int32_t>(1) = -2;
      refused("slots[1]: expected -1 to 191, got -2", cache, src);
      slots.at<int32_t>(1) = 5;
      refused("cache: expected [any, 64, 3] F32 or BF16 or F16", cache, narrow);
      refused("got [3, 64, 4] F8_E4M3", fp8, src);
      refused("slots: expected [0] I32", cache, no_rows);
      run(*benches().front().device, {"write_kv", {{cache.view()}, {no_rows.view()}, {no_slots.view()}}}, form);
    }
  });
}

}  // namespace

int main() {
  value_tests();
  invariance_tests();
  shape_refusals();
  value_refusals();
  write_tests();
  return finish();
}
