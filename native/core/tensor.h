// Tensor views as ops see them: step dimensions resolved, pointers ready. Plain values, no ownership;
// the program owns the buffers behind them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "hadal/hadal.h"

namespace hadal {

enum class DType : int32_t {
  F32 = HADAL_F32,
  BF16 = HADAL_BF16,
  F16 = HADAL_F16,
  F8_E4M3 = HADAL_F8_E4M3,
  I32 = HADAL_I32,
  U8 = HADAL_U8,
};

size_t dtype_size(DType dtype);
const char* dtype_name(DType dtype);

struct Tensor {
  void* data = nullptr;
  DType dtype = DType::F32;
  int32_t rank = 0;
  int64_t shape[HADAL_MAX_RANK] = {1, 1, 1, 1};
  int64_t strides[HADAL_MAX_RANK] = {1, 1, 1, 1};  // elements

  template <typename T>
  T* as() const { return static_cast<T*>(data); }
  // Row i of the first dimension.
  template <typename T>
  T* row(int64_t i) const { return static_cast<T*>(data) + i * strides[0]; }
  int64_t elements() const;
  bool contiguous() const;
  std::string describe() const;  // "[4, 192] F32"
};

// One argument of an op: empty when absent, one tensor, or one per expert.
using Argument = std::span<const Tensor>;

}  // namespace hadal
