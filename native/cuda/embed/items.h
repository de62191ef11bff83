// The grid of kernels that walk the vectors of all rows (items.cuh).
#pragma once

#include "cuda/queue.h"

namespace hadal::cuda {

inline constexpr uint32_t kItemThreads = 128;

// Throws where the vectors are too many to count in 32 bits: 32 GB.
Launch item_launch(const char* op, int64_t rows, int64_t vectors_per_row);

}  // namespace hadal::cuda
