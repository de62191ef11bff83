// Launcher of copy: see copy.h.
#include "cuda/embed/copy.h"

#include "cuda/rows_check.h"

namespace hadal::cuda {

void copy(Queue& queue, const CopyParams& p) {
  expect_row_count("copy", p.rows);
  expect_width("copy", p.row_bytes, 4, int64_t{1} << 30);
  expect_rows("copy", "x", p.x, p.rows, p.row_bytes, p.x_stride, 4);
  expect_rows("copy", "out", p.out, p.rows, p.row_bytes, p.out_stride, 4);
  const auto by16 = [](const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % 16 == 0; };
  const bool vectors = p.row_bytes % 16 == 0 && p.x_stride % 16 == 0 && p.out_stride % 16 == 0 && by16(p.x) && by16(p.out);
  queue.launch(vectors ? kCopy16 : kCopy4, item_launch("copy", p.rows, p.row_bytes / (vectors ? 16 : 4)), p);
}

}  // namespace hadal::cuda
