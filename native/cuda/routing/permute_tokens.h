// permute_tokens on CUDA: a stable counting sort of the pairs (token·K + k) by expert, as the CPU's op, and with it
// the layouts that grouped products read. Ranks come from votes within a warp and sums over warps and chunks,
// never from the order of atomics: the same input gives the same bits.
// Up to 4096 pairs one block sorts alone. Above, one kernel counts each chunk of 1024 pairs and a second adds up
// the counts before its chunk by itself (some ten KB from the second-level cache): no flags between blocks that
// run at once, no third kernel, and work linear in the pairs.
#pragma once

#include <algorithm>

#include "cuda/queue.h"

namespace hadal::cuda {

enum class RowLayout : int32_t {
  kPacked = 0,  // experts one after another, as in `rows`
  kTiled = 1,   // each expert's rows padded to whole tiles
  kMasked = 2,  // max_rows rows an expert, of which the first counts[e] are in use
};

struct PermuteTokensParams {
  const int32_t* ids;     // [pairs]; a pair whose expert is not 0..experts−1 is left out of all that follows
  int32_t* offsets;       // [experts + 1]
  int32_t* rows;          // [pairs] pair of each place, by expert, ascending
  int32_t* slots;         // [pairs] row of the layout that is the pair's, or −1 (none); or null
  int32_t* layout_rows;   // tiled: [capacity] pair of each row, −1 padding; masked: [experts, max_rows]; or null
  int32_t* tile_experts;  // tiled: [capacity / tile] expert of each tile, −1 after the last
  int32_t* total_rows;    // tiled: [1] rows in use, a multiple of tile
  int32_t* counts;        // masked: [experts] rows in use; pairs beyond max_rows are dropped
  int32_t* scratch;       // [permute_tokens_scratch(pairs, experts)]
  int32_t pairs, experts;
  RowLayout layout;
  int32_t tile, capacity;  // tiled
  int32_t max_rows;        // masked
};

inline constexpr int32_t kPermuteTokensMaxExperts = 512;
inline constexpr int32_t kPermuteTokensChunk = 1024;  // pairs that one of many blocks sorts

inline constexpr Kernel kPermuteTokensCount{"permute_tokens_count", sizeof(PermuteTokensParams), 256};
inline constexpr Kernel kPermuteTokensMany{"permute_tokens_many", sizeof(PermuteTokensParams), 256};
inline constexpr Kernel kPermuteTokens1024{"permute_tokens_1024", sizeof(PermuteTokensParams), 256};
inline constexpr Kernel kPermuteTokens4096{"permute_tokens_4096", sizeof(PermuteTokensParams), 1024};

// Integers of scratch memory; need not be cleared.
inline int64_t permute_tokens_scratch(int64_t pairs, int64_t experts) {
  return pairs <= 4 * kPermuteTokensChunk
             ? 0
             : (pairs + kPermuteTokensChunk - 1) / kPermuteTokensChunk * experts;
}
// Rows that a tiled layout may come to, whatever the ids.
inline int64_t tiled_capacity(int64_t pairs, int64_t experts, int64_t tile) {
  return (pairs / tile + std::min(pairs, experts)) * tile;
}

void permute_tokens(Queue& queue, const PermuteTokensParams& params);

}  // namespace hadal::cuda
