// quantize_groups on CUDA, bit for bit against the oracle of rows_case.h: every rounding of E4M3, scales on and
// beside powers of two, zeros, NaN and infinities in any lane, short groups, strides, a row alone and in company.
#include "cuda/quantize/quantize_groups.h"

#include "tests/cuda/rows_case.h"
#include "tests/rounding.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;
using cuda::ScaleKind;

constexpr ScaleKind kKinds[] = {ScaleKind::kExact, ScaleKind::kPowerOfTwo};

Quantised quantise(D type, const std::vector<float>& x, int64_t width, ScaleKind kind, int64_t padding = 0) {
  const int64_t rows = width == 0 ? 0 : static_cast<int64_t>(x.size()) / width;
  DeviceRows in(type, x, width, padding);
  in.written_by_kernel();
  DeviceQuantised out(rows, width, 2 * padding, padding / 2);
  cuda::QuantizeGroupsParams p{};
  p.x = in.data();
  p.codes = out.codes.data<uint8_t>();
  p.scales = out.scales.data<float>();
  p.x_stride = in.stride();
  p.code_stride = out.codes.stride();
  p.scale_stride = out.scale_stride();
  p.rows = static_cast<int32_t>(rows);
  p.width = static_cast<int32_t>(width);
  p.scale_kind = kind;
  cuda::quantize_groups(cuda_queue(), type, p);
  in.read();
  return out.read();
}

void expect_oracle(D type, const std::vector<float>& x, int64_t width, int64_t padding = 0) {
  for (const ScaleKind kind : kKinds)
    if (current_ok) expect_quantised(quantise(type, x, width, kind, padding), oracle_quantise(x, width, kind));
}

// Between every two codes: the lower, the middle, and the floats beside the middle; groups with 448 in them have the
// scale 1, so the values are rounded as they are.
std::vector<float> roundings_of_e4m3() {
  std::vector<float> values;
  for (uint32_t code = 0; code < 0x7e; ++code) {
    const auto low = static_cast<float>(code_value(kE4M3, code)), high = static_cast<float>(code_value(kE4M3, code + 1));
    const float middle = (low + high) / 2;
    for (const float value : {low, std::nextafter(middle, 0.0f), middle, std::nextafter(middle, INFINITY)}) {
      values.push_back(value);
      values.push_back(-value);
    }
  }
  std::vector<float> groups;
  for (size_t i = 0; i < values.size(); ++i) {
    if (groups.size() % 128 == 0) groups.push_back(i % 3 ? 448.0f : -448.0f);
    groups.push_back(values[i]);
  }
  groups.resize((groups.size() + 127) / 128 * 128, 0.0f);
  return groups;
}

// Largest magnitudes on both sides of where a scale of a power of two steps, from the smallest to beyond the largest.
std::vector<float> steps_of_scales() {
  std::vector<float> groups;
  for (const int exponent : {-149, -126, -109, -108, -100, -99, -60, -9, -1, 0, 1, 8, 60, 118, 119})
    for (const float mantissa : {1.0f, 448.0f / 256, std::nextafter(448.0f / 256, 0.0f), std::nextafter(448.0f / 256, 2.0f)}) {
      const float most = std::ldexp(mantissa, exponent + 8);
      for (int i = 0; i < 128; ++i) groups.push_back(std::ldexp(i == 77 ? most : most * static_cast<float>(i % 19) / 23, 0));
    }
  return groups;
}

void expect_spoilt(D type, int64_t lane, float bad) {
  Random random(3);
  std::vector<float> x = rounded(normals(random, 5 * 384), type);
  x[static_cast<size_t>(2 * 384 + 128 + lane)] = bad;
  expect_oracle(type, x, 384);
}

}  // namespace

int main() {
  for (const D type : {D::BF16, D::F32}) {
    const std::string name = dtype_name(type);
    kernel_test("quantize_groups of " + name + " is the oracle's, bit for bit", [&] {
      for (const int64_t width : {16, 112, 128, 144, 512, 528, 1024, 1040, 1536, 2048, 7168})
        for (const int64_t rows : {0, 1, 2, 3, 4, 5, 9})
          for (const int64_t padding : {0, 8}) {
            if (!current_ok || (rows > 4 && width > 1100)) continue;
            Random random(static_cast<uint64_t>(width + rows));
            std::vector<float> x = normals(random, static_cast<size_t>(rows * width));
            for (float& value : x) value *= std::exp2(static_cast<float>(random.below(24) - 12));
            expect_oracle(type, rounded(x, type), width, padding);
          }
    });
    kernel_test("rounding of " + name + " to E4M3: every code, every tie, every neighbour", [&] {
      expect_oracle(type, rounded(roundings_of_e4m3(), type), 128);
      const std::vector<float> x = rounded(roundings_of_e4m3(), type);
      expect_equal(quantise(type, x, 128, ScaleKind::kExact).scales, std::vector<float>(x.size() / 128, 1.0f), "scale");
    });
    kernel_test("scales of " + name + " on and beside powers of two, from nothing to the largest", [&] {
      expect_oracle(type, rounded(steps_of_scales(), type), 128);
    });
    kernel_test("zeros of " + name + " have zero codes and the least scale", [&] {
      std::vector<float> x(3 * 256, 0.0f);
      x[130] = -0.0f;
      expect_oracle(type, x, 256);
      const Quantised q = quantise(type, x, 256, ScaleKind::kExact);
      for (const float scale : q.scales) CHECK(scale == 0x1p-100f / 448);
      CHECK(q.codes[0] == 0 && q.codes[130] == 0x80);
    });
    kernel_test("a NaN or an infinity of " + name + " spoils its group, in any lane, and no other", [&] {
      for (const int64_t lane : {0, 1, 7, 8, 63, 64, 126, 127})
        for (const float bad : {NAN, -NAN, INFINITY, -INFINITY})
          if (current_ok) expect_spoilt(type, lane, bad);
    });
    kernel_test("a row of " + name + " has the same bits alone and in company", [&] {
      Random random(9);
      const std::vector<float> x = rounded(normals(random, 11 * 1536), type);
      const Quantised all = quantise(type, x, 1536, ScaleKind::kExact);
      for (const int64_t row : {0, 3, 4, 10}) {
        const Quantised one = quantise(type, slice(x, row * 1536, 1536), 1536, ScaleKind::kExact);
        expect_equal(one.codes, slice(all.codes, row * 1536, 1536), "code");
        expect_equal(one.scales, slice(all.scales, row * 12, 12), "scale");
      }
    });
  }
  test("what quantize_groups cannot take is refused with what was expected", [] {
    DeviceVector<float> m(size_t{1024});
    auto* bytes = reinterpret_cast<uint8_t*>(m.data());
    const cuda::QuantizeGroupsParams good{m.data(), bytes, m.data(), 32, 32, 4, 2, 32, ScaleKind::kExact};
    const auto refused = [&](const char* part, auto change, D type = D::F32, hadal_status status = HADAL_ERROR_INVALID) {
      cuda::QuantizeGroupsParams p = good;
      change(p);
      CHECK(throws(status, part, [&] { cuda::quantize_groups(cuda_queue(), type, p); }));
    };
    refused("width: expected a multiple of 16", [](auto& p) { p.width = 24; });
    refused("x: expected rows of 128 bytes a multiple of 16 bytes apart, got 120", [](auto& p) { p.x_stride = 30; });
    refused("codes: expected rows of 32 bytes a multiple of 16 bytes apart, got 40", [](auto& p) { p.code_stride = 40; });
    refused("scales: expected a stride of at least 2 rows, a multiple of 4, got 5", [](auto& p) { p.scale_stride = 5; });
    refused("codes: expected an address", [](auto& p) { p.codes += 1; });
    refused("rows: expected none or more", [](auto& p) { p.rows = -2; });
    refused("no kernel for F16", [](auto&) {}, D::F16, HADAL_ERROR_UNSUPPORTED);
  });
  return finish();
}
