// rms_norm on CUDA against the CPU's oracle: every width class and format, strided rows, rows whose squares leave
// F32, a row alone and in company, steps of nothing.
#include "cuda/norm/rms_norm.h"

#include "tests/cuda/rows_case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;

// The root of a sum of n squares in F32, in another order than the oracle's: a chain of at most 32 a thread and
// eight partial sums, then the root to 2 ulp and two products.
constexpr double kF32 = 48 * 0x1p-24;
constexpr double kBf16 = 0x1p-8 + 1e-5;  // half a step of BF16, and the F32 before it

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

struct Formats {
  D x, out, weight;
};
constexpr Formats kFormats[] = {{D::BF16, D::BF16, D::BF16}, {D::F32, D::F32, D::BF16},  {D::F32, D::BF16, D::BF16},
                                {D::BF16, D::BF16, D::F32},  {D::BF16, D::BF16, D::F16}, {D::F32, D::F32, D::F32},
                                {D::F32, D::F32, D::F16},    {D::F32, D::BF16, D::F32}};

std::vector<float> norm(const Formats& f, const std::vector<float>& x, const std::vector<float>& weight, float eps,
                        int64_t padding = 0) {
  const auto width = static_cast<int64_t>(weight.size()), rows = static_cast<int64_t>(x.size()) / width;
  DeviceRows in(f.x, x, width, padding), w(f.weight, weight, width), out(f.out, rows, width, 2 * padding);
  in.written_by_kernel();
  cuda::RmsNormParams p{};
  p.x = in.data();
  p.out = out.data();
  p.weight = w.data();
  p.x_stride = in.stride();
  p.out_stride = out.stride();
  p.rows = static_cast<int32_t>(rows);
  p.width = static_cast<int32_t>(width);
  p.eps = eps;
  p.weight_type = f.weight;
  cuda::rms_norm(cuda_queue(), f.x, f.out, p);
  in.read();  // its padding
  return out.read();
}

void expect_rms_norm(const Formats& f, int64_t rows, int64_t width, int64_t padding) {
  Random random(static_cast<uint64_t>(width * 31 + rows));
  const std::vector<float> weight = rounded(normals(random, static_cast<size_t>(width)), f.weight);
  std::vector<float> x = normals(random, static_cast<size_t>(rows * width));
  for (int64_t i = 0; i < rows * width; ++i) x[static_cast<size_t>(i)] *= i / width % 2 ? 300.0f : 0.02f;
  x = rounded(x, f.x);
  expect_near(norm(f, x, weight, 1e-6f, padding), oracle(x, weight, 1e-6f), f.out == D::F32 ? kF32 : kBf16);
  if (!current_ok) std::printf("  rows %ld width %ld padding %ld\n", long(rows), long(width), long(padding));
}

}  // namespace

int main() {
  for (const Formats& f : kFormats) {
    const std::string name = std::string(dtype_name(f.x)) + " to " + dtype_name(f.out) + ", weight " + dtype_name(f.weight);
    kernel_test("rms_norm of " + name + " is the oracle's", [&] {
      for (const int64_t width : {8, 64, 264, 512, 576, 1536, 2040, 2048, 2056, 7168, 8192})
        for (const int64_t rows : {0, 1, 3, 4, 5})
          for (const int64_t padding : {0, 8})
            if (current_ok && (rows < 4 || width < 600)) expect_rms_norm(f, rows, width, padding);
    });
  }
  kernel_test("rows whose squares leave F32 are right, in a warp and in a block", [] {
    for (const int64_t width : {72, 4096}) {
      Random random(5);
      const std::vector<float> weight = rounded(normals(random, static_cast<size_t>(width)), D::BF16);
      const std::vector<float> one = normals(random, static_cast<size_t>(width));
      for (const float eps : {1e-6f, 0.0f}) {
        std::vector<float> x;
        // The last is the largest that F32 has: 2^127 · 1.9.
        for (const float magnitude : {1.0f, 1e18f, 1e22f, 1e37f, 1e-16f, 1e-30f, 1e-37f})
          for (const float value : one) x.push_back(value * magnitude);
        for (int64_t i = 0; i < width; ++i) x.push_back(i % 2 ? 3.3e38f : -3.4e38f);
        expect_near(norm({D::F32, D::F32, D::BF16}, x, weight, eps), oracle(x, weight, eps), kF32);
        const std::vector<float> narrow = rounded(slice(x, 0, 7 * width), D::BF16);
        expect_near(norm({D::BF16, D::BF16, D::BF16}, narrow, weight, eps), oracle(narrow, weight, eps), kBf16);
      }
    }
  });
  kernel_test("zeros stay zeros; a NaN spoils its row and no other; an infinity leaves zeros and a NaN", [] {
    for (const int64_t width : {72, 2056}) {
      Random random(6);
      const std::vector<float> weight(static_cast<size_t>(width), 1.0f);
      std::vector<float> x = rounded(normals(random, static_cast<size_t>(5 * width)), D::BF16);
      std::fill_n(x.begin(), width, 0.0f);
      x[static_cast<size_t>(2 * width + 40)] = NAN;
      x[static_cast<size_t>(4 * width + 3)] = INFINITY;
      for (const Formats& f : {kFormats[0], kFormats[1]})
        expect_near(norm(f, x, weight, 1e-6f), oracle(x, weight, 1e-6f), kBf16);
    }
  });
  kernel_test("a row has the same bits alone, in company, and over itself", [] {
    for (const Formats& f : {kFormats[0], kFormats[1], kFormats[2]}) {
      for (const int64_t width : {512, 7168}) {
        Random random(7);
        const std::vector<float> weight = rounded(normals(random, static_cast<size_t>(width)), f.weight);
        const std::vector<float> x = rounded(normals(random, static_cast<size_t>(9 * width)), f.x);
        const std::vector<float> all = norm(f, x, weight, 1e-6f);
        for (const int64_t row : {0, 3, 8})
          expect_equal(norm(f, slice(x, row * width, width), weight, 1e-6f), slice(all, row * width, width), "element");
        if (f.x != f.out) continue;
        DeviceRows in(f.x, x, width), w(f.weight, weight, width);
        cuda::RmsNormParams p{in.data(), in.data(), w.data(), width, width, 9, static_cast<int32_t>(width), 1e-6f, f.weight};
        cuda::rms_norm(cuda_queue(), f.x, f.out, p);
        expect_equal(in.read(), all, "element");
      }
    }
  });
  test("what the kernels cannot take is refused with what was expected", [] {
    DeviceVector<float> memory(size_t{4096});
    cuda::RmsNormParams good{memory.data(), memory.data(), memory.data(), 16, 16, 1, 16, 1e-6f, D::BF16};
    const auto refused = [&](const char* part, const std::function<void(cuda::RmsNormParams&)>& spoil, D x = D::F32,
                             D out = D::F32, hadal_status status = HADAL_ERROR_INVALID) {
      cuda::RmsNormParams p = good;
      spoil(p);
      CHECK(throws(status, part, [&] { cuda::rms_norm(cuda_queue(), x, out, p); }));
    };
    refused("width: expected a multiple of 8, at most 8192, got 12", [](auto& p) { p.width = 12; });
    refused("width: expected a multiple of 8, at most 8192, got 8200", [](auto& p) { p.width = 8200; });
    refused("width: expected", [](auto& p) { p.width = 0; });
    refused("rows: expected none or more, got -1", [](auto& p) { p.rows = -1; });
    refused("x: expected an address that is a multiple of 16", [](auto& p) { p.x = static_cast<const char*>(p.x) + 4; });
    refused("out: expected rows of 64 bytes a multiple of 16 bytes apart, got 72",
            [](auto& p) { p.rows = 2, p.out_stride = 18; });
    refused("x: expected rows of 64 bytes a multiple of 16 bytes apart, got 48",
            [](auto& p) { p.rows = 2, p.x_stride = 12; });
    refused("weight: expected F32, BF16 or F16, got I32", [](auto& p) { p.weight_type = D::I32; });
    refused("weight: expected an address", [](auto& p) { p.weight = nullptr; });
    refused("eps: expected a finite number", [](auto& p) { p.eps = NAN; });
    refused("eps: expected a finite number", [](auto& p) { p.eps = -1; });
    refused("no kernel for BF16 to F32", [](auto&) {}, D::BF16, D::F32, HADAL_ERROR_UNSUPPORTED);
    expect_no_hazards();
  });
  return finish();
}
