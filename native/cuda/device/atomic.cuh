// Atomic operations on words of shared or global memory, returning the old value, and order between blocks.
// Plain ones are relaxed: they order nothing else. A block that tells others of its writes: sync_block(), then one
// thread either releases a word or calls fence_device() and a relaxed atomic; the thread that sees it acquires
// the word or calls fence_device() after its own relaxed atomic; then sync_block(). A fence by another thread
// than the one with the atomic orders nothing (PTX's release pattern is of one thread).
#pragma once

#include "cuda/device/kernel.cuh"

namespace hadal::device {

#ifdef __CUDACC__

HADAL_DEVICE int atomic_add(int* address, int value) { return atomicAdd(address, value); }
HADAL_DEVICE uint32_t atomic_add(uint32_t* address, uint32_t value) { return atomicAdd(address, value); }
HADAL_DEVICE float atomic_add(float* address, float value) { return atomicAdd(address, value); }
HADAL_DEVICE int atomic_max(int* address, int value) { return atomicMax(address, value); }
HADAL_DEVICE uint32_t atomic_max(uint32_t* address, uint32_t value) { return atomicMax(address, value); }
HADAL_DEVICE uint64_t atomic_max(uint64_t* address, uint64_t value) {
  return atomicMax(reinterpret_cast<unsigned long long*>(address), static_cast<unsigned long long>(value));
}
HADAL_DEVICE uint32_t atomic_or(uint32_t* address, uint32_t value) { return atomicOr(address, value); }
HADAL_DEVICE uint32_t atomic_exchange(uint32_t* address, uint32_t value) { return atomicExch(address, value); }
HADAL_DEVICE uint32_t atomic_compare_exchange(uint32_t* address, uint32_t expected, uint32_t value) {
  return atomicCAS(address, expected, value);
}
// Global memory: what the block did before (after a sync_block) is seen by who acquires the word.
HADAL_DEVICE uint32_t atomic_add_acquire_release(uint32_t* address, uint32_t value) {
  uint32_t old;
  asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], %2;"
               : "=r"(old) : "l"(address), "r"(value) : "memory");
  return old;
}
HADAL_DEVICE uint32_t load_acquire(const uint32_t* address) {
  uint32_t value;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(address) : "memory");
  return value;
}
HADAL_DEVICE void store_release(uint32_t* address, uint32_t value) {
  asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(address), "r"(value) : "memory");
}
HADAL_DEVICE void fence_device() { __threadfence(); }

#else

template <typename T, typename Change>
inline T atomic_change(T* address, simt::Order order, simt::Site site, const Change& change) {
  simt::atomic_access(address, sizeof *address, {true, true}, order, site);
  const T old = simt::unseen_load(address);
  simt::unseen_store(address, change(old));
  return old;
}
#define HADAL_ATOMIC(name, T, expression)                                                          \
  inline T name(T* address, T value, simt::Site site = {}) {                                       \
    return atomic_change(address, simt::Order::kRelaxed, site, [&](T old) -> T { return expression; }); \
  }
HADAL_ATOMIC(atomic_add, int, old + value)
HADAL_ATOMIC(atomic_add, uint32_t, old + value)
HADAL_ATOMIC(atomic_add, float, old + value)
HADAL_ATOMIC(atomic_max, int, value > old ? value : old)
HADAL_ATOMIC(atomic_max, uint32_t, value > old ? value : old)
HADAL_ATOMIC(atomic_max, uint64_t, value > old ? value : old)
HADAL_ATOMIC(atomic_or, uint32_t, old | value)
HADAL_ATOMIC(atomic_exchange, uint32_t, (static_cast<void>(old), value))
#undef HADAL_ATOMIC
inline uint32_t atomic_compare_exchange(uint32_t* address, uint32_t expected, uint32_t value,
                                        simt::Site site = {}) {
  return atomic_change(address, simt::Order::kRelaxed, site,
                       [&](uint32_t old) { return old == expected ? value : old; });
}
inline uint32_t atomic_add_acquire_release(uint32_t* address, uint32_t value, simt::Site site = {}) {
  return atomic_change(address, simt::Order::kAcquireRelease, site,
                       [&](uint32_t old) { return old + value; });
}
inline uint32_t load_acquire(const uint32_t* address, simt::Site site = {}) {
  simt::poll(site);
  simt::atomic_access(address, sizeof *address, {true, false}, simt::Order::kAcquire, site);
  return simt::unseen_load(address);
}
inline void store_release(uint32_t* address, uint32_t value, simt::Site site = {}) {
  simt::atomic_access(address, sizeof *address, {false, true}, simt::Order::kRelease, site);
  simt::unseen_store(address, value);
}
inline void fence_device(simt::Site site = {}) { simt::fence_device(site); }

#endif

}  // namespace hadal::device
