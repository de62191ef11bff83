// Launcher of quantize_groups: see quantize_groups.h.
#include "cuda/quantize/quantize_groups.h"

#include "cuda/rows_check.h"

namespace hadal::cuda {

void quantize_groups(Queue& queue, DType x, const QuantizeGroupsParams& p) {
  constexpr const char* op = "quantize_groups";
  if (x != DType::BF16 && x != DType::F32) no_instance(op, dtype_name(x));
  const auto bytes = static_cast<int64_t>(dtype_size(x));
  expect_row_count(op, p.rows);
  expect_width(op, p.width, 16, kMostColumns);
  expect_rows(op, "x", p.x, p.rows, p.width * bytes, p.x_stride * bytes);
  expect_quantized(op, p.codes, p.code_stride, p.scales, p.scale_stride, p.rows, p.width);
  Launch launch;
  launch.grid.x = blocks_for(p.rows, kQuantizeRows) * blocks_for(p.width, quantize_columns(x));
  launch.dependent = true;
  queue.launch(x == DType::F32 ? kQuantizeGroupsF32 : kQuantizeGroupsBf16, launch, p);
}

}  // namespace hadal::cuda
