// Launcher of rope: see rope.h.
#include "cuda/rope/rope.h"

#include <cmath>

#include "cuda/rows_check.h"

namespace hadal::cuda {

namespace {

void check(DType type, const RopeParams& p) {
  if (type != DType::BF16 && type != DType::F32) no_instance("rope", dtype_name(type));
  const auto bytes = static_cast<int64_t>(dtype_size(type));
  expect_row_count("rope", p.tokens);
  HADAL_EXPECT(p.heads >= 0, "rope: heads: expected none or more, got %d", p.heads);
  HADAL_EXPECT(p.style == RopeStyle::kInterleaved || p.style == RopeStyle::kHalves,
               "rope: style: expected 0 or 1, got %d", static_cast<int>(p.style));
  expect_width("rope", p.width, 16 / bytes * (p.style == RopeStyle::kHalves ? 2 : 1), kRopeMaxWidth);
  HADAL_EXPECT(std::isfinite(p.factor), "rope: factor: expected a finite number, got %g",
               static_cast<double>(p.factor));
  const int64_t row = p.width * bytes;
  if (p.tokens == 0 || p.heads == 0) return;
  expect_rows("rope", "x (heads)", p.x, p.heads, row, p.x_head_stride * bytes);
  expect_rows("rope", "out (heads)", p.out, p.heads, row, p.out_head_stride * bytes);
  expect_rows("rope", "x (tokens)", p.x, p.tokens, row, p.x_token_stride * bytes);
  expect_rows("rope", "out (tokens)", p.out, p.tokens, row, p.out_token_stride * bytes);
  expect_pointer("rope", "positions", p.positions, 4);
  expect_pointer("rope", "inv_freq", p.inv_freq, 4);
}

}  // namespace

void rope(Queue& queue, DType type, const RopeParams& p) {
  check(type, p);
  const int64_t vectors = int64_t{p.heads} * p.width * static_cast<int64_t>(dtype_size(type)) / 16;
  const bool halves = p.style == RopeStyle::kHalves;
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(p.tokens);
  launch.grid.y = blocks_for(vectors, kRopeThreads * kRopeLoads);
  launch.shared_bytes = 2 * sizeof(float) * kRopeMaxWidth / 2;
  launch.dependent = true;
  if (type == DType::F32) queue.launch(halves ? kRopeHalvesF32 : kRopeF32, launch, p);
  else queue.launch(halves ? kRopeHalvesBf16 : kRopeBf16, launch, p);
}

}  // namespace hadal::cuda
