// The products: matmul and fp8_matmul. Every vector form and the scalar oracle against a double sum written
// here, every code of every weight format, and each row bit for bit the same alone and in company.
#include "tests/products.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;

struct Size {
  int64_t T, n, k;
};

struct Product {
  Array x, w, out;
  std::vector<Array> extra;  // scale, bias, where there are
  Size size;
  Blocks blocks;
  bool fp8, biased;

  Call call(Array& into) {
    std::vector<std::vector<Tensor>> args = {{into.view()}, {x.view()}, {w.view()}};
    for (Array& e : extra) args.push_back({e.view()});
    if (!fp8) return {"matmul", args};
    return {"fp8_matmul", args, {static_cast<double>(blocks.rows), static_cast<double>(blocks.columns)}};
  }
  std::vector<Sum> sums() const {
    const std::vector<double> weights = weight_values(w, fp8 ? &extra[0] : nullptr, blocks);
    std::vector<Sum> all(static_cast<size_t>(size.T * size.n));
    std::vector<float> row(static_cast<size_t>(size.k));
    for (int64_t t = 0; t < size.T; ++t) {
      for (int64_t k = 0; k < size.k; ++k) row[static_cast<size_t>(k)] = x.f32(t * size.k + k);
      for (int64_t n = 0; n < size.n; ++n) {
        Sum& sum = all[static_cast<size_t>(t * size.n + n)];
        for (int64_t k = 0; k < size.k; ++k)
          sum.add(row[static_cast<size_t>(k)] * weights[static_cast<size_t>(n * size.k + k)]);
        if (biased) sum.add(extra.back().f32(n));
      }
    }
    return all;
  }
};

// A block of 12 rows makes a group of eight weight rows straddle two rows of scales.
Product product(uint64_t seed, D dtype, Size size, bool biased, int64_t padding = 0) {
  Random random(seed);
  const Blocks blocks{size.n % 3 == 0 ? 12 : 128, size.k % 3 == 0 ? 48 : 128};
  const bool fp8 = dtype == D::F8_E4M3;
  Product p{random.array(D::F32, {size.T, size.k}, 1, padding),
            random.array(dtype, {size.n, size.k}, 0.3f),
            Array(D::F32, {size.T, size.n}, padding),
            {},
            size,
            blocks,
            fp8,
            biased};
  if (fp8) p.extra.push_back(random_scales(random, size.n, size.k, blocks));
  if (biased) p.extra.push_back(random.array(size.n % 2 ? D::BF16 : D::F32, {size.n}));
  return p;
}

// The last size has several panels of x, several tasks per thread and blocks of scales in both directions.
const Size kSizes[] = {{1, 1, 1},      {1, 8, 16},      {2, 7, 15},     {3, 9, 17},     {4, 16, 64},
                       {5, 33, 63},    {7, 65, 65},     {8, 31, 127},   {9, 128, 128},  {17, 130, 129},
                       {64, 5, 200},   {65, 12, 576},   {1, 37, 260},   {2, 19, 333},   {3, 24, 391},
                       {1, 300, 2050}, {40, 135, 4100}};

void expect_all_forms(D dtype) {
  uint64_t seed = 1;
  for (const Size& size : kSizes) {
    ++seed;
    const int64_t padding = seed % 3 == 0 ? 5 : 0;
    Product p = product(seed, dtype, size, seed % 2 == 0, padding);
    const std::vector<Sum> sums = p.sums();
    run_reference(p.call(p.out));
    expect_sums(p.out, sums);
    for (const Bench& bench : benches()) {
      Array out(D::F32, {size.T, size.n}, padding);
      run(*bench.device, p.call(out), Form::fast);
      expect_sums(out, sums);
      if (!current_ok) {
        std::printf("  %s T %ld n %ld k %ld\n", bench.name.c_str(), static_cast<long>(size.T),
                    static_cast<long>(size.n), static_cast<long>(size.k));
        return;
      }
    }
  }
}

void expect_same_bits(D dtype, const Size& size) {
  Product p = product(99, dtype, size, true);
  const std::vector<Sum> sums = p.sums();
  std::string isa;
  Array first(D::F32, {size.T, size.n});
  for (const Bench& bench : benches()) {
    Array all(D::F32, {size.T, size.n});
    run(*bench.device, p.call(all), Form::fast);
    expect_sums(all, sums);
    const std::string name = bench.name.substr(0, bench.name.find(' '));
    if (name == isa) CHECK(all.same_bits(first));
    isa = name;
    first = all;
    for (int64_t count : {1, 2, 3, 4, 5, 6, 7, 8, 11, 20}) {
      Product part = p;
      part.x = Array(D::F32, {count, size.k});
      for (int64_t i = 0; i < part.x.size(); ++i) part.x.set(i, p.x.f32(i + 3 * size.k));
      Array out(D::F32, {count, size.n});
      run(*bench.device, part.call(out), Form::fast);
      for (int64_t i = 0; i < out.size(); ++i) CHECK(out.f32(i) == all.f32(i + 3 * size.n));
      if (!current_ok) return;
    }
  }
}

void product_tests() {
  for (const D dtype : {D::F32, D::BF16, D::F16, D::F8_E4M3}) {
    const std::string name = dtype_name(dtype);
    test("every form multiplies by " + name, [&] { expect_all_forms(dtype); });
    test("a row by " + name + " has the same bits alone, in company, on any thread count",
         [&] { for (const Size& size : {Size{37, 70, 333}, Size{26, 29, 1611}}) expect_same_bits(dtype, size); });
  }
}

// --- codes ---------------------------------------------------------------------------------------

// All codes of a format in one column: out[t][code] = 1 · code.
void expect_codes(const Bench& bench, D dtype, int64_t codes, int64_t T, int64_t K) {
  Array x(D::F32, {T, K}), w(dtype, {codes, K}), scale(D::F32, {1, 1}), out(D::F32, {T, codes});
  for (int64_t t = 0; t < T; ++t) x.set(t * K + K - 1, 1);
  for (int64_t c = 0; c < codes; ++c) {
    if (dtype == D::F8_E4M3) w.at<uint8_t>(c * K + K - 1) = static_cast<uint8_t>(c);
    else w.at<uint16_t>(c * K + K - 1) = static_cast<uint16_t>(c);
  }
  scale.set(0, 1);
  const std::vector<std::vector<Tensor>> args = {{out.view()}, {x.view()}, {w.view()}};
  if (dtype == D::F8_E4M3)
    run(*bench.device, {"fp8_matmul", {args[0], args[1], args[2], {scale.view()}}, {65536, 128}}, Form::fast);
  else run(*bench.device, {"matmul", args}, Form::fast);
  for (int64_t i = 0; i < out.size(); ++i) {
    const float expected = w.f32(i % codes * K + K - 1), got = out.f32(i);
    if (std::isnan(expected) ? std::isnan(got) : got == expected) continue;
    std::printf("  %s T %ld K %ld code %ld: expected %g, got %g\n", bench.name.c_str(), static_cast<long>(T),
                static_cast<long>(K), static_cast<long>(i % codes), expected, got);
    CHECK(false);
    return;
  }
}

void code_tests() {
  struct Format {
    D dtype;
    int64_t codes;
  };
  for (const Format& f : {Format{D::BF16, 65536}, Format{D::F16, 65536}, Format{D::F8_E4M3, 256}}) {
    test(std::string("all codes of ") + dtype_name(f.dtype) + " multiply exactly, NaN stays NaN", [&] {
      for (const Bench& bench : benches())
        for (const int64_t T : {1, 4, 9})  // plain, tiled and converted forms
          for (const int64_t K : {1, 64, 70})
            if (current_ok) expect_codes(bench, f.dtype, f.codes, T, K);
    });
  }
  test("a NaN in one row of x stays in that row; scales of zero give zero", [] {
    for (const Bench& bench : benches()) {
      Product p = product(5, D::F8_E4M3, {9, 12, 130}, false);
      p.x.set(2 * 130 + 7, NAN);
      run(*bench.device, p.call(p.out), Form::fast);
      for (int64_t i = 0; i < p.out.size(); ++i) CHECK(std::isnan(p.out.f32(i)) == (i / 12 == 2));
      for (int64_t i = 0; i < p.extra[0].size(); ++i) p.extra[0].set(i, 0);
      p.x.set(2 * 130 + 7, 1);
      run(*bench.device, p.call(p.out), Form::fast);
      for (int64_t i = 0; i < p.out.size(); ++i) CHECK(p.out.f32(i) == 0);
    }
  });
}

// --- refusals ------------------------------------------------------------------------------------

void refusal_tests() {
  test("matmul refuses wrong shapes and dtypes and says what it expected", [] {
    Array x(D::F32, {2, 6}), w(D::F32, {4, 6}), out(D::F32, {2, 4}), other(D::F32, {4, 5});
    Array half(D::BF16, {2, 6}), fp8(D::F8_E4M3, {4, 6}), bias(D::F32, {3}), wide(D::F32, {4, 6}, 2);
    Array ids(D::I32, {4, 6});
    const Tensor o = out.view(), in = x.view();
    refused("matmul: w: expected [any, 6]", {"matmul", {{o}, {in}, {other.view()}}});
    refused("matmul: x: expected [any, any] F32", {"matmul", {{o}, {half.view()}, {w.view()}}});
    refused("matmul: out: expected [2, 4] F32", {"matmul", {{in}, {in}, {w.view()}}});
    refused("matmul: bias: expected [4]", {"matmul", {{o}, {in}, {w.view()}, {bias.view()}}});
    refused("contiguous", {"matmul", {{o}, {in}, {wide.view()}}});
    refused("matmul: w: expected", {"matmul", {{o}, {in}, {ids.view()}}});
    refused("matmul: w: expected", {"matmul", {{o}, {in}, {fp8.view()}}});
    refused("one tensor, got 2", {"matmul", {{o}, {in, in}, {w.view()}}});
  });
  test("fp8_matmul refuses other dtypes, scales that do not fit and blocks that are no whole number", [] {
    Array x(D::F32, {2, 6}), w(D::F32, {4, 6}), out(D::F32, {2, 4}), fp8(D::F8_E4M3, {4, 6});
    Array scale(D::F32, {1, 1}), big(D::F32, {2, 1}), half(D::F16, {1, 1});
    const auto with = [&](Array& weight, Array& s, double rows, double columns) {
      const std::vector<double> blocks = {rows, columns};
      return Call{"fp8_matmul", {{out.view()}, {x.view()}, {weight.view()}, {s.view()}}, blocks};
    };
    refused("fp8_matmul: w: expected", with(w, scale, 128, 128));
    refused("scale: expected [1, 1]", with(fp8, big, 128, 128));
    refused("scale: expected [1, 2]", with(fp8, scale, 128, 5));
    refused("scale: expected [1, 1] F32", with(fp8, half, 128, 128));
    for (const double bad : {0.0, -1.0, 1.5, static_cast<double>(NAN), 1e30}) {
      refused("block rows: expected a whole number", with(fp8, scale, bad, 128));
      refused("block columns: expected a whole number", with(fp8, scale, 128, bad));
    }
  });
  test("no tokens are no work", [] {
    for (const Bench& bench : benches()) {
      for (const D dtype : {D::F32, D::F8_E4M3}) {
        Product p = product(1, dtype, {0, 4, 20}, false);
        run(*bench.device, p.call(p.out), Form::fast);
        CHECK(p.out.guards_intact());
      }
    }
  });
}

}  // namespace

int main() {
  product_tests();
  code_tests();
  refusal_tests();
  return finish();
}
