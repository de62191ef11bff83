// Device body of swiglu: see swiglu.h.
#pragma once

#include "cuda/device/dependent.cuh"
#include "cuda/quantize/swiglu.h"
#include "cuda/quantize/tile.cuh"

namespace hadal::device {

HADAL_DEVICE float silu_times(float gate, float up) {
  return gate * reciprocal_fast(1.0f + exp_fast(-gate)) * up;
}

// Four rows of gate and up from memory, eight loads in flight a thread, as silu(gate) · up.
template <typename T>
HADAL_DEVICE void load_swiglu_tile(const T* gate, int64_t gate_stride, const T* up, int64_t up_stride, int count,
                                   bool inside, float (&values)[kTileRows][kPerVec<T>]) {
  Words<4> gates[kTileRows], ups[kTileRows];
  load_tile(gate, gate_stride, count, inside, gates);
  load_tile(up, up_stride, count, inside, ups);
  HADAL_UNROLL
  for (int r = 0; r < kTileRows; ++r) {
    float more[kPerVec<T>];
    unpack_words<T>(gates[r], values[r]);
    unpack_words<T>(ups[r], more);
    HADAL_UNROLL
    for (int i = 0; i < kPerVec<T>; ++i) values[r][i] = silu_times(values[r][i], more[i]);
  }
}

template <typename T>
HADAL_DEVICE void swiglu(const cuda::SwigluParams& p) {
  const TilePlace<T> place(blockIdx.x, p.width);
  const int64_t row = place.row_tile * kTileRows;
  const int count = static_cast<int>(p.rows - row);
  const bool inside = place.column < p.width;
  wait_for_previous_kernel();
  float values[kTileRows][kPerVec<T>];
  load_swiglu_tile(static_cast<const T*>(p.gate) + row * p.gate_stride + place.column, p.gate_stride,
                   static_cast<const T*>(p.up) + row * p.up_stride + place.column, p.up_stride, count, inside,
                   values);
  let_next_kernel_start();
  T* out = static_cast<T*>(p.out) + row * p.out_stride + place.column;
  HADAL_UNROLL
  for (int r = 0; r < kTileRows; ++r)
    if (inside && r < count) store_words(out + r * p.out_stride, pack_words<T>(values[r]));
}

}  // namespace hadal::device
