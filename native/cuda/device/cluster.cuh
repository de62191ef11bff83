// Blocks of one cluster: their ranks, their common barrier, and each other's shared memory. A block ends only when
// no peer can still reach into its memory: mostly a cluster_sync() at the end.
#pragma once

#include "cuda/device/barrier.cuh"
#include "cuda/device/memory.cuh"

namespace hadal::device {

#ifdef __CUDACC__

HADAL_DEVICE uint32_t cluster_rank() {
  uint32_t rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
HADAL_DEVICE uint32_t cluster_size() {
  uint32_t size;
  asm volatile("mov.u32 %0, %%cluster_nctarank;" : "=r"(size));
  return size;
}
// Every thread of the cluster arrives and waits, in turn.
HADAL_DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release;" ::: "memory"); }
HADAL_DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire;" ::: "memory"); }
// The address of what lies at this address in the block of that rank.
HADAL_DEVICE uint32_t map_shared(const void* pointer, uint32_t rank) {
  uint32_t address;
  asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(address) : "r"(shared_address(pointer)), "r"(rank));
  return address;
}
// The same to load from and store to.
template <typename T>
HADAL_DEVICE T* peer(T* pointer, uint32_t rank) {
  uint64_t address;
  asm volatile("mapa.u64 %0, %1, %2;" : "=l"(address) : "l"(pointer), "r"(rank));
  return reinterpret_cast<T*>(address);
}
HADAL_DEVICE void barrier_arrive_peer(Barrier& barrier, uint32_t rank) {
  asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(map_shared(&barrier, rank)) : "memory");
}
// 16 bytes into a peer's memory, counted by a barrier of that peer.
HADAL_DEVICE void store_async16(void* to, Vec16 value, Barrier& barrier, uint32_t rank) {
  asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%0], {%1, %2, %3, %4}, [%5];"
               ::"r"(map_shared(to, rank)), "r"(value.word[0]), "r"(value.word[1]), "r"(value.word[2]),
               "r"(value.word[3]), "r"(map_shared(&barrier, rank)) : "memory");
}

#else

inline uint32_t cluster_rank() { return simt::cluster_rank(); }
inline uint32_t cluster_size() { return simt::cluster_size(); }
inline void cluster_arrive(simt::Site site = {}) { simt::cluster_arrive(site); }
inline void cluster_wait(simt::Site site = {}) { simt::cluster_wait(site); }
inline uint32_t map_shared(const void* pointer, uint32_t rank, simt::Site site = {}) {
  return simt::map_shared(shared_address(pointer), rank, site);
}
template <typename T>
T* peer(T* pointer, uint32_t rank, simt::Site site = {}) {
  return reinterpret_cast<T*>(simt::map_pointer(pointer, rank, site));
}
inline void barrier_arrive_peer(Barrier& barrier, uint32_t rank, simt::Site site = {}) {
  simt::barrier_arrive(map_shared(&barrier, rank, site), 1, 0, site);
}
inline void store_async16(void* to, Vec16 value, Barrier& barrier, uint32_t rank, simt::Site site = {}) {
  simt::store_async(map_shared(to, rank, site), &value, 16, map_shared(&barrier, rank, site), site);
}

#endif

HADAL_DEVICE void cluster_sync() {
  cluster_arrive();
  cluster_wait();
}

}  // namespace hadal::device
