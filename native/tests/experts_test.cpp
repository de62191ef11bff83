// The products that pick their weights: grouped_gemm with the ops that order and combine experts, and the
// two projections of latent attention. Oracle and every vector form against a double sum written here.
#include "tests/products.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;

// --- projections ---------------------------------------------------------------------------------

struct Projection {
  int64_t T, H, dn, dv, L;
  Blocks blocks;
  D dtype;
  int64_t padding;
  Array w, scale, q, u;

  Projection(uint64_t seed, D type, std::initializer_list<int64_t> dims, Blocks b, int64_t pad = 0)
      : T(dims.begin()[0]), H(dims.begin()[1]), dn(dims.begin()[2]), dv(dims.begin()[3]), L(dims.begin()[4]),
        blocks(b), dtype(type), padding(pad), w(type, {H * (dn + dv), L}), scale(D::F32, {1, 1}),
        q(D::F32, {T, H, dn}, pad), u(D::F32, {T, H, L}, pad) {
    Random random(seed);
    w = random.array(type, {H * (dn + dv), L}, 0.2f);
    scale = random_scales(random, H * (dn + dv), L, blocks);
    q = random.array(D::F32, {T, H, dn}, 1, pad);
    u = random.array(D::F32, {T, H, L}, 1, pad);
  }
  bool fp8() const { return dtype == D::F8_E4M3; }
  Call call(const char* op, Array& out, Array& in) {
    const std::vector<Tensor> scales = fp8() ? std::vector<Tensor>{scale.view()} : std::vector<Tensor>{};
    const auto number = [](int64_t i) { return static_cast<double>(i); };
    return {op,
            {{out.view()}, {in.view()}, {w.view()}, scales},
            {number(dn), number(dv), number(blocks.rows), number(blocks.columns)}};
  }
  Call absorb(Array& out) { return call("mla_absorb_query", out, q); }
  Call expand(Array& out) { return call("mla_expand_value", out, u); }
  Array absorbed() const { return Array(D::F32, {T, H, L}, padding); }
  Array expanded() const { return Array(D::F32, {T, H, dv}, padding); }

  std::vector<Sum> sums(bool absorbing) const {
    const std::vector<double> weights = weight_values(w, fp8() ? &scale : nullptr, blocks);
    const int64_t columns = absorbing ? L : dv, terms = absorbing ? dn : L;
    std::vector<Sum> all(static_cast<size_t>(T * H * columns));
    for (size_t i = 0; i < all.size(); ++i) {
      const int64_t c = static_cast<int64_t>(i) % columns, th = static_cast<int64_t>(i) / columns, h = th % H;
      for (int64_t j = 0; j < terms; ++j) {
        const int64_t row = h * (dn + dv) + (absorbing ? j : dn + c), column = absorbing ? c : j;
        all[i].add((absorbing ? q : u).f32(th * terms + j) * weights[static_cast<size_t>(row * L + column)]);
      }
    }
    return all;
  }
};

void expect_projections(D dtype) {
  const Blocks usual{128, 128}, odd{12, 48};
  std::vector<Projection> cases;
  cases.emplace_back(2, dtype, std::initializer_list<int64_t>{1, 1, 1, 1, 2}, usual);
  cases.emplace_back(3, dtype, std::initializer_list<int64_t>{3, 3, 12, 20, 40}, odd, 3);
  cases.emplace_back(4, dtype, std::initializer_list<int64_t>{9, 5, 16, 7, 134}, odd);
  cases.emplace_back(5, dtype, std::initializer_list<int64_t>{12, 2, 9, 17, 200}, usual, 1);
  cases.emplace_back(6, dtype, std::initializer_list<int64_t>{2, 2, 128, 128, 512}, usual);
  for (Projection& p : cases) {
    const std::vector<Sum> absorbed_sums = p.sums(true), expanded_sums = p.sums(false);
    for (const Bench& bench : benches()) {
      for (const Form form : {Form::reference, Form::fast}) {
        Array absorbed = p.absorbed(), expanded = p.expanded();
        run(*bench.device, p.absorb(absorbed), form);
        run(*bench.device, p.expand(expanded), form);
        expect_sums(absorbed, absorbed_sums);
        expect_sums(expanded, expanded_sums);
        if (!current_ok) return;
      }
    }
  }
}

void expect_projections_alone(D dtype) {
  Projection all(7, dtype, {21, 3, 20, 12, 150}, {12, 48});
  for (const Bench& bench : benches()) {
    Array absorbed = all.absorbed(), expanded = all.expanded();
    run(*bench.device, all.absorb(absorbed), Form::fast);
    run(*bench.device, all.expand(expanded), Form::fast);
    for (const int64_t count : {1, 2, 3, 5, 8}) {
      Projection part(7, dtype, {count, 3, 20, 12, 150}, {12, 48});
      const int64_t first = 4 * 3;  // token 4, three heads each
      for (int64_t i = 0; i < part.q.size(); ++i) part.q.set(i, all.q.f32(first * 20 + i));
      for (int64_t i = 0; i < part.u.size(); ++i) part.u.set(i, all.u.f32(first * 150 + i));
      part.w = all.w;
      part.scale = all.scale;
      Array a = part.absorbed(), e = part.expanded();
      run(*bench.device, part.absorb(a), Form::fast);
      run(*bench.device, part.expand(e), Form::fast);
      for (int64_t i = 0; i < a.size(); ++i) CHECK(a.f32(i) == absorbed.f32(first * 150 + i));
      for (int64_t i = 0; i < e.size(); ++i) CHECK(e.f32(i) == expanded.f32(first * 12 + i));
      if (!current_ok) return;
    }
  }
}

void projection_tests() {
  for (const D dtype : {D::F32, D::BF16, D::F16, D::F8_E4M3}) {
    const std::string name = dtype_name(dtype);
    test("absorbing the query and expanding the value are the two halves of kv_b in " + name,
         [&] { expect_projections(dtype); });
    test("a token's projections by " + name + " have the same bits alone and in company",
         [&] { expect_projections_alone(dtype); });
  }
  test("projections refuse a kv_b of other rows, a scale out of place and a missing one", [] {
    Projection p(8, D::F8_E4M3, {2, 3, 4, 5, 6}, {128, 128});
    Array absorbed = p.absorbed(), expanded = p.expanded();
    Projection other(8, D::F8_E4M3, {2, 3, 4, 6, 6}, {128, 128});
    std::swap(p.w, other.w);
    refused("weight: expected [27, 6]", p.absorb(absorbed));
    refused("weight: expected [27, 6]", p.expand(expanded));
    std::swap(p.w, other.w);
    Call call = p.absorb(absorbed);
    call.args[3].clear();
    refused("scale: expected one", call);
    Projection plain(8, D::BF16, {2, 3, 4, 5, 6}, {128, 128});
    call = plain.expand(expanded);
    call.args[3] = {plain.scale.view()};
    refused("scale: expected none", call);
    refused("expected [2, 3, 5]", p.expand(absorbed));
  });
}

// --- experts -------------------------------------------------------------------------------------

struct Experts {
  int64_t T, K, E, n, k;
  Blocks blocks;
  Array ids, offsets, rows;
  std::vector<Array> weights, scale;

  // lonely: the expert that gets all pairs; −1 draws one for each.
  Experts(uint64_t seed, D dtype, std::initializer_list<int64_t> dims, Blocks b, int lonely = -1)
      : T(dims.begin()[0]), K(dims.begin()[1]), E(dims.begin()[2]), n(dims.begin()[3]), k(dims.begin()[4]),
        blocks(b), ids(D::I32, {T, K}), offsets(D::I32, {E + 1}), rows(D::I32, {T, K}) {
    Random random(seed);
    for (int64_t i = 0; i < ids.size(); ++i)
      ids.at<int32_t>(i) = static_cast<int32_t>(lonely >= 0 ? lonely : random.below(E));
    for (int64_t e = 0; e < E; ++e) {
      weights.push_back(random.array(dtype, {n, k}, 0.2f));
      if (dtype == D::F8_E4M3) scale.push_back(random_scales(random, n, k, blocks));
    }
  }
  Call permute() { return {"permute_tokens", {{offsets.view()}, {rows.view()}, {ids.view()}}}; }
  Call gemm(Array& out, Array& x) {
    std::vector<Tensor> w, s;
    for (Array& a : weights) w.push_back(a.view());
    for (Array& a : scale) s.push_back(a.view());
    return {"grouped_gemm",
            {{out.view()}, {x.view()}, {offsets.view()}, {rows.view()}, w, s},
            {static_cast<double>(blocks.rows), static_cast<double>(blocks.columns)}};
  }
  std::vector<Sum> sums(const Array& x) {
    std::vector<std::vector<double>> values;
    for (size_t e = 0; e < weights.size(); ++e)
      values.push_back(weight_values(weights[e], scale.empty() ? nullptr : &scale[e], blocks));
    const bool pairs = x.shape().size() == 3;
    std::vector<Sum> all(static_cast<size_t>(T * K * n));
    for (int64_t i = 0; i < T * K * n; ++i) {
      const int64_t pair = i / n, row = pairs ? pair : pair / K;
      const auto& w = values[static_cast<size_t>(ids.at<int32_t>(pair))];
      for (int64_t j = 0; j < k; ++j)
        all[static_cast<size_t>(i)].add(x.f32(row * k + j) * w[static_cast<size_t>(i % n * k + j)]);
    }
    return all;
  }
};

void expect_experts(D dtype) {
  for (const int lonely : {-1, 0, 4}) {
    for (const bool pairs : {false, true}) {
      Experts e(11, dtype, {23, 3, 9, 37, 140}, lonely < 0 ? Blocks{12, 48} : Blocks{128, 128}, lonely);
      Random random(8);
      const int64_t padding = lonely < 0 ? 7 : 0;
      const Shape shape = pairs ? Shape{23, 3, 140} : Shape{23, 140};
      Array x = held_by_bf16(random.array(D::F32, shape, 1, padding));
      const std::vector<Sum> sums = e.sums(x);
      run_reference(e.permute());
      for (const Bench& bench : benches()) {
        for (const Form form : {Form::reference, Form::fast}) {
          Array out(D::F32, {23, 3, 37}, padding);
          run(*bench.device, e.gemm(out, x), form);
          expect_sums(out, sums);
          if (!current_ok) return;
        }
      }
    }
  }
}

// 4100 columns make several tasks of each expert and several panels of x.
void expect_large_expert(D dtype) {
  Experts e(12, dtype, {20, 2, 2, 135, 4100}, {128, 128}, 1);
  Random random(9);
  Array x = held_by_bf16(random.array(D::F32, {20, 2, 4100}));
  const std::vector<Sum> sums = e.sums(x);
  run_reference(e.permute());
  for (const Bench& bench : benches()) {
    Array out(D::F32, {20, 2, 135});
    run(*bench.device, e.gemm(out, x), Form::fast);
    expect_sums(out, sums);
  }
}

void expect_pairs_alone(D dtype, Blocks blocks, int64_t T) {
  for (const Bench& bench : benches()) {
    Random random(21);
    Array x = random.array(D::F32, {T, 100}), one(D::F32, {1, 100});
    Experts all(2, dtype, {T, 2, 3, 50, 100}, blocks);
    run_reference(all.permute());
    Array out(D::F32, {T, 2, 50});
    run(*bench.device, all.gemm(out, x), Form::fast);
    for (const int64_t t : {int64_t{0}, T / 2, T - 1}) {
      Experts alone(2, dtype, {1, 2, 3, 50, 100}, blocks);
      alone.weights = all.weights;
      alone.scale = all.scale;
      for (int64_t k = 0; k < 2; ++k) alone.ids.at<int32_t>(k) = all.ids.at<int32_t>(2 * t + k);
      for (int64_t k = 0; k < 100; ++k) one.set(k, x.f32(100 * t + k));
      run_reference(alone.permute());
      Array row(D::F32, {1, 2, 50});
      run(*bench.device, alone.gemm(row, one), Form::fast);
      for (int64_t i = 0; i < 100; ++i) CHECK(row.f32(i) == out.f32(100 * t + i));
    }
  }
}

// Where the CPU multiplies BF16, x is rounded to it, ties to even, and nothing else is.
void expect_rounding(D dtype) {
  Experts e(13, dtype, {9, 3, 4, 21, 200}, {128, 128});
  Random random(10);
  Array x = random.array(D::F32, {9, 200});
  x.set(0, std::bit_cast<float>(0x3f808000u));  // halfway: down to even
  x.set(1, std::bit_cast<float>(0x3f818000u));  // halfway: up to even
  Array held = held_by_bf16(x);
  run_reference(e.permute());
  for (const Bench& bench : benches()) {
    if (bench.name.find("bf16") == std::string::npos) continue;
    Array out(D::F32, {9, 3, 21}), same(D::F32, {9, 3, 21});
    run(*bench.device, e.gemm(out, x), Form::fast);
    run(*bench.device, e.gemm(same, held), Form::fast);
    CHECK(out.same_bits(same));
  }
}

void gemm_tests() {
  for (const D dtype : {D::F32, D::BF16, D::F16, D::F8_E4M3}) {
    const std::string name = dtype_name(dtype);
    test("grouped_gemm by " + name + ": each pair by its expert, some without tokens, one with all",
         [&] { expect_experts(dtype); });
    test("grouped_gemm by " + name + ": an expert of many tasks and panels",
         [&] { expect_large_expert(dtype); });
  }
  for (const D dtype : {D::F32, D::BF16, D::F16, D::F8_E4M3}) {
    test(std::string("a pair has the same bits whatever else its expert gets: ") + dtype_name(dtype), [&] {
      for (const Blocks blocks : {Blocks{12, 48}, Blocks{16, 64}, Blocks{128, 128}}) 
        for (const int64_t T : {3, 5, 8, 12, 30}) expect_pairs_alone(dtype, blocks, T);
    });
  }
  test("grouped_gemm rounds x to BF16 at most", [] {
    for (const D dtype : {D::BF16, D::F8_E4M3}) expect_rounding(dtype);
  });
  test("grouped_gemm refuses offsets and rows that lead outside", [] {
    Experts e(1, D::F32, {4, 2, 3, 5, 6}, {128, 128});
    Array x(D::F32, {4, 6}), out(D::F32, {4, 2, 5});
    run_reference(e.permute());
    run_reference(e.gemm(out, x));
    const int32_t kept = e.offsets.at<int32_t>(1);
    for (const int32_t bad : {-1, 9, INT32_MAX, INT32_MIN}) {
      e.offsets.at<int32_t>(1) = bad;
      refused("expected ascending values up to 8", e.gemm(out, x));
    }
    e.offsets.at<int32_t>(1) = kept;
    for (const int32_t bad : {-1, 8, INT32_MAX}) {
      e.rows.at<int32_t>(3) = bad;
      refused("rows[3]: expected 0 to 7", e.gemm(out, x));
    }
    e.rows.at<int32_t>(3) = 0;
    e.weights.back() = Array(D::F32, {5, 7});
    refused("weight of expert 2: expected [5, 6]", e.gemm(out, x));
    e.weights.back() = Array(D::BF16, {5, 6});
    refused("weight of expert 2", e.gemm(out, x));
  });
}

// --- order and combination -----------------------------------------------------------------------

void permute_tests() {
  test("permute_tokens sorts pairs by expert and keeps their order", [] {
    for (const Form form : {Form::reference, Form::fast}) {
      Experts e(3, D::F32, {50, 4, 7, 1, 1}, {1, 1});
      run(*benches()[0].device, e.permute(), form);
      CHECK(e.offsets.at<int32_t>(0) == 0 && e.offsets.at<int32_t>(7) == 200);
      for (int64_t x = 0; x < 7; ++x) {
        int32_t before = -1;
        for (int32_t i = e.offsets.at<int32_t>(x); i < e.offsets.at<int32_t>(x + 1); ++i) {
          const int32_t pair = e.rows.at<int32_t>(i);
          CHECK(e.ids.at<int32_t>(pair) == x && pair > before);
          before = pair;
        }
      }
      CHECK(e.offsets.guards_intact() && e.rows.guards_intact());
    }
  });
  test("permute_tokens refuses an expert that is none", [] {
    Experts e(3, D::F32, {50, 4, 7, 1, 1}, {1, 1});
    for (const int32_t bad : {7, -1, INT32_MAX, INT32_MIN}) {
      e.ids.at<int32_t>(9) = bad;
      refused(("ids[9]: expected 0 to 6, got " + std::to_string(bad)).c_str(), e.permute());
    }
  });
  test("no tokens are no work", [] {
    for (const Bench& bench : benches()) {
      Experts e(1, D::F32, {0, 2, 3, 5, 6}, {128, 128});
      Array x(D::F32, {0, 6}), out(D::F32, {0, 2, 5}), weights(D::F32, {0, 2}), sum(D::F32, {0, 5});
      e.offsets.at<int32_t>(3) = 9;
      run(*bench.device, e.permute(), Form::fast);
      run(*bench.device, e.gemm(out, x), Form::fast);
      run(*bench.device, {"combine_experts", {{sum.view()}, {out.view()}, {weights.view()}}}, Form::fast);
      CHECK(e.offsets.at<int32_t>(3) == 0);
      Projection p(8, D::F8_E4M3, {0, 3, 4, 5, 6}, {128, 128});
      Array absorbed = p.absorbed(), expanded = p.expanded();
      run(*bench.device, p.absorb(absorbed), Form::fast);
      run(*bench.device, p.expand(expanded), Form::fast);
    }
  });
}

void expect_combination(int64_t K, bool added, int64_t padding) {
  Random random(static_cast<uint64_t>(K));
  Array y = random.array(D::F32, {5, K, 77}, 1, padding), weights = random.array(D::F32, {5, K}, 1, padding);
  Array more = random.array(D::F32, {5, 77}, 1, padding);
  std::vector<Sum> sums(5 * 77);
  for (int64_t i = 0; i < 5 * 77; ++i) {
    for (int64_t pair = i / 77 * K; pair < (i / 77 + 1) * K; ++pair)
      sums[static_cast<size_t>(i)].add(static_cast<double>(weights.f32(pair)) * y.f32(pair * 77 + i % 77));
    if (added) sums[static_cast<size_t>(i)].add(more.f32(i));
  }
  const std::vector<Tensor> add = added ? std::vector<Tensor>{more.view()} : std::vector<Tensor>{};
  for (const Bench& bench : benches()) {
    for (const Form form : {Form::reference, Form::fast}) {
      Array out(D::F32, {5, 77}, padding);
      run(*bench.device, {"combine_experts", {{out.view()}, {y.view()}, {weights.view()}, add}}, form);
      expect_sums(out, sums);
    }
  }
}

void combine_tests() {
  test("combine_experts weighs, sums and adds", [] {
    for (const int64_t K : {1, 2, 3, 8})
      for (const bool added : {false, true})
        for (const int64_t padding : {0, 3})
          if (current_ok) expect_combination(K, added, padding);
  });
  test("combine_experts refuses no experts at all and shapes that do not fit", [] {
    Array y(D::F32, {2, 0, 4}), none(D::F32, {2, 0}), out(D::F32, {2, 4}), three(D::F32, {2, 3, 4});
    refused("expected at least one expert", {"combine_experts", {{out.view()}, {y.view()}, {none.view()}}});
    refused("weights: expected [2, 3]", {"combine_experts", {{out.view()}, {three.view()}, {out.view()}}});
  });
}

}  // namespace

int main() {
  projection_tests();
  gemm_tests();
  permute_tests();
  combine_tests();
  return finish();
}
