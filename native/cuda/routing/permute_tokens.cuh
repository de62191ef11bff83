// Device body of permute_tokens: see permute_tokens.h. Warp w of a block takes 128 neighbouring pairs, 32 at a
// time. Place of a pair = start of its expert + the expert's pairs in chunks before + in warps before + in this
// warp before.
#pragma once

#include "cuda/device/atomic.cuh"
#include "cuda/device/dependent.cuh"
#include "cuda/device/warp.cuh"
#include "cuda/routing/permute_tokens.h"

namespace hadal::device {

constexpr int kPermuteRounds = 4;  // of 32 pairs, a warp
constexpr int kPermuteExperts = cuda::kPermuteTokensMaxExperts;

template <int kWarps>
struct PermuteShared {
  int before[kWarps][kPermuteExperts];  // first pairs of each warp, then of the warps before it
  int earlier[kPermuteExperts];         // pairs in chunks before
  int totals[kPermuteExperts];
  int starts[kPermuteExperts + 1];
  int first_tiles[kPermuteExperts + 1];
};

HADAL_DEVICE int expert_of(const cuda::PermuteTokensParams& p, int pair) {
  const int id = pair < p.pairs ? p.ids[pair] : -1;
  return id >= 0 && id < p.experts ? id : -1;
}

// Pairs of each expert in each chunk. Sums of integers: the order of the atomics does not show.
HADAL_DEVICE void permute_tokens_count(const cuda::PermuteTokensParams& p) {
  int* counts = shared<PermuteShared<1>>().totals;
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  for (int e = thread; e < p.experts; e += threads) counts[e] = 0;
  sync_block();
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int first = static_cast<int>(blockIdx.x) * cuda::kPermuteTokensChunk + thread;
  int experts[kPermuteRounds];
  HADAL_UNROLL
  for (int r = 0; r < kPermuteRounds; ++r) experts[r] = expert_of(p, first + r * threads);
  HADAL_UNROLL
  for (int r = 0; r < kPermuteRounds; ++r)
    if (experts[r] >= 0) atomic_add(&counts[experts[r]], 1);
  sync_block();
  int* out = p.scratch + static_cast<int64_t>(blockIdx.x) * p.experts;
  for (int e = thread; e < p.experts; e += threads) out[e] = counts[e];
}

// Ranks of the warp's pairs among the warp's pairs of the same expert; its counts are left in `counts`.
HADAL_DEVICE void rank_in_warp(const int (&experts)[kPermuteRounds], int* counts, int (&ranks)[kPermuteRounds]) {
  HADAL_UNROLL
  for (int r = 0; r < kPermuteRounds; ++r) {
    const uint32_t same = match_any(experts[r]);
    const int base = experts[r] >= 0 ? counts[experts[r]] : 0;
    ranks[r] = base + count_bits(same & lanes_below());
    sync_warp();
    if (experts[r] >= 0 && first_bit(same) == lane_index()) counts[experts[r]] = base + count_bits(same);
    sync_warp();
  }
}

// Sums over warps and chunks, a thread an expert.
template <int kWarps, bool kAlone>
HADAL_DEVICE void sum_counts(const cuda::PermuteTokensParams& p, PermuteShared<kWarps>& s) {
  const int threads = kWarps * kWarp;
  for (int e = static_cast<int>(threadIdx.x); e < p.experts; e += threads) {
    int own = 0;
    HADAL_UNROLL
    for (int w = 0; w < kWarps; ++w) {
      const int count = s.before[w][e];
      s.before[w][e] = own;
      own += count;
    }
    int earlier = 0, total = own;
    if constexpr (!kAlone) {
      const int chunks = static_cast<int>(gridDim.x), mine = static_cast<int>(blockIdx.x);
      total = 0;
      HADAL_UNROLL_BY(8)
      for (int c = 0; c < chunks; ++c) {
        const int count = p.scratch[static_cast<int64_t>(c) * p.experts + e];
        earlier += c < mine ? count : 0;
        total += count;
      }
    }
    s.earlier[e] = earlier;
    s.totals[e] = total;
  }
}

// Starts of the experts in pairs and in tiles, by one warp.
template <int kWarps>
HADAL_DEVICE void scan_experts(const cuda::PermuteTokensParams& p, PermuteShared<kWarps>& s) {
  const int tile = p.layout == cuda::RowLayout::kTiled ? p.tile : 1;
  const int per = (p.experts + kWarp - 1) / kWarp, first = lane_index() * per;
  const int end = first + per < p.experts ? first + per : p.experts;
  int pairs = 0, tiles = 0;
  for (int e = first; e < end; ++e) {
    pairs += s.totals[e];
    tiles += (s.totals[e] + tile - 1) / tile;
  }
  const int all_pairs = warp_scan(pairs), all_tiles = warp_scan(tiles);
  if (lane_index() == kWarp - 1) {
    s.starts[p.experts] = all_pairs;
    s.first_tiles[p.experts] = all_tiles;
  }
  pairs = all_pairs - pairs;
  tiles = all_tiles - tiles;
  for (int e = first; e < end; ++e) {
    s.starts[e] = pairs;
    s.first_tiles[e] = tiles;
    pairs += s.totals[e];
    tiles += (s.totals[e] + tile - 1) / tile;
  }
}

template <int kWarps>
HADAL_DEVICE int slot_of(const cuda::PermuteTokensParams& p, const PermuteShared<kWarps>& s, int expert, int rank) {
  if (p.layout == cuda::RowLayout::kTiled) return s.first_tiles[expert] * p.tile + rank;
  if (p.layout == cuda::RowLayout::kPacked) return s.starts[expert] + rank;
  return rank < p.max_rows ? expert * p.max_rows + rank : -1;
}

template <int kWarps>
HADAL_DEVICE void scatter(const cuda::PermuteTokensParams& p, const PermuteShared<kWarps>& s, int first,
                          const int (&experts)[kPermuteRounds], const int (&ranks)[kPermuteRounds]) {
  HADAL_UNROLL
  for (int r = 0; r < kPermuteRounds; ++r) {
    const int pair = first + r * kWarp, expert = experts[r];
    if (pair >= p.pairs) break;
    int slot = -1;
    if (expert >= 0) {
      const int rank = s.earlier[expert] + s.before[warp_index()][expert] + ranks[r];
      p.rows[s.starts[expert] + rank] = pair;
      slot = slot_of(p, s, expert, rank);
    }
    if (p.slots != nullptr) p.slots[pair] = slot;
    if (p.layout_rows != nullptr && slot >= 0) p.layout_rows[slot] = pair;
  }
}

// What the tiled layout says besides its pairs, an expert a warp of the whole grid.
template <int kWarps>
HADAL_DEVICE void write_tiles(const cuda::PermuteTokensParams& p, const PermuteShared<kWarps>& s) {
  const int block = static_cast<int>(blockIdx.x), warps = static_cast<int>(gridDim.x) * kWarps;
  for (int e = block * kWarps + warp_index(); e < p.experts; e += warps) {
    const int begin = s.first_tiles[e], end = s.first_tiles[e + 1];
    for (int i = begin + lane_index(); i < end; i += kWarp) p.tile_experts[i] = e;
    for (int i = begin * p.tile + s.totals[e] + lane_index(); i < end * p.tile; i += kWarp) p.layout_rows[i] = -1;
  }
  const int used = s.first_tiles[p.experts], thread = block * kWarps * kWarp + static_cast<int>(threadIdx.x);
  for (int i = used + thread; i < p.capacity / p.tile; i += warps * kWarp) p.tile_experts[i] = -1;
  if (thread == 0) *p.total_rows = used * p.tile;
}

template <int kWarps, bool kAlone>
HADAL_DEVICE void permute_tokens(const cuda::PermuteTokensParams& p) {
  auto& s = shared<PermuteShared<kWarps>>();
  const int thread = static_cast<int>(threadIdx.x);
  for (int e = lane_index(); e < p.experts; e += kWarp) s.before[warp_index()][e] = 0;
  sync_warp();
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int first = (static_cast<int>(blockIdx.x) * kWarps + warp_index()) * kPermuteRounds * kWarp + lane_index();
  int experts[kPermuteRounds], ranks[kPermuteRounds];
  HADAL_UNROLL
  for (int r = 0; r < kPermuteRounds; ++r) experts[r] = expert_of(p, first + r * kWarp);
  rank_in_warp(experts, s.before[warp_index()], ranks);
  sync_block();
  sum_counts<kWarps, kAlone>(p, s);
  sync_block();
  if (warp_index() == 0) scan_experts(p, s);
  sync_block();
  scatter(p, s, first, experts, ranks);
  if (p.layout == cuda::RowLayout::kTiled) write_tiles(p, s);
  if (blockIdx.x != 0) return;
  for (int e = thread; e <= p.experts; e += kWarps * kWarp) {
    p.offsets[e] = s.starts[e];
    if (p.layout == cuda::RowLayout::kMasked && e < p.experts)
      p.counts[e] = s.totals[e] < p.max_rows ? s.totals[e] : p.max_rows;
  }
}

}  // namespace hadal::device
