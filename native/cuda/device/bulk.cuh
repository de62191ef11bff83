// Copies of a contiguous piece between global and shared memory by the copy engine, issued by one thread: sizes
// and both addresses are multiples of 16. Loads report to a Barrier that expects their bytes; stores form groups
// that the issuing thread waits for.
#pragma once

#include "cuda/device/barrier.cuh"

namespace hadal::device {

// How long the second-level cache should keep what a copy touches. The values are the policies' encodings.
enum class Keep : uint64_t {
  kNormal = 0x1000000000000000,
  kFirstOut = 0x12f0000000000000,  // read once
  kLastOut = 0x14f0000000000000,   // read by many blocks
};

#ifdef __CUDACC__

HADAL_DEVICE void bulk_load(void* to, const void* from, uint32_t bytes, Barrier& barrier, Keep keep = Keep::kNormal) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, [%3], %4;"
               ::"r"(shared_address(to)), "l"(from), "r"(bytes), "r"(shared_address(&barrier)),
               "l"(static_cast<uint64_t>(keep)) : "memory");
}
HADAL_DEVICE void bulk_store(void* to, const void* from, uint32_t bytes) {
  asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;"
               ::"l"(to), "r"(shared_address(from)), "r"(bytes) : "memory");
}
// The stores since the last commit become a group.
HADAL_DEVICE void bulk_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
// Until at most `groups` of this thread's groups still read shared memory, or have not been written.
template <int groups>
HADAL_DEVICE void bulk_wait_read() { asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(groups) : "memory"); }
template <int groups>
HADAL_DEVICE void bulk_wait() { asm volatile("cp.async.bulk.wait_group %0;" ::"n"(groups) : "memory"); }

#else

inline void bulk_load(void* to, const void* from, uint32_t bytes, Barrier& barrier, Keep = Keep::kNormal,
                      simt::Site site = {}) {
  simt::bulk_load(shared_address(to), from, bytes, shared_address(&barrier), 0, site);
}
inline void bulk_store(void* to, const void* from, uint32_t bytes, simt::Site site = {}) {
  simt::bulk_store(to, shared_address(from), bytes, site);
}
inline void bulk_commit(simt::Site site = {}) { simt::bulk_commit(site); }
template <int groups>
void bulk_wait_read(simt::Site site = {}) { simt::bulk_wait(groups, true, site); }
template <int groups>
void bulk_wait(simt::Site site = {}) { simt::bulk_wait(groups, false, site); }

#endif

}  // namespace hadal::device
