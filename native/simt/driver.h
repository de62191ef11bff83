// The emulator behind the driver's interface: the CUDA backend runs on it unchanged. Launches run at once,
// on the calling thread.
#pragma once

#include "cuda/driver_api.h"
#include "simt/run.h"

namespace hadal::simt {

const cuda::Driver& driver();

}  // namespace hadal::simt
