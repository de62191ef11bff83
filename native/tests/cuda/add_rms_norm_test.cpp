// add_rms_norm and add_rms_norm_quantize on CUDA: the residual bit for bit, the norm against the CPU's oracle, codes
// and scales bit for bit against the oracle on what the unquantised kernel gives, or within half a step of double.
#include "cuda/norm/add_rms_norm.h"

#include "cuda/norm/add_rms_norm_quantize.h"
#include "tests/cuda/rows_case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;
using cuda::ScaleKind;

constexpr double kF32 = 48 * 0x1p-24;    // as in rms_norm_test.cpp
constexpr double kBf16 = 0x1p-8 + 1e-5;

struct Formats {
  D residual, other, weight;
};
constexpr Formats kFormats[] = {{D::BF16, D::BF16, D::BF16}, {D::F32, D::BF16, D::BF16}, {D::F32, D::F32, D::BF16},
                                {D::BF16, D::BF16, D::F32},  {D::F32, D::F32, D::F32},   {D::F32, D::BF16, D::F16}};

struct Inputs {
  std::vector<float> residual, delta, weight;
  int64_t rows, width;

  Inputs(const Formats& f, int64_t rows, int64_t width) : rows(rows), width(width) {
    Random random(static_cast<uint64_t>(width * 131 + rows));
    const auto count = static_cast<size_t>(rows * width);
    residual = rounded(normals(random, count, 3), f.residual);
    delta = rounded(normals(random, count), f.other);
    weight = rounded(normals(random, static_cast<size_t>(width)), f.weight);
  }
  // The new residual in its format.
  std::vector<float> sum(D type) const {
    std::vector<float> sums;
    for (size_t i = 0; i < residual.size(); ++i) sums.push_back(residual[i] + delta[i]);
    return rounded(sums, type);
  }
};

// Normalised rows of `x`, in double but for the oracle's last rounding.
std::vector<float> oracle(const std::vector<float>& x, const std::vector<float>& weight, float eps) {
  const auto width = static_cast<int64_t>(weight.size()), rows = static_cast<int64_t>(x.size()) / width;
  Array in(D::F32, {rows, width}), w(D::F32, {width}), out(D::F32, {rows, width});
  for (int64_t i = 0; i < rows * width; ++i) in.set(i, x[static_cast<size_t>(i)]);
  for (int64_t i = 0; i < width; ++i) w.set(i, weight[static_cast<size_t>(i)]);
  run_reference({"rms_norm", {{out.view()}, {in.view()}, {w.view()}}, {eps}});
  std::vector<float> y;
  for (int64_t i = 0; i < rows * width; ++i) y.push_back(out.f32(i));
  return y;
}

struct Result {
  std::vector<float> residual, out;
};

Result add_norm(const Formats& f, const Inputs& in, int64_t padding = 0) {
  DeviceRows residual(f.residual, in.residual, in.width, padding), delta(f.other, in.delta, in.width, 2 * padding);
  DeviceRows weight(f.weight, in.weight, in.width), out(f.other, in.rows, in.width, padding);
  cuda::AddRmsNormParams p{};
  p.residual = residual.data();
  p.delta = delta.data();
  p.out = out.data();
  p.weight = weight.data();
  p.residual_stride = residual.stride();
  p.delta_stride = delta.stride();
  p.out_stride = out.stride();
  p.rows = static_cast<int32_t>(in.rows);
  p.width = static_cast<int32_t>(in.width);
  p.eps = 1e-6f;
  p.weight_type = f.weight;
  cuda::add_rms_norm(cuda_queue(), f.residual, f.other, f.other, p);
  expect_equal(delta.read(), in.delta, "delta");
  return {residual.read(), out.read()};
}

struct QuantisedResult {
  std::vector<float> residual, normalised;
  Quantised quantised;
};

struct Choice {
  ScaleKind kind = ScaleKind::kExact;
  bool delta = true, normalised = true;
  int64_t padding = 0;
};

QuantisedResult add_norm_quantise(const Formats& f, const Inputs& in, const Choice& choice) {
  const int64_t padding = choice.padding;
  DeviceRows residual(f.residual, in.residual, in.width, padding), delta(f.other, in.delta, in.width, 2 * padding);
  DeviceRows weight(f.weight, in.weight, in.width), normalised(D::BF16, in.rows, in.width, 3 * padding);
  DeviceQuantised out(in.rows, in.width, 2 * padding, padding / 2);
  cuda::AddRmsNormQuantizeParams p{};
  p.residual = residual.data();
  p.delta = choice.delta ? delta.data() : nullptr;
  p.normalised = choice.normalised ? normalised.data() : nullptr;
  p.codes = out.codes.data<uint8_t>();
  p.scales = out.scales.data<float>();
  p.weight = weight.data();
  p.residual_stride = residual.stride();
  p.delta_stride = delta.stride();
  p.normalised_stride = normalised.stride();
  p.code_stride = out.codes.stride();
  p.scale_stride = out.scale_stride();
  p.rows = static_cast<int32_t>(in.rows);
  p.width = static_cast<int32_t>(in.width);
  p.eps = 1e-6f;
  p.weight_type = f.weight;
  p.scale_kind = choice.kind;
  cuda::add_rms_norm_quantize(cuda_queue(), f.residual, f.other, p);
  return {residual.read(), normalised.read(), out.read()};
}

// Codes times scales lie within half a step of E4M3 (a sixteenth of the value, or 2^-10 of the scale's unit), and the
// scale fits its group: the largest code is 448, or above 224 with a power of two.
void expect_represents(const Quantised& q, const std::vector<float>& exact, int64_t width, ScaleKind kind) {
  const int64_t groups = cuda::scale_groups(width);
  for (int64_t i = 0; i < static_cast<int64_t>(exact.size()) && current_ok; ++i) {
    const int64_t row = i / width, group = i % width / cuda::kScaleGroup;
    const double scale = q.scales[static_cast<size_t>(row * groups + group)], y = exact[static_cast<size_t>(i)];
    const double value = cpu::e4m3_to_f32(static_cast<uint8_t>(q.codes[static_cast<size_t>(i)])) * scale;
    if (std::fabs(value - y) > std::fabs(y) * (0x1p-4 + 1e-5) + scale * 0x1p-10 * 1.001) {
      std::printf("  element %ld: expected %.9g, got %.9g at scale %.9g\n", static_cast<long>(i), y, value, scale);
      CHECK(false);
    }
  }
  for (size_t s = 0; s < q.scales.size() && current_ok; ++s) {
    const size_t row = s / static_cast<size_t>(groups), first = s % static_cast<size_t>(groups) * cuda::kScaleGroup;
    float most = 0;
    for (size_t i = first; i < std::min<size_t>(first + cuda::kScaleGroup, static_cast<size_t>(width)); ++i)
      most = std::fmax(most, std::fabs(exact[row * static_cast<size_t>(width) + i]));
    if (kind == ScaleKind::kExact) CHECK(std::fabs(q.scales[s] - most / 448) <= 1e-5 * most / 448);
    else {
      int exponent = 0;
      CHECK(std::frexp(q.scales[s], &exponent) == 0.5f);
      CHECK(most <= 448.01f * q.scales[s] && most >= 223.9f * q.scales[s]);
    }
  }
}

void expect_add_norm(const Formats& f, int64_t rows, int64_t width, int64_t padding) {
  const Inputs in(f, rows, width);
  const Result got = add_norm(f, in, padding);
  const std::vector<float> sum = in.sum(f.residual);
  expect_equal(got.residual, sum, "residual");
  expect_near(got.out, oracle(sum, in.weight, 1e-6f), f.other == D::F32 ? kF32 : kBf16);
}

void expect_add_norm_quantise(const Formats& f, int64_t rows, int64_t width, const Choice& choice) {
  Inputs in(f, rows, width);
  const QuantisedResult got = add_norm_quantise(f, in, choice);
  if (!choice.delta) std::fill(in.delta.begin(), in.delta.end(), 0.0f);
  const std::vector<float> sum = in.sum(f.residual), exact = oracle(sum, in.weight, 1e-6f);
  expect_equal(got.residual, sum, "residual");
  if (choice.normalised) expect_near(got.normalised, exact, kBf16);
  expect_represents(got.quantised, exact, width, choice.kind);
  if (f.residual == D::BF16) return;
  // The same sums in the same order, kept in F32: bit for bit.
  const Result plain = add_norm({D::F32, D::F32, f.weight}, in);
  expect_quantised(got.quantised, oracle_quantise(plain.out, width, choice.kind));
  if (choice.normalised) expect_equal(got.normalised, rounded(plain.out, D::BF16), "normalised");
}

}  // namespace

int main() {
  for (const Formats& f : kFormats) {
    const std::string name = std::string("residual ") + dtype_name(f.residual) + ", delta " + dtype_name(f.other) +
                             ", weight " + dtype_name(f.weight);
    kernel_test("add_rms_norm with " + name, [&] {
      for (const int64_t width : {8, 512, 1544, 2048, 2056, 7168, 8192})
        for (const int64_t rows : {0, 1, 3, 5})
          for (const int64_t padding : {0, 8})
            if (current_ok && (rows < 5 || width < 600)) expect_add_norm(f, rows, width, padding);
    });
    kernel_test("add_rms_norm_quantize with " + name, [&] {
      for (const int64_t width : {16, 128, 512, 1536, 2048, 2064, 7168, 8192})
        for (const int64_t rows : {0, 1, 3, 5}) {
          if (!current_ok || (rows > 3 && width > 600)) continue;
          expect_add_norm_quantise(f, rows, width, {ScaleKind::kExact, true, true, 0});
          expect_add_norm_quantise(f, rows, width, {ScaleKind::kPowerOfTwo, rows != 1, rows != 3, 8});
        }
    });
  }
  kernel_test("zeros, a NaN, an infinity: zeros stay, a spoilt row is spoilt to its end and alone", [] {
    for (const int64_t width : {272, 2064}) {
      for (const Formats& f : {kFormats[0], kFormats[2]}) {
        Inputs in(f, 4, width);
        std::fill_n(in.residual.begin(), width, 0.0f);
        std::fill_n(in.delta.begin(), width, 0.0f);
        in.residual[static_cast<size_t>(width + 9)] = NAN;
        in.residual[static_cast<size_t>(3 * width + 9)] = INFINITY;
        const QuantisedResult got = add_norm_quantise(f, in, {});
        const int64_t groups = cuda::scale_groups(width);
        for (int64_t i = 0; i < 4 * width; ++i) {
          const uint32_t code = got.quantised.codes[static_cast<size_t>(i)];
          const float scale = got.quantised.scales[static_cast<size_t>(i / width * groups + i % width / 128)];
          if (i / width == 0) CHECK((code & 0x7f) == 0 && scale == 0x1p-100f / 448);
          if (i / width == 1) CHECK(nan_code8(code) && std::isnan(scale));
          if (i / width == 2) CHECK(!nan_code8(code) && scale > 0 && scale < 1);
          if (i / width == 3 && i % width == 9) CHECK(nan_code8(code) && std::isnan(scale));
          if (i / width == 3 && i % width >= 128) CHECK((code & 0x7f) == 0 && scale == 0x1p-100f / 448);
          if (!current_ok) return;
        }
      }
    }
  });
  kernel_test("a row has the same bits alone and in company", [] {
    for (const Formats& f : {kFormats[0], kFormats[1], kFormats[2]}) {
      for (const int64_t width : {512, 7168}) {
        const Inputs all(f, 7, width);
        const Result plain = add_norm(f, all);
        const QuantisedResult quantised = add_norm_quantise(f, all, {});
        for (const int64_t row : {0, 5}) {
          Inputs one(f, 1, width);
          one.weight = all.weight;
          one.residual = slice(all.residual, row * width, width);
          one.delta = slice(all.delta, row * width, width);
          expect_equal(add_norm(f, one).out, slice(plain.out, row * width, width), "element");
          const Quantised got = add_norm_quantise(f, one, {}).quantised;
          const int64_t groups = cuda::scale_groups(width);
          expect_equal(got.codes, slice(quantised.quantised.codes, row * width, width), "code");
          expect_equal(got.scales, slice(quantised.quantised.scales, row * groups, groups), "scale");
        }
      }
    }
  });
  test("what the kernels cannot take is refused with what was expected", [] {
    DeviceVector<float> m(size_t{4096});
    float* a = m.data();
    const cuda::AddRmsNormParams plain{a, a, a, a, 16, 16, 16, 2, 16, 1e-6f, D::BF16};
    const auto bytes = reinterpret_cast<uint8_t*>(a);
    const cuda::AddRmsNormQuantizeParams quantise{a,  a,  a,  bytes, a, a, 16, 16, 16, 16, 4, 2, 16, 1e-6f, D::BF16, ScaleKind::kExact};
    const auto refused = [&](const char* part, auto p, D residual = D::F32, D other = D::F32,
                             hadal_status status = HADAL_ERROR_INVALID) {
      CHECK(throws(status, part, [&] {
        if constexpr (requires { p.codes; }) cuda::add_rms_norm_quantize(cuda_queue(), residual, other, p);
        else cuda::add_rms_norm(cuda_queue(), residual, other, other, p);
      }));
    };
    const auto but = [](auto p, auto change) { return change(p), p; };
    refused("add_rms_norm: width: expected a multiple of 8", but(plain, [](auto& p) { p.width = 4; }));
    refused("delta: expected an address", but(plain, [](auto& p) { p.delta = nullptr; }));
    refused("residual: expected rows of 64 bytes", but(plain, [](auto& p) { p.residual_stride = 15; }));
    refused("no kernel for residual BF16, delta F32", plain, D::BF16, D::F32, HADAL_ERROR_UNSUPPORTED);
    refused("quantize: width: expected a multiple of 16", but(quantise, [](auto& p) { p.width = 8; }));
    refused("codes: expected rows of 16 bytes", but(quantise, [](auto& p) { p.code_stride = 24; }));
    refused("scales: expected a stride of at least 2 rows, a multiple of 4, got 2", but(quantise, [](auto& p) { p.scale_stride = 2; }));
    refused("scales: expected an address", but(quantise, [](auto& p) { p.scales = nullptr; }));
    refused("normalised: expected rows of 32 bytes", but(quantise, [](auto& p) { p.normalised_stride = 12; }));
    refused("no kernel for residual BF16, delta F32", quantise, D::BF16, D::F32, HADAL_ERROR_UNSUPPORTED);
  });
  return finish();
}
