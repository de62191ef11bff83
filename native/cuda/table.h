// Every kernel instance of the backend. The fatbin holds exactly these; tests, gates and the size budget read
// the same list.
#pragma once

#include <span>

#include "cuda/queue.h"

namespace hadal::cuda {

std::span<const Kernel* const> all_kernels();

}  // namespace hadal::cuda
