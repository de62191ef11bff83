// Kernels of the tensor cores' wrappers with one mistake each, and the same without it: see tensor_core_test.cpp.
#pragma once

#include <cstdint>

namespace hadal::testing {

struct TensorParams {
  float* out;   // [threads, 8]
  float value;  // 1
};

}  // namespace hadal::testing
