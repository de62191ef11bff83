// Registers that warpgroups hand to one another (setmaxnreg): copying warps give up theirs, multiplying ones take
// them. All four warps of a warpgroup call it, with a multiple of 8 from 24 to 240; a block's sum times 128 stays
// within 65,536. ptxas ignores it unless HADAL_KERNEL names the blocks an SM (it always does).
#pragma once

#include "cuda/device/kernel.cuh"

#ifndef __CUDACC__
#include "simt/async.h"
#endif

namespace hadal::device {

#ifdef __CUDACC__
template <int count>
HADAL_DEVICE void release_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count)); }
template <int count>
HADAL_DEVICE void claim_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count)); }
#else
template <int count>
void release_registers(simt::Site site = {}) { simt::set_registers(count, false, site); }
template <int count>
void claim_registers(simt::Site site = {}) { simt::set_registers(count, true, site); }
#endif

}  // namespace hadal::device
