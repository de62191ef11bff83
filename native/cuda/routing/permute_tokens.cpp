// Launcher of permute_tokens: see permute_tokens.h.
#include "cuda/routing/permute_tokens.h"

namespace hadal::cuda {
namespace {

// A product's tiles: whole warps of rows, so that nothing else needs to be provided for.
bool is_tile(int32_t tile) { return tile > 0 && tile <= 256 && (tile & (tile - 1)) == 0; }

void check_layout(const PermuteTokensParams& p) {
  if (p.layout == RowLayout::kTiled) {
    HADAL_EXPECT(is_tile(p.tile), "permute_tokens: tile: expected a power of two up to 256, got %d", p.tile);
    const int64_t least = tiled_capacity(p.pairs, p.experts, p.tile);
    HADAL_EXPECT(p.capacity >= least && p.capacity % p.tile == 0,
                 "permute_tokens: capacity: expected a multiple of %d, at least %lld, got %d", p.tile,
                 static_cast<long long>(least), p.capacity);
    HADAL_EXPECT(p.layout_rows != nullptr && p.tile_experts != nullptr && p.total_rows != nullptr,
                 "permute_tokens: a tiled layout: expected its three tensors, got null");
  }
  if (p.layout == RowLayout::kMasked) {
    HADAL_EXPECT(p.max_rows > 0 && p.max_rows <= INT32_MAX / p.experts,
                 "permute_tokens: rows an expert: expected 1 to %d, got %d", INT32_MAX / p.experts, p.max_rows);
    HADAL_EXPECT(p.counts != nullptr, "permute_tokens: a masked layout: expected its counts, got null");
  }
}

// `before` of the struct in permute_tokens.cuh and its four rows of sums.
uint32_t shared_bytes(uint32_t warps) {
  return (warps * kPermuteTokensMaxExperts + 4 * kPermuteTokensMaxExperts + 2) * sizeof(int32_t);
}

}  // namespace

void permute_tokens(Queue& queue, const PermuteTokensParams& params) {
  HADAL_EXPECT(params.experts >= 1 && params.experts <= kPermuteTokensMaxExperts,
               "permute_tokens: experts: expected 1 to %d, got %d", kPermuteTokensMaxExperts, params.experts);
  HADAL_EXPECT(params.pairs >= 0 && params.pairs <= 1 << 24, "permute_tokens: pairs: expected 0 to 2^24, got %d",
               params.pairs);
  check_layout(params);
  Launch launch;
  launch.dependent = true;
  launch.shared_bytes = shared_bytes(8);
  if (params.pairs <= kPermuteTokensChunk) return queue.launch(kPermuteTokens1024, launch, params);
  if (params.pairs <= 4 * kPermuteTokensChunk) {
    launch.shared_bytes = shared_bytes(32);
    return queue.launch(kPermuteTokens4096, launch, params);
  }
  HADAL_EXPECT(params.scratch != nullptr, "permute_tokens: scratch: expected %lld integers, got null",
               static_cast<long long>(permute_tokens_scratch(params.pairs, params.experts)));
  launch.grid.x = static_cast<uint32_t>((params.pairs + kPermuteTokensChunk - 1) / kPermuteTokensChunk);
  Launch count = launch;
  count.shared_bytes = shared_bytes(1);
  queue.launch(kPermuteTokensCount, count, params);
  queue.launch(kPermuteTokensMany, launch, params);
}

}  // namespace hadal::cuda
