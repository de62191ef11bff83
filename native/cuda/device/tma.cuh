// Tiles of tensors between global and shared memory by the copy engine. A tensor map (Driver::encode_tensor_map) is
// a member of the kernel's parameters; coordinates are elements, innermost first; what lies outside of the
// tensor is loaded as zeros, not stored, and counted in full: a barrier expects the whole box. One thread issues.
// A swizzled tile starts at a multiple of 8 times its span (1024 bytes for 128).
#pragma once

#include "cuda/device/bulk.cuh"
#include "cuda/driver_api.h"

namespace hadal::device {

using cuda::TensorMap;

#ifdef __CUDACC__

HADAL_DEVICE void tma_prefetch(const TensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}
HADAL_DEVICE void tma_load_2d(void* to, const TensorMap& map, Barrier& barrier, int x, int y, Keep keep = Keep::kNormal) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint "
               "[%0], [%1, {%3, %4}], [%2], %5;"
               ::"r"(shared_address(to)), "l"(&map), "r"(shared_address(&barrier)), "r"(x), "r"(y),
               "l"(static_cast<uint64_t>(keep)) : "memory");
}
HADAL_DEVICE void tma_load_3d(void* to, const TensorMap& map, Barrier& barrier, int x, int y, int z,
                              Keep keep = Keep::kNormal) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint "
               "[%0], [%1, {%3, %4, %5}], [%2], %6;"
               ::"r"(shared_address(to)), "l"(&map), "r"(shared_address(&barrier)), "r"(x), "r"(y), "r"(z),
               "l"(static_cast<uint64_t>(keep)) : "memory");
}
// Into the same place in every block of the cluster whose bit is set, each reporting to its own barrier.
HADAL_DEVICE void tma_multicast_2d(void* to, const TensorMap& map, Barrier& barrier, int x, int y, uint16_t blocks,
                                   Keep keep = Keep::kNormal) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
               ".multicast::cluster.L2::cache_hint [%0], [%1, {%3, %4}], [%2], %5, %6;"
               ::"r"(shared_address(to)), "l"(&map), "r"(shared_address(&barrier)), "r"(x), "r"(y), "h"(blocks),
               "l"(static_cast<uint64_t>(keep)) : "memory");
}
HADAL_DEVICE void tma_store_2d(const TensorMap& map, const void* from, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%2, %3}], [%1];"
               ::"l"(&map), "r"(shared_address(from)), "r"(x), "r"(y) : "memory");
}
HADAL_DEVICE void tma_store_3d(const TensorMap& map, const void* from, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.tile.bulk_group [%0, {%2, %3, %4}], [%1];"
               ::"l"(&map), "r"(shared_address(from)), "r"(x), "r"(y), "r"(z) : "memory");
}
// Adds an F32 tile to what is there.
HADAL_DEVICE void tma_add_2d(const TensorMap& map, const void* from, int x, int y) {
  asm volatile("cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group [%0, {%2, %3}], [%1];"
               ::"l"(&map), "r"(shared_address(from)), "r"(x), "r"(y) : "memory");
}

#else

inline void tma_prefetch(const TensorMap&) {}
inline void tma_load_2d(void* to, const TensorMap& map, Barrier& barrier, int x, int y, Keep = Keep::kNormal,
                        simt::Site site = {}) {
  simt::tma_load(shared_address(to), {&map, 2, {x, y}}, shared_address(&barrier), 0, site);
}
inline void tma_load_3d(void* to, const TensorMap& map, Barrier& barrier, int x, int y, int z, Keep = Keep::kNormal,
                        simt::Site site = {}) {
  simt::tma_load(shared_address(to), {&map, 3, {x, y, z}}, shared_address(&barrier), 0, site);
}
inline void tma_multicast_2d(void* to, const TensorMap& map, Barrier& barrier, int x, int y, uint16_t blocks,
                             Keep = Keep::kNormal, simt::Site site = {}) {
  simt::tma_load(shared_address(to), {&map, 2, {x, y}}, shared_address(&barrier), blocks, site);
}
inline void tma_store_2d(const TensorMap& map, const void* from, int x, int y, simt::Site site = {}) {
  simt::tma_store({&map, 2, {x, y}}, shared_address(from), false, site);
}
inline void tma_store_3d(const TensorMap& map, const void* from, int x, int y, int z, simt::Site site = {}) {
  simt::tma_store({&map, 3, {x, y, z}}, shared_address(from), false, site);
}
inline void tma_add_2d(const TensorMap& map, const void* from, int x, int y, simt::Site site = {}) {
  simt::tma_store({&map, 2, {x, y}}, shared_address(from), true, site);
}

#endif

}  // namespace hadal::device
