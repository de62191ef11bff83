// Finds the CUDA driver at run time: nothing of Hadal is linked against it. A machine without a driver gets
// an error that says so, and goes on with the CPU.
#pragma once

#include "core/status.h"
#include "cuda/driver_api.h"

namespace hadal::cuda {

// Throws UNSUPPORTED: no such library, or one too old to have a function.
Driver open_driver(const char* file);
// libcuda.so.1, opened once per process.
const Driver& system_driver();

// Throws what a driver call returned: NO_MEMORY for an allocation, else INTERNAL; `what` says which call.
void expect_success(const Driver& driver, DriverResult result, const char* what);

}  // namespace hadal::cuda
