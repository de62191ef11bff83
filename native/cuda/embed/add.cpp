// Launcher of add: see add.h.
#include "cuda/embed/add.h"

#include "cuda/rows_check.h"

namespace hadal::cuda {

void add(Queue& queue, DType type, const AddParams& p) {
  if (type != DType::BF16 && type != DType::F32) no_instance("add", dtype_name(type));
  const auto bytes = static_cast<int64_t>(dtype_size(type));
  expect_row_count("add", p.rows);
  expect_width("add", p.width, 16 / bytes, kMostColumns);
  expect_rows("add", "a", p.a, p.rows, p.width * bytes, p.a_stride * bytes);
  expect_rows("add", "b", p.b, p.rows, p.width * bytes, p.b_stride * bytes);
  expect_rows("add", "out", p.out, p.rows, p.width * bytes, p.out_stride * bytes);
  queue.launch(type == DType::F32 ? kAddF32 : kAddBf16, item_launch("add", p.rows, p.width * bytes / 16), p);
}

}  // namespace hadal::cuda
