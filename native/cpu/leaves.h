// The vector leaves that the device chose, from the untyped pointer that the core carries.
#pragma once

#include "core/host.h"
#include "cpu/kernels/kernels.h"

namespace hadal::cpu {

inline const Kernels& leaves(const Context& context) {
  return *static_cast<const Kernels*>(context.kernels);
}

// Rows per task so that a task does about `work` elementary operations.
inline int64_t grain_for(int64_t cost_per_row, int64_t work = 1 << 15) {
  const int64_t rows = work / (cost_per_row > 0 ? cost_per_row : 1);
  return rows > 0 ? rows : 1;
}

}  // namespace hadal::cpu
