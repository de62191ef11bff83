// Launcher of rms_norm: see rms_norm.h.
#include "cuda/norm/rms_norm.h"

#include <cmath>

#include "cuda/rows_check.h"

namespace hadal::cuda {

void expect_norm_weight(const char* op, const void* weight, DType weight_type, float eps) {
  HADAL_EXPECT(weight_type == DType::F32 || weight_type == DType::BF16 || weight_type == DType::F16,
               "%s: weight: expected F32, BF16 or F16, got %s", op, dtype_name(weight_type));
  expect_pointer(op, "weight", weight, 16);
  HADAL_EXPECT(std::isfinite(eps) && eps >= 0, "%s: eps: expected a finite number, 0 or more, got %g", op,
               static_cast<double>(eps));
}

Launch norm_launch(int64_t rows, int64_t width) {
  Launch launch;
  const bool warp = width <= kNormWarpWidth;
  launch.grid.x = warp ? blocks_for(rows, kNormWarpThreads / 32) : static_cast<uint32_t>(rows);
  launch.shared_bytes = warp ? 0 : kNormThreads / 32 * sizeof(float);
  launch.dependent = true;
  return launch;
}

namespace {

const Kernel& instance(DType x, DType out, int64_t width) {
  const bool warp = width <= kNormWarpWidth;
  if (x == DType::BF16 && out == DType::BF16) return warp ? kRmsNormWarpBf16 : kRmsNormBf16;
  if (x == DType::F32 && out == DType::F32) return warp ? kRmsNormWarpF32 : kRmsNormF32;
  if (x == DType::F32 && out == DType::BF16) return warp ? kRmsNormWarpF32Bf16 : kRmsNormF32Bf16;
  no_instance("rms_norm", std::string(dtype_name(x)) + " to " + dtype_name(out));
}

}  // namespace

void rms_norm(Queue& queue, DType x, DType out, const RmsNormParams& p) {
  expect_row_count("rms_norm", p.rows);
  expect_width("rms_norm", p.width, 8, kNormMaxWidth);
  expect_norm_weight("rms_norm", p.weight, p.weight_type, p.eps);
  const auto x_bytes = static_cast<int64_t>(dtype_size(x)), out_bytes = static_cast<int64_t>(dtype_size(out));
  expect_rows("rms_norm", "x", p.x, p.rows, p.width * x_bytes, p.x_stride * x_bytes);
  expect_rows("rms_norm", "out", p.out, p.rows, p.width * out_bytes, p.out_stride * out_bytes);
  queue.launch(instance(x, out, p.width), norm_launch(p.rows, p.width), p);
}

}  // namespace hadal::cuda
