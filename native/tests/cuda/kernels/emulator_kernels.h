// Kernels with one mistake each, and the same without it: see emulator_test.cpp. They are not in the fatbin.
#pragma once

#include <cstdint>

#include "cuda/driver_api.h"

namespace hadal::testing {

struct EmulatorParams {
  float* in;         // [1024]
  float* out;        // [1024]
  uint32_t* words;   // [64], zero
  uint8_t* bytes;    // [4096 + 1]
  int32_t count;         // bytes of a tile
  int32_t at[3], to[3];  // its coordinates at the load and at the store
  cuda::TensorMap load, store;
};

}  // namespace hadal::testing
