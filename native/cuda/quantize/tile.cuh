// A tile of a row-wise kernel: a warp takes four rows, of each as many columns as its lanes load at once, so that
// every thread has four loads in flight and the scales of four rows leave in one store of 16 bytes. Blocks are four
// warps side by side.
#pragma once

#include "cuda/quantize/group.cuh"

namespace hadal::device {

constexpr int kTileRows = 4;
constexpr int kTileWarps = 4;

template <typename T>
inline constexpr int kTileColumns = kTileWarps * kWarp * kPerVec<T>;

// Where this thread is in the tiles of a matrix, counted along the columns first.
template <typename T>
struct TilePlace {
  int64_t row_tile;
  int column;

  // 32 bits: a division of 64 is a hundred instructions.
  HADAL_DEVICE TilePlace(uint32_t tile, int width) {
    const auto across = static_cast<uint32_t>((width + kTileColumns<T> - 1) / kTileColumns<T>);
    row_tile = tile / across;
    column = static_cast<int>(tile % across) * kTileColumns<T> + static_cast<int>(threadIdx.x) * kPerVec<T>;
  }
};

// 16 bytes of each of four rows; rows from `count` on and columns beyond the width are zeros.
template <typename T>
HADAL_DEVICE void load_tile(const T* first, int64_t stride, int count, bool inside, Words<4> (&raw)[kTileRows]) {
  HADAL_UNROLL
  for (int r = 0; r < kTileRows; ++r) {
    raw[r] = {};
    if (inside && r < count) raw[r] = load_words_once<4>(first + r * stride);
  }
}

// Codes and scales of a tile; all lanes of the warp come. `codes` is this thread's place in the first row, `scales`
// the first row's entry in the column of this thread's group.
template <int kPer>
HADAL_DEVICE void store_tile(const float (&values)[kTileRows][kPer], int count, bool inside, uint8_t* codes,
                             int64_t code_stride, float* scales, cuda::ScaleKind kind) {
  constexpr int kLanes = cuda::kScaleGroup / kPer;
  uint32_t most[kTileRows];
  HADAL_UNROLL
  for (int r = 0; r < kTileRows; ++r) most[r] = largest_magnitude(values[r]);
  group_largest<kLanes>(most);
  const GroupScales<kLanes, kTileRows> made(most, kind);
  HADAL_UNROLL
  for (int r = 0; r < kTileRows; ++r) {
    const float inverse = made.inverse(r);
    if (inside && r < count) store_words(codes + r * code_stride, group_codes(values[r], inverse));
  }
  // The group's first lane is inside whenever the group begins there.
  const bool begins = shuffle(static_cast<int>(inside), lane_index() / kLanes * kLanes) != 0;
  if (begins && made.lane() < kTileRows && made.lane() < count) scales[made.lane()] = made.mine.scale;
}

}  // namespace hadal::device
