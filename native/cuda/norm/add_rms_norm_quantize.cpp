// Launcher of add_rms_norm_quantize: see add_rms_norm_quantize.h.
#include "cuda/norm/add_rms_norm_quantize.h"

#include "cuda/rows_check.h"

namespace hadal::cuda {

namespace {

constexpr const char* kOp = "add_rms_norm_quantize";

const Kernel& instance(DType residual, DType delta, int64_t width) {
  const bool warp = width <= kNormWarpWidth;
  if (residual == DType::BF16 && delta == DType::BF16)
    return warp ? kAddRmsNormQuantizeBf16Warp : kAddRmsNormQuantizeBf16;
  if (residual == DType::F32 && delta == DType::BF16)
    return warp ? kAddRmsNormQuantizeF32Bf16Warp : kAddRmsNormQuantizeF32Bf16;
  if (residual == DType::F32 && delta == DType::F32)
    return warp ? kAddRmsNormQuantizeF32Warp : kAddRmsNormQuantizeF32;
  no_instance(kOp, std::string("residual ") + dtype_name(residual) + ", delta " + dtype_name(delta));
}

}  // namespace

void add_rms_norm_quantize(Queue& queue, DType residual, DType delta, const AddRmsNormQuantizeParams& p) {
  expect_row_count(kOp, p.rows);
  expect_width(kOp, p.width, 16, kNormMaxWidth);
  expect_norm_weight(kOp, p.weight, p.weight_type, p.eps);
  const auto rows = [&](const char* name, const void* data, int64_t bytes, int64_t stride) {
    expect_rows(kOp, name, data, p.rows, p.width * bytes, stride * bytes);
  };
  rows("residual", p.residual, static_cast<int64_t>(dtype_size(residual)), p.residual_stride);
  if (p.delta != nullptr) rows("delta", p.delta, static_cast<int64_t>(dtype_size(delta)), p.delta_stride);
  if (p.normalised != nullptr) rows("normalised", p.normalised, 2, p.normalised_stride);
  expect_quantized(kOp, p.codes, p.code_stride, p.scales, p.scale_stride, p.rows, p.width);
  queue.launch(instance(residual, delta, p.width), norm_launch(p.rows, p.width), p);
}

}  // namespace hadal::cuda
