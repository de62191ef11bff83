// The conversions between F32 and the stored formats: cpu/convert.h against values made from a code's
// fields, and the leaves of every instruction set against cpu/convert.h, each code in each lane.
#include "cpu/kernels/kernels.h"
#include "tests/rounding.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;

constexpr D kStored[] = {D::BF16, D::F16, D::F8_E4M3};

int64_t code_count(D dtype) { return dtype == D::F8_E4M3 ? 256 : 65536; }

float scalar(D dtype, uint32_t code) {
  if (dtype == D::BF16) return cpu::bf16_to_f32(static_cast<uint16_t>(code));
  if (dtype == D::F16) return cpu::f16_to_f32(static_cast<uint16_t>(code));
  return cpu::e4m3_to_f32(static_cast<uint8_t>(code));
}

uint16_t scalar_code(D dtype, float f) { return dtype == D::F16 ? cpu::f32_to_f16(f) : cpu::f32_to_bf16(f); }

// The leaves of each instruction set once.
void every_isa(const std::function<void(const cpu::Kernels&)>& body) {
  for (const Bench& bench : benches()) {
    if (!bench.name.ends_with("x1") || !current_ok) continue;
    body(*static_cast<const cpu::Kernels*>(bench.device->kernels));
    if (!current_ok) std::printf("  on %s\n", bench.name.c_str());
  }
}

// --- scalar --------------------------------------------------------------------------------------

void scalar_tests() {
  for (const D dtype : kStored) {
    test(std::string("every code of ") + dtype_name(dtype) + " has the value of its fields", [&] {
      for (uint32_t code = 0; code < code_count(dtype); ++code) {
        const auto expected = static_cast<float>(code_value(format_of(dtype), code));
        const float got = scalar(dtype, code);
        CHECK(same_float(got, expected));
        if (current_ok) continue;
        std::printf("  code %u: expected %g, got %g\n", code, expected, got);
        return;
      }
    });
  }
  test("known codes have their published values", [] {
    CHECK(cpu::e4m3_to_f32(0x7e) == 448 && cpu::e4m3_to_f32(0x01) == 0x1p-9f && cpu::e4m3_to_f32(0x38) == 1);
    CHECK(cpu::f16_to_f32(0x7bff) == 65504 && cpu::f16_to_f32(0x0001) == 0x1p-24f);
    CHECK(cpu::f16_to_f32(0x3c00) == 1 && cpu::f16_to_f32(0x7c00) == INFINITY);
    CHECK(cpu::bf16_to_f32(0x3f80) == 1 && cpu::bf16_to_f32(0x4049) == 3.140625f);
  });
  for (const D dtype : {D::BF16, D::F16}) {
    test(std::string("rounding to ") + dtype_name(dtype) + " goes to the nearest, ties to even", [&] {
      for (const Rounding& r : roundings(dtype)) {
        const uint16_t got = scalar_code(dtype, r.value);
        CHECK(got == r.code);
        if (current_ok) continue;
        std::printf("  %.9g: expected %04x, got %04x\n", r.value, r.code, got);
        return;
      }
      for (const uint32_t nan : {0x7fc00000u, 0xffc00000u, 0x7f800001u, 0xff800001u, 0x7fffffffu})
        CHECK(nan_code(dtype, scalar_code(dtype, std::bit_cast<float>(nan))));
    });
  }
}

// --- from the stored formats ---------------------------------------------------------------------

// All codes in order, starting with `first`, so that another shift puts them into other lanes.
Array codes_from(D dtype, int64_t first) {
  const int64_t n = code_count(dtype);
  Array a(dtype, {n});
  for (int64_t i = 0; i < n; ++i) {
    const int64_t code = (first + i) % n;
    if (dtype == D::F8_E4M3) a.at<uint8_t>(i) = static_cast<uint8_t>(code);
    else a.at<uint16_t>(i) = static_cast<uint16_t>(code);
  }
  return a;
}

constexpr float kUntouched = -12345;

// Elements [first, first + n) through the leaf: the scalar values, and nothing written after them.
void expect_row(const cpu::Kernels& leaf, Array& codes, int64_t first, int64_t n) {
  Array out(D::F32, {n + 1});
  out.set(n, kUntouched);
  const auto* data = codes.view().as<char>() + first * static_cast<int64_t>(dtype_size(codes.dtype()));
  leaf.convert_row[static_cast<int>(codes.dtype())](out.view().as<float>(), data, n);
  for (int64_t i = 0; i < n; ++i) {
    if (same_float(out.f32(i), codes.f32(first + i))) continue;
    std::printf("  %s, element %ld of %ld: expected %g, got %g\n", dtype_name(codes.dtype()),
                static_cast<long>(i), static_cast<long>(n), codes.f32(first + i), out.f32(i));
    CHECK(false);
    return;
  }
  CHECK(out.f32(n) == kUntouched && out.guards_intact());
}

// y = 0 + Σ x·w over three rows of which one counts, the other way in which weights become floats.
void expect_outer(const cpu::Kernels& leaf, Array& codes, int64_t M, int64_t n) {
  const float factor = codes.dtype() == D::F8_E4M3 ? leaf.e4m3_factor : 1;
  Array out(D::F32, {M, n + 1}), x(D::F32, {M, 3});
  std::vector<float*> outs;
  std::vector<const float*> xs;
  for (int64_t m = 0; m < M; ++m) {
    x.set(m * 3 + m % 3, factor * static_cast<float>(m + 1));
    out.set(m * (n + 1) + n, kUntouched);
    outs.push_back(out.view().row<float>(m));
    xs.push_back(x.view().row<float>(m));
  }
  for (int64_t i = 0; i < 3 * n; ++i)  // 0 · NaN would be NaN
    if (!std::isfinite(codes.f32(i))) codes.set(i, 1);
  leaf.outer[static_cast<int>(codes.dtype())]({outs.data(), xs.data(), codes.view().data, n, M, n, 3});
  for (int64_t m = 0; m < M; ++m) {
    for (int64_t i = 0; i < n; ++i)
      CHECK(out.f32(m * (n + 1) + i) == static_cast<float>(m + 1) * codes.f32(m % 3 * n + i));
    CHECK(out.f32(m * (n + 1) + n) == kUntouched);
  }
  CHECK(out.guards_intact());
}

// A row of x that is zero but for one column picks that column's weight: four vectors at a time, their order
// included, for one row of x, and one vector at a time for four.
void expect_columns(const cpu::Kernels& leaf, D dtype, int64_t first, int64_t M) {
  Array codes = codes_from(dtype, first);
  const int64_t K = 256;
  for (int64_t i = 0; i < K; ++i)  // 0 · NaN would be NaN
    if (!std::isfinite(codes.f32(i))) codes.set(i, 1);
  const float one = dtype == D::F8_E4M3 ? leaf.e4m3_factor : 1;
  Array x(D::F32, {M, K}), out(D::F32, {M, 1});
  std::vector<float*> outs;
  std::vector<const float*> xs;
  for (int64_t m = 0; m < M; ++m) {
    outs.push_back(out.view().row<float>(m));
    xs.push_back(x.view().row<float>(m));
  }
  const cpu::GemmArgs args{outs.data(), xs.data(), codes.view().data, K, M, 1, K};
  for (int64_t k = 0; k < K; ++k) {
    for (int64_t m = 0; m < M; ++m) x.set(m * K + k, one);
    leaf.gemm[static_cast<int>(dtype)](args);
    for (int64_t m = 0; m < M; ++m) {
      CHECK(out.f32(m) == codes.f32(k));
      x.set(m * K + k, 0);
    }
    if (current_ok) continue;
    std::printf("  %s column %ld\n", dtype_name(dtype), static_cast<long>(k));
    return;
  }
}

void row_tests() {
  for (const D dtype : kStored) {
    const std::string name = dtype_name(dtype);
    test("the leaves convert every code of " + name + " in every lane, and rows of every length", [&] {
      every_isa([&](const cpu::Kernels& leaf) {
        for (const int64_t shift : {0, 1, 2, 3, 5, 8, 13, 16, 31, 63, 127}) {
          Array codes = codes_from(dtype, shift);
          expect_row(leaf, codes, 0, codes.size());
        }
        Array codes = codes_from(dtype, 100);
        for (int64_t n = 0; n <= 67; ++n)
          for (int64_t first = 0; first + n <= 256 && current_ok; first += n + 1)
            expect_row(leaf, codes, first, n);
      });
    });
    test("the leaves add rows of " + name + " exactly, every code", [&] {
      every_isa([&](const cpu::Kernels& leaf) {
        for (const int64_t n : {1, 15, 64, 85})
          for (const int64_t M : {1, 2, 3, 5, 8, 13})
            for (int64_t shift = 0; shift < 256 && current_ok; shift += 3 * n)
              if (Array codes = codes_from(dtype, shift); current_ok) expect_outer(leaf, codes, M, n);
      });
    });
    test("a product by " + name + " pairs each weight with its own column", [&] {
      every_isa([&](const cpu::Kernels& leaf) {
        for (const int64_t M : {1, 2, 3, 4, 6, 8, 9})
          for (const int64_t shift : {0, 77, 0x3c00, 0x8003})
            if (current_ok) expect_columns(leaf, dtype, shift, M);
      });
    });
  }
  test("a row of F32 passes unchanged", [] {
    Random random(3);
    Array values = random.array(D::F32, {300});
    const float edges[] = {-0.0f, 1e-45f, -1e-40f, 3.4e38f, INFINITY, -INFINITY, NAN};
    for (int64_t i = 0; i < 100; ++i) values.set(3 * i, edges[random.below(7)]);
    every_isa([&](const cpu::Kernels& leaf) {
      for (int64_t n = 0; n <= 67; ++n) expect_row(leaf, values, n, n);
    });
  });
}

// --- to the stored formats -----------------------------------------------------------------------

void expect_rounding(const cpu::Kernels& leaf, D dtype, const std::vector<Rounding>& all, size_t first,
                     size_t n) {
  Array in(D::F32, {static_cast<int64_t>(n)}), out(dtype, {static_cast<int64_t>(n) + 1});
  for (size_t i = 0; i < n; ++i) in.set(static_cast<int64_t>(i), all[first + i].value);
  out.at<uint16_t>(static_cast<int64_t>(n)) = 0x1234;
  (dtype == D::F16 ? leaf.to_f16 : leaf.to_bf16)(out.view().as<uint16_t>(), in.view().as<float>(),
                                                 static_cast<int64_t>(n));
  for (size_t i = 0; i < n; ++i) {
    const uint16_t got = out.at<uint16_t>(static_cast<int64_t>(i));
    if (got == all[first + i].code) continue;
    std::printf("  %.9g: expected %04x, got %04x\n", all[first + i].value, all[first + i].code, got);
    CHECK(false);
    return;
  }
  CHECK(out.at<uint16_t>(static_cast<int64_t>(n)) == 0x1234 && out.guards_intact());
}

void store_tests() {
  for (const D dtype : {D::BF16, D::F16}) {
    const std::string name = dtype_name(dtype);
    test("the leaves round every halfway point of " + name + " and its neighbours", [&] {
      const std::vector<Rounding> all = roundings(dtype);
      every_isa([&](const cpu::Kernels& leaf) {
        for (size_t shift = 0; shift < 19; ++shift)
          expect_rounding(leaf, dtype, all, shift, all.size() - shift);
        for (size_t n = 0; n <= 40; ++n)
          for (size_t first = 0; first < 2000 && current_ok; first += n + 1)
            expect_rounding(leaf, dtype, all, first, n);
      });
    });
    test("the leaves keep a NaN a NaN in " + name + ", whatever its bits and its lane", [&] {
      every_isa([&](const cpu::Kernels& leaf) {
        for (const uint32_t nan : {0x7fc00000u, 0xffc00000u, 0x7f800001u, 0xff800001u, 0x7f80ffffu}) {
          for (int64_t at = 0; at < 37; ++at) {
            Array in(D::F32, {37}), out(dtype, {37});
            in.at<uint32_t>(at) = nan;
            const auto round = dtype == D::F16 ? leaf.to_f16 : leaf.to_bf16;
            round(out.view().as<uint16_t>(), in.view().as<float>(), 37);
            for (int64_t i = 0; i < 37; ++i)
              CHECK(i == at ? nan_code(dtype, out.at<uint16_t>(i)) : out.at<uint16_t>(i) == 0);
          }
        }
      });
    });
  }
}

}  // namespace

int main() {
  scalar_tests();
  row_tests();
  store_tests();
  return finish();
}
