// Streams and graphs of the emulated driver. Work runs at once and in order; while a stream is captured, it is
// kept instead, and what a GPU refuses meanwhile is refused.
#pragma once

#include "cuda/driver_api.h"

namespace hadal::simt {

// The same functions, those that take a stream kept while it is captured. `immediate` runs work at once.
cuda::Driver with_streams(const cuda::Driver& immediate);

// Graphs launched since the process began; for tests.
uint64_t graph_launches();

}  // namespace hadal::simt
