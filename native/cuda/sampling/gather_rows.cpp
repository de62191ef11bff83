// Launcher of gather_rows: see gather_rows.h.
#include "cuda/sampling/gather_rows.h"

namespace hadal::cuda {

void gather_rows(Queue& queue, const GatherRowsParams& params) {
  HADAL_EXPECT(params.count >= 0 && params.x_rows >= 0, "gather_rows: expected rows, got %d of %d", params.count,
               params.x_rows);
  HADAL_EXPECT(params.row_bytes > 0, "gather_rows: expected rows of some bytes, got %d", params.row_bytes);
  uint64_t all = static_cast<uint64_t>(params.row_bytes);
  for (const int64_t stride : {params.out_stride, params.x_stride}) {
    HADAL_EXPECT(stride >= params.row_bytes, "gather_rows: stride: expected at least %d bytes, got %lld",
                 params.row_bytes, static_cast<long long>(stride));
    all |= static_cast<uint64_t>(stride);
  }
  all |= reinterpret_cast<uintptr_t>(params.out) | reinterpret_cast<uintptr_t>(params.x);
  HADAL_EXPECT(all % 2 == 0, "gather_rows: expected even addresses, strides and rows, got out %p, x %p, %d bytes",
               params.out, params.x, params.row_bytes);
  const bool by_16 = all % 16 == 0;
  const int64_t piece = 4 * static_cast<int64_t>(kGatherRowsThreads) * (by_16 ? 16 : 2);
  const int64_t blocks = (params.row_bytes + piece - 1) / piece * params.count;
  HADAL_EXPECT(blocks <= INT32_MAX, "gather_rows: expected at most 2^31 blocks, got %lld",
               static_cast<long long>(blocks));
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(blocks);
  launch.dependent = true;
  queue.launch(by_16 ? kGatherRows16 : kGatherRows2, launch, params);
}

}  // namespace hadal::cuda
