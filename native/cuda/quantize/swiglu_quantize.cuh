// Device bodies of swiglu_quantize: see swiglu_quantize.h.
#pragma once

#include "cuda/quantize/swiglu.cuh"
#include "cuda/quantize/swiglu_quantize.h"

namespace hadal::device {

// Rows [row, row + count) of one expert, of which a warp takes the first four at most.
template <typename T>
HADAL_DEVICE void swiglu_quantize_tile(const cuda::SwigluQuantizeParams& p, int expert, int64_t row, int count,
                                       int column) {
  const int64_t at = static_cast<int64_t>(expert) * p.rows + row;
  const bool inside = column < p.width;
  float values[kTileRows][kPerVec<T>];
  load_swiglu_tile(static_cast<const T*>(p.gate) + at * p.gate_stride + column, p.gate_stride,
                   static_cast<const T*>(p.up) + at * p.up_stride + column, p.up_stride, count, inside, values);
  const int64_t groups = (p.width + cuda::kScaleGroup - 1) / cuda::kScaleGroup;
  float* scales = p.scales + (expert * groups + column / cuda::kScaleGroup) * p.scale_stride + row;
  store_tile(values, count, inside, p.codes + at * p.code_stride + column, p.code_stride, scales, p.scale_kind);
}

template <typename T>
HADAL_DEVICE void swiglu_quantize(const cuda::SwigluQuantizeParams& p) {
  const TilePlace<T> place(blockIdx.x, p.width);
  const int64_t row = place.row_tile * kTileRows;
  wait_for_previous_kernel();
  let_next_kernel_start();
  swiglu_quantize_tile<T>(p, 0, row, static_cast<int>(p.rows - row), place.column);
}

// How many tiles of rows lie before each expert, and after the last one.
struct MaskedTiles {
  int32_t before[cuda::kSwigluMostExperts + 1];

  HADAL_DEVICE static int rows_of(const cuda::SwigluQuantizeParams& p, int expert) {
    if (expert >= p.experts) return 0;
    const int count = p.counts[expert];
    return count < 0 ? 0 : count < p.rows ? count : p.rows;
  }
  // By one warp: sums of 32 experts at a time.
  HADAL_DEVICE void count(const cuda::SwigluQuantizeParams& p) {
    int total = 0;
    if (lane_index() == 0) before[0] = 0;
    for (int first = 0; first < p.experts; first += kWarp) {
      const int expert = first + lane_index();
      int sum = (rows_of(p, expert) + kTileRows - 1) / kTileRows;
      HADAL_UNROLL
      for (int delta = 1; delta < kWarp; delta *= 2) {
        const int other = shuffle_up(sum, delta);
        if (lane_index() >= delta) sum += other;
      }
      if (expert < p.experts) before[expert + 1] = total + sum;
      total += shuffle(sum, kWarp - 1);
    }
  }
  // The expert whose tile it is, in two votes: which 32 experts, then which of them. All lanes, the same tile.
  HADAL_DEVICE int expert_of(int tile, int experts) const {
    const auto passed = [&](int expert) {
      return count_bits(ballot(before[expert < experts ? expert : experts] <= tile));
    };
    const int first = passed((lane_index() + 1) * kWarp) * kWarp;
    return first + passed(first + lane_index() + 1);
  }
};

template <typename T>
HADAL_DEVICE void swiglu_quantize_masked(const cuda::SwigluQuantizeParams& p) {
  auto& tiles = shared<MaskedTiles>();
  wait_for_previous_kernel();
  if (warp_index() == 0) tiles.count(p);
  sync_block();
  let_next_kernel_start();
  const int total = tiles.before[p.experts];
  // A block keeps its columns and goes down the rows: gridDim.x is a multiple of the tiles across.
  const int across = (p.width + kTileColumns<T> - 1) / kTileColumns<T>;
  const TilePlace<T> place(blockIdx.x, p.width);
  const int step = static_cast<int>(gridDim.x) / across;
  for (int tile = static_cast<int>(place.row_tile); tile < total; tile += step) {
    const int expert = tiles.expert_of(tile, p.experts);
    const int row = (tile - tiles.before[expert]) * kTileRows;
    swiglu_quantize_tile<T>(p, expert, row, MaskedTiles::rows_of(p, expert) - row, place.column);
  }
}

}  // namespace hadal::device
