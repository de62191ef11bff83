// Launcher of swiglu: see swiglu.h.
#include "cuda/quantize/swiglu.h"

#include "cuda/quantize/quantize_groups.h"
#include "cuda/rows_check.h"

namespace hadal::cuda {

void swiglu(Queue& queue, DType type, const SwigluParams& p) {
  if (type != DType::BF16 && type != DType::F32) no_instance("swiglu", dtype_name(type));
  const auto bytes = static_cast<int64_t>(dtype_size(type));
  expect_row_count("swiglu", p.rows);
  expect_width("swiglu", p.width, 8, kMostColumns);
  expect_rows("swiglu", "gate", p.gate, p.rows, p.width * bytes, p.gate_stride * bytes);
  expect_rows("swiglu", "up", p.up, p.rows, p.width * bytes, p.up_stride * bytes);
  expect_rows("swiglu", "out", p.out, p.rows, p.width * bytes, p.out_stride * bytes);
  Launch launch;
  launch.grid.x = blocks_for(p.rows, kQuantizeRows) * blocks_for(p.width, quantize_columns(type));
  launch.dependent = true;
  queue.launch(type == DType::F32 ? kSwigluF32 : kSwigluBf16, launch, p);
}

}  // namespace hadal::cuda
