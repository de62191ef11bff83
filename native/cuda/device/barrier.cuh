// Barriers in shared memory (mbarrier): arrivals and bytes of copies are counted, waiters name the parity of the
// phase that they wait for (0 first). Data that arrives with a phase may be read after the wait.
//   init by one thread, fence_barrier_init(), sync_block(); then arrivals and waits by anybody.
#pragma once

#include "cuda/device/kernel.cuh"

#ifndef __CUDACC__
#include "simt/async.h"
#endif

namespace hadal::device {

// Only the functions below touch it.
struct alignas(8) Barrier { uint64_t state; };

// The stage of a ring of `kStages` and its parity. A consumer waits for `full` with `parity`; a producer for
// `empty` with `parity ^ 1`, which the first round passes.
template <int kStages>
struct Ring {
  int stage = 0;
  uint32_t parity = 0;
  HADAL_DEVICE void advance() {
    if (++stage < kStages) return;
    stage = 0;
    parity ^= 1;
  }
};

#ifdef __CUDACC__

// `count` arrivals complete a phase. Before other threads use it: fence_barrier_init() and sync_block().
HADAL_DEVICE void barrier_init(Barrier& barrier, int count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(&barrier)), "r"(count) : "memory");
}
HADAL_DEVICE void barrier_invalidate(Barrier& barrier) {
  asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(shared_address(&barrier)) : "memory");
}
// Makes initialised barriers known to the copy engine and to the cluster.
HADAL_DEVICE void fence_barrier_init() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
HADAL_DEVICE void barrier_arrive(Barrier& barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(&barrier)) : "memory");
}
// Arrives, and makes the phase wait for so many bytes more.
HADAL_DEVICE void barrier_arrive_expect(Barrier& barrier, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;"
               ::"r"(shared_address(&barrier)), "r"(bytes) : "memory");
}
HADAL_DEVICE void barrier_expect(Barrier& barrier, uint32_t bytes) {
  asm volatile("mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;"
               ::"r"(shared_address(&barrier)), "r"(bytes) : "memory");
}
// Whether the phase of this parity is complete; may suspend the thread for a while.
HADAL_DEVICE bool barrier_test(Barrier& barrier, uint32_t parity) {
  uint32_t done;
  asm volatile("{.reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p;}"
               : "=r"(done) : "r"(shared_address(&barrier)), "r"(parity) : "memory");
  return done != 0;
}
// The same where other blocks of the cluster arrive and their writes are to be seen.
HADAL_DEVICE bool barrier_test_cluster(Barrier& barrier, uint32_t parity) {
  uint32_t done;
  asm volatile("{.reg .pred p; mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2; "
               "selp.u32 %0, 1, 0, p;}"
               : "=r"(done) : "r"(shared_address(&barrier)), "r"(parity) : "memory");
  return done != 0;
}

// With HADAL_BOUNDED_WAITS (tests on a GPU) a wait that never ends traps instead of hanging the device.
HADAL_DEVICE void barrier_wait(Barrier& barrier, uint32_t parity) {
#ifdef HADAL_BOUNDED_WAITS
  for (int tries = 0; !barrier_test(barrier, parity); ++tries)
    if (tries == 1 << 22) __trap();
#else
  while (!barrier_test(barrier, parity)) {}
#endif
}
HADAL_DEVICE void barrier_wait_cluster(Barrier& barrier, uint32_t parity) {
#ifdef HADAL_BOUNDED_WAITS
  for (int tries = 0; !barrier_test_cluster(barrier, parity); ++tries)
    if (tries == 1 << 22) __trap();
#else
  while (!barrier_test_cluster(barrier, parity)) {}
#endif
}

// Between ordinary writes to shared memory and their being read by a copy or a wgmma; by the threads that wrote,
// before the barrier that leads to the reader.
HADAL_DEVICE void fence_proxy_async() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
// The same for global memory that a copy is about to read.
HADAL_DEVICE void fence_proxy_async_global() { asm volatile("fence.proxy.async.global;" ::: "memory"); }

#else

inline void barrier_init(Barrier& barrier, int count, simt::Site site = {}) {
  simt::barrier_init(shared_address(&barrier), static_cast<uint32_t>(count), site);
}
inline void barrier_invalidate(Barrier& barrier, simt::Site site = {}) {
  simt::barrier_invalidate(shared_address(&barrier), site);
}
inline void fence_barrier_init(simt::Site site = {}) { simt::fence_barrier_init(site); }
inline void barrier_arrive(Barrier& barrier, simt::Site site = {}) {
  simt::barrier_arrive(shared_address(&barrier), 1, 0, site);
}
inline void barrier_arrive_expect(Barrier& barrier, uint32_t bytes, simt::Site site = {}) {
  simt::barrier_arrive(shared_address(&barrier), 1, bytes, site);
}
inline void barrier_expect(Barrier& barrier, uint32_t bytes, simt::Site site = {}) {
  simt::barrier_expect(shared_address(&barrier), bytes, site);
}
inline bool barrier_test(Barrier& barrier, uint32_t parity, simt::Site site = {}) {
  return simt::barrier_test(shared_address(&barrier), parity, site);
}
inline void barrier_wait(Barrier& barrier, uint32_t parity, simt::Site site = {}) {
  simt::barrier_wait(shared_address(&barrier), parity, site);
}
inline bool barrier_test_cluster(Barrier& barrier, uint32_t parity, simt::Site site = {}) {
  return barrier_test(barrier, parity, site);
}
inline void barrier_wait_cluster(Barrier& barrier, uint32_t parity, simt::Site site = {}) {
  barrier_wait(barrier, parity, site);
}
inline void fence_proxy_async(simt::Site site = {}) { simt::fence_proxy_async(false, site); }
inline void fence_proxy_async_global(simt::Site site = {}) { simt::fence_proxy_async(true, site); }

#endif

}  // namespace hadal::device
