// Launcher of add_rms_norm: see add_rms_norm.h.
#include "cuda/norm/add_rms_norm.h"

#include "cuda/rows_check.h"

namespace hadal::cuda {

namespace {

const Kernel& instance(DType residual, DType delta, DType out, int64_t width) {
  const bool warp = width <= kNormWarpWidth;
  const auto are = [&](DType r, DType other) { return residual == r && delta == other && out == other; };
  if (are(DType::BF16, DType::BF16)) return warp ? kAddRmsNormBf16Warp : kAddRmsNormBf16;
  if (are(DType::F32, DType::BF16)) return warp ? kAddRmsNormF32Bf16Warp : kAddRmsNormF32Bf16;
  if (are(DType::F32, DType::F32)) return warp ? kAddRmsNormF32Warp : kAddRmsNormF32;
  no_instance("add_rms_norm", std::string("residual ") + dtype_name(residual) + ", delta " +
                                  dtype_name(delta) + ", out " + dtype_name(out));
}

}  // namespace

void add_rms_norm(Queue& queue, DType residual, DType delta, DType out, const AddRmsNormParams& p) {
  constexpr const char* op = "add_rms_norm";
  expect_row_count(op, p.rows);
  expect_width(op, p.width, 8, kNormMaxWidth);
  expect_norm_weight(op, p.weight, p.weight_type, p.eps);
  const auto rows = [&](const char* name, const void* data, DType type, int64_t stride) {
    const auto bytes = static_cast<int64_t>(dtype_size(type));
    expect_rows(op, name, data, p.rows, p.width * bytes, stride * bytes);
  };
  rows("residual", p.residual, residual, p.residual_stride);
  rows("delta", p.delta, delta, p.delta_stride);
  rows("out", p.out, out, p.out_stride);
  queue.launch(instance(residual, delta, out, p.width), norm_launch(p.rows, p.width), p);
}

}  // namespace hadal::cuda
