// Atomic operations on 32-bit words of shared or global memory, relaxed, returning the old value.
#pragma once

#include "cuda/device/kernel.cuh"

namespace hadal::device {

#ifdef __CUDACC__
HADAL_DEVICE int atomic_add(int* address, int value) { return atomicAdd(address, value); }
HADAL_DEVICE float atomic_add(float* address, float value) { return atomicAdd(address, value); }
HADAL_DEVICE uint32_t atomic_max(uint32_t* address, uint32_t value) { return atomicMax(address, value); }
#else
inline int atomic_add(int* address, int value, simt::Site site = {}) {
  simt::atomic_access(address, sizeof *address, site);
  const int old = *address;
  *address = old + value;
  return old;
}
inline float atomic_add(float* address, float value, simt::Site site = {}) {
  simt::atomic_access(address, sizeof *address, site);
  const float old = *address;
  *address = old + value;
  return old;
}
inline uint32_t atomic_max(uint32_t* address, uint32_t value, simt::Site site = {}) {
  simt::atomic_access(address, sizeof *address, site);
  const uint32_t old = *address;
  if (value > old) *address = value;
  return old;
}
#endif

}  // namespace hadal::device
