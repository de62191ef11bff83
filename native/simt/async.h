// The emulator's half of the wrappers for barriers in memory, copies, clusters and registers
// (cuda/device). Addresses of shared memory are numbers: see hazards.h.
#pragma once

#include "simt/simt.h"

namespace hadal::simt {

// mbarrier
void barrier_init(uint32_t address, uint32_t count, Site site);
void barrier_invalidate(uint32_t address, Site site);
void barrier_arrive(uint32_t address, uint32_t count, uint32_t bytes,
                    Site site);  // and expects bytes
void barrier_expect(uint32_t address, uint32_t bytes, Site site);
bool barrier_test(uint32_t address, uint32_t parity, Site site);
void barrier_wait(uint32_t address, uint32_t parity, Site site);
void fence_barrier_init(Site site);
void fence_proxy_async(bool global, Site site);

// Copies. `blocks`: bit mask of the cluster's blocks that get the tile, 0: this one.
struct Tile {
  const void* map;  // cuda::TensorMap
  int rank;
  int at[5];  // innermost first
};
void tma_load(uint32_t to, const Tile& tile, uint32_t barrier, uint32_t blocks, Site site);
void tma_store(const Tile& tile, uint32_t from, bool add, Site site);
void bulk_load(uint32_t to, const void* from, uint32_t bytes, uint32_t barrier, uint32_t blocks,
               Site site);
void bulk_store(void* to, uint32_t from, uint32_t bytes, Site site);
void bulk_commit(Site site);
void bulk_wait(uint32_t groups, bool read_only, Site site);

// Clusters
uint32_t cluster_rank();
uint32_t cluster_size();
void cluster_arrive(Site site);
void cluster_wait(Site site);
uint32_t map_shared(uint32_t address, uint32_t rank, Site site);
uint8_t* map_pointer(const void* pointer, uint32_t rank, Site site);
// A store of 4, 8 or 16 bytes in a block of the cluster whose barrier counts them.
void store_async(uint32_t to, const void* value, uint32_t bytes, uint32_t barrier, Site site);

// Registers of a thread from now on; `more`: than before.
void set_registers(uint32_t count, bool more, Site site);

}  // namespace hadal::simt
