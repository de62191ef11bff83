// Vectors of all rows, one after another, four a thread: rows of any length keep every thread busy, and neighbours in
// a warp are neighbours in memory wherever rows follow one another.
#pragma once

#include "cuda/device/dependent.cuh"
#include "cuda/device/words.cuh"

namespace hadal::device {

constexpr int kItems = 4;

struct RowItems {
  uint32_t row[kItems], column[kItems];  // columns in vectors
  bool inside[kItems];

  HADAL_DEVICE RowItems(uint32_t rows, uint32_t per_row) {
    HADAL_UNROLL
    for (int k = 0; k < kItems; ++k) {
      const uint32_t item = (blockIdx.x * kItems + static_cast<uint32_t>(k)) * blockDim.x + threadIdx.x;
      row[k] = item / per_row;
      column[k] = item - row[k] * per_row;
      inside[k] = row[k] < rows;
    }
  }
};

}  // namespace hadal::device
