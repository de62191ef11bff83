// Launcher of permute_rows: see permute_rows.h.
#include "cuda/routing/permute_rows.h"

namespace hadal::cuda {

void permute_rows(Queue& queue, const PermuteRowsParams& params) {
  HADAL_EXPECT(params.tokens >= 0 && params.chosen >= 1,
               "permute_rows: expected tokens and experts a token, got %d, %d", params.tokens,
               params.chosen);
  HADAL_EXPECT(params.row_bytes > 0 && params.row_bytes % 16 == 0,
               "permute_rows: row: expected a multiple of 16 bytes, got %d", params.row_bytes);
  for (const int64_t stride : {params.x_stride, params.out_stride})
    HADAL_EXPECT(stride >= params.row_bytes && stride % 16 == 0,
                 "permute_rows: stride: expected a multiple of 16 bytes, at least %d, got %lld", params.row_bytes,
                 static_cast<long long>(stride));
  for (const void* pointer : {params.x, static_cast<const void*>(params.out)})
    HADAL_EXPECT(reinterpret_cast<uintptr_t>(pointer) % 16 == 0,
                 "permute_rows: expected addresses of whole 16 bytes, got %p", pointer);
  HADAL_EXPECT((params.scales != nullptr) == (params.out_scales != nullptr),
               "permute_rows: expected scales and out_scales together, got one");
  const int64_t pieces = (params.row_bytes + kPermuteRowsBytes - 1) / kPermuteRowsBytes;
  HADAL_EXPECT(params.tokens * pieces <= INT32_MAX, "permute_rows: expected at most 2^31 blocks, got %lld",
               static_cast<long long>(params.tokens * pieces));
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(params.tokens * pieces);
  launch.dependent = true;
  queue.launch(kPermuteRows, launch, params);
}

}  // namespace hadal::cuda
