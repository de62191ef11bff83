// The tensor cores as the wrappers in cuda/device/wgmma.cuh see them. A warp's products wait in a
// queue; they are computed at its wait, the latest legal moment, from what shared memory holds
// then. Until then the accumulators are NaN and an access of theirs is reported.
#pragma once

#include "simt/simt.h"

namespace hadal::simt {

struct WgmmaCall {
  int n;  // columns of D
  bool bf16, a_mn_major, b_mn_major;
  bool add;                     // to D, else D is overwritten
  uint64_t a, b;                // descriptors
  const uint32_t* a_registers;  // four, instead of `a`
  float* d;                     // n / 2 floats
};

void wgmma(const WgmmaCall& call, Site site);
void wgmma_fence(Site site);
void wgmma_commit(Site site);
void wgmma_wait(int pending, Site site);

// How the products of one instruction are summed. kExact: FP32, in the order of K. kHopper: all
// terms and the accumulator are aligned to the largest exponent and cut to 13 fraction bits (E4M3;
// 25 for BF16) before they are added. The widths follow published measurements and are NOT
// calibrated on a device of ours.
enum class TensorCoreSum { kExact, kHopper };
TensorCoreSum& tensor_core_sum();

// Sum of d + a[k]·b[k] over one instruction's K as kHopper has it.
float hopper_sum(float d, const float* a, const float* b, int k, int fraction_bits);

// For the instrumentation of ordinary accesses, while any thread has accumulators in flight:
// whether these bytes are some of its own. `place` is the access's, as in machine.h.
extern uint64_t wgmma_arrays_in_flight;
void check_registers_in_flight(const void* address, size_t bytes, uint32_t place);

}  // namespace hadal::simt
