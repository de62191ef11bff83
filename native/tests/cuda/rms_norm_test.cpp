// rms_norm on CUDA against the CPU's oracle: every width class, strided rows, steps of nothing.
#include "cuda/norm/rms_norm.h"
#include "tests/cuda/cuda_case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

// The row's root mean square as the oracle has it, on inputs that are already rounded.
std::vector<float> oracle(const std::vector<float>& x, const std::vector<float>& weight, float eps) {
  const auto width = static_cast<int64_t>(weight.size()), rows = static_cast<int64_t>(x.size()) / width;
  Array in(DType::F32, {rows, width}), w(DType::F32, {width}), out(DType::F32, {rows, width});
  for (int64_t i = 0; i < rows * width; ++i) in.set(i, x[static_cast<size_t>(i)]);
  for (int64_t i = 0; i < width; ++i) w.set(i, weight[static_cast<size_t>(i)]);
  run_reference({"rms_norm", {{out.view()}, {in.view()}, {w.view()}}, {eps}});
  std::vector<float> y;
  for (int64_t i = 0; i < rows * width; ++i) y.push_back(out.f32(i));
  return y;
}

void expect_close(const std::vector<float>& got, const std::vector<float>& expected, float relative) {
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::fabs(got[i] - expected[i]) <= relative * std::fabs(expected[i]) + 1e-30f) continue;
    std::printf("  element %zu: expected %.9g, got %.9g\n", i, expected[i], got[i]);
    CHECK(false);
    return;
  }
}

void expect_rms_norm(int32_t rows, int32_t width, DType activations) {
  Random random(static_cast<uint64_t>(width + rows));
  const auto count = static_cast<size_t>(rows) * static_cast<size_t>(width);
  const std::vector<float> weight = from_bf16(to_bf16(normals(random, static_cast<size_t>(width))));
  std::vector<float> x = normals(random, count);
  if (activations == DType::BF16) x = from_bf16(to_bf16(x));
  DeviceVector<uint16_t> device_weight(to_bf16(weight));
  cuda::RmsNormParams params{};
  params.weight = device_weight.data();
  params.x_stride = params.out_stride = width;
  params.rows = rows;
  params.width = width;
  params.eps = 1e-6f;
  const std::vector<float> expected = oracle(x, weight, params.eps);
  const auto run_with = [&](auto& in, auto& out) {
    params.x = in.data();
    params.out = out.data();
    cuda::rms_norm(cuda_queue(), activations, params);
    CHECK(in.guards_intact() && out.guards_intact());
  };
  if (activations == DType::F32) {
    DeviceVector<float> in(x), out(count);
    run_with(in, out);
    expect_close(out.read(), expected, 4e-6f);  // rsqrt to 2 ulp, sums in another order
  } else {
    DeviceVector<uint16_t> in(to_bf16(x)), out(count);
    run_with(in, out);
    expect_close(from_bf16(out.read()), expected, 0x1p-8f * 1.01f);  // half a BF16 step, and a last bit
  }
}

}  // namespace

int main() {
  for (const DType activations : {DType::BF16, DType::F32}) {
    kernel_test(std::string("rms_norm of ") + dtype_name(activations) + " is the oracle's", [&] {
      for (const int32_t width : {8, 64, 512, 576, 1536, 2048, 7168, 8192})
        for (const int32_t rows : {0, 1, 3})
          if (current_ok) expect_rms_norm(rows, width, activations);
    });
  }
  test("a width that is no multiple of 8 is refused", [] {
    cuda::RmsNormParams params{};
    params.rows = 1;
    params.width = 12;
    CHECK(throws(HADAL_ERROR_INVALID, "multiple of 8", [&] { cuda::rms_norm(cuda_queue(), DType::BF16, params); }));
  });
  return finish();
}
