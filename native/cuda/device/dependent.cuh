// Programmatic dependent launch: a kernel may start while the one before it drains. Everything before
// wait_for_previous_kernel() may touch nothing that an earlier kernel writes.
#pragma once

#include "cuda/device/kernel.cuh"

namespace hadal::device {

#ifdef __CUDACC__
HADAL_DEVICE void wait_for_previous_kernel() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
HADAL_DEVICE void let_next_kernel_start() { asm volatile("griddepcontrol.launch_dependents;"); }
#else
inline void wait_for_previous_kernel(simt::Site site = {}) { simt::wait_for_previous_kernel(site); }
inline void let_next_kernel_start(simt::Site site = {}) { simt::let_next_kernel_start(site); }
#endif

}  // namespace hadal::device
