// Probes of the copy engine and of barriers in memory: see conformance.h.
#pragma once

#include "cuda/conformance/conformance.h"
#include "cuda/device/cluster.cuh"
#include "cuda/device/tma.cuh"
#include "cuda/device/warp.cuh"

namespace hadal::device {

struct CopyProbeShared {
  alignas(1024) uint8_t bytes[cuda::kTmaProbeBytes - 1024];
  Barrier barrier, second;
};

HADAL_DEVICE void fill_copy_probe(CopyProbeShared& memory, uint32_t bytes, bool count,
                                  uint32_t first_word) {
  for (uint32_t i = threadIdx.x; i < bytes / 2; i += blockDim.x)
    reinterpret_cast<uint16_t*>(memory.bytes)[i] =
        count ? static_cast<uint16_t>(first_word + i) : 0xeeee;
  if (threadIdx.x == 0) {
    barrier_init(memory.barrier, 1);
    fence_barrier_init();
  }
  fence_proxy_async();
  sync_block();
}
HADAL_DEVICE void put_copy_probe(const CopyProbeShared& memory, uint8_t* out, uint32_t bytes) {
  for (uint32_t i = threadIdx.x * 16; i < bytes; i += blockDim.x * 16)
    store16(out + i, load16(memory.bytes + i));
}

HADAL_DEVICE void tma_load_probe(const cuda::TmaProbeParams& p) {
  auto& memory = shared<CopyProbeShared>();
  fill_copy_probe(memory, p.box_bytes + 256, false, 0);
  if (threadIdx.x == 0) {
    barrier_arrive_expect(memory.barrier, p.box_bytes);  // the whole box, whatever lies outside
    if (p.rank == 2) {
      tma_load_2d(memory.bytes, p.map, memory.barrier, p.x, p.y);
    } else {
      tma_load_3d(memory.bytes, p.map, memory.barrier, p.x, p.y, p.z);
    }
  }
  barrier_wait(memory.barrier, 0);
  put_copy_probe(memory, static_cast<uint8_t*>(p.out), p.box_bytes + 256);
}

HADAL_DEVICE void tma_multicast_probe(const cuda::TmaProbeParams& p) {
  auto& memory = shared<CopyProbeShared>();
  fill_copy_probe(memory, 2 * p.box_bytes + 256, false, 0);
  if (threadIdx.x == 0) barrier_arrive_expect(memory.barrier, 2 * p.box_bytes);
  cluster_sync();
  const uint32_t rank = cluster_rank();
  if (threadIdx.x == 0)
    tma_multicast_2d(memory.bytes + rank * p.box_bytes, p.map, memory.barrier, p.x,
                     p.y + static_cast<int>(rank) * p.z, 3);
  barrier_wait(memory.barrier, 0);
  put_copy_probe(memory, static_cast<uint8_t*>(p.out) + rank * (2 * p.box_bytes + 256),
                 2 * p.box_bytes + 256);
  cluster_sync();
}

template <bool add>
HADAL_DEVICE void tma_store_probe(const cuda::TmaProbeParams& p) {
  auto& memory = shared<CopyProbeShared>();
  if constexpr (add) {
    for (uint32_t i = threadIdx.x; i < p.box_bytes / 4; i += blockDim.x)
      reinterpret_cast<float*>(memory.bytes)[i] = static_cast<float>(i);
    fence_proxy_async();
    sync_block();
  } else {
    fill_copy_probe(memory, p.box_bytes, true, p.first_word);
  }
  if (threadIdx.x != 0) return;
  if (add) {
    tma_add_2d(p.map, memory.bytes, p.x, p.y);
  } else if (p.rank == 2) {
    tma_store_2d(p.map, memory.bytes, p.x, p.y);
  } else {
    tma_store_3d(p.map, memory.bytes, p.x, p.y, p.z);
  }
  bulk_commit();
  bulk_wait<0>();
}

HADAL_DEVICE void bulk_copy_probe(const cuda::BulkProbeParams& p) {
  auto& memory = shared<CopyProbeShared>();
  fill_copy_probe(memory, 2 * p.bytes, true, 0);
  auto* out = static_cast<uint8_t*>(p.out);
  if (threadIdx.x == 0) {
    barrier_arrive_expect(memory.barrier, p.bytes);
    bulk_load(memory.bytes, p.in, p.bytes, memory.barrier);
  }
  barrier_wait(memory.barrier, 0);
  put_copy_probe(memory, out, p.bytes);
  if (threadIdx.x != 0) return;
  bulk_store(out + p.bytes, memory.bytes + p.bytes / 2, p.bytes);
  bulk_commit();
  bulk_wait<0>();
}

// After each step: bit 0 and 1, whether the phases of parity 0 and 1 are complete.
HADAL_DEVICE void barrier_trace_probe(const cuda::ProbeParams& p) {
  auto& memory = shared<CopyProbeShared>();
  if (threadIdx.x != 0) return;
  auto* out = static_cast<uint8_t*>(p.out);
  int steps = 0;
  const auto note = [&](Barrier& barrier) {
    out[steps++] = static_cast<uint8_t>((barrier_test(barrier, 0) ? 1 : 0) |
                                        (barrier_test(barrier, 1) ? 2 : 0));
  };
  barrier_init(memory.barrier, 2);
  barrier_init(memory.second, 1);
  fence_barrier_init();
  note(memory.barrier);
  barrier_arrive(memory.barrier);
  note(memory.barrier);
  barrier_arrive(memory.barrier);  // phase 0 is complete
  note(memory.barrier);
  barrier_arrive_expect(memory.barrier, 32);
  note(memory.barrier);
  barrier_arrive(memory.barrier);  // all have arrived; bytes are missing
  note(memory.barrier);
  bulk_load(memory.bytes, p.in, 16, memory.barrier);
  bulk_load(memory.bytes + 16, p.in, 16, memory.barrier);
  barrier_wait(memory.barrier, 1);  // phase 1
  note(memory.barrier);
  barrier_arrive(memory.barrier);
  note(memory.barrier);
  barrier_expect(memory.barrier, 16);
  barrier_arrive(memory.barrier);
  note(memory.barrier);
  bulk_load(memory.bytes, p.in, 16, memory.barrier);
  barrier_wait(memory.barrier, 0);  // phase 2
  note(memory.barrier);
  note(memory.second);
  for (int phase = 0; phase < 4; ++phase) {
    barrier_arrive(memory.second);
    note(memory.second);
  }
  barrier_arrive_expect(memory.second, 0);
  note(memory.second);
  out[steps] = static_cast<uint8_t>(steps);
}

HADAL_DEVICE void store_async_probe(const cuda::ProbeParams& p) {
  auto& memory = shared<CopyProbeShared>();
  if (threadIdx.x == 0) {
    barrier_init(memory.barrier, 1);
    fence_barrier_init();
    barrier_arrive_expect(memory.barrier, 32 * 16);
  }
  cluster_sync();
  const uint32_t rank = cluster_rank(), lane = threadIdx.x;
  store_async16(memory.bytes + lane * 16, Vec16{{rank, lane, lane * lane, ~lane}}, memory.barrier,
                rank ^ 1);
  barrier_wait_cluster(memory.barrier, 0);
  store16(static_cast<uint8_t*>(p.out) + (rank * 32 + lane) * 16, load16(memory.bytes + lane * 16));
  cluster_sync();
}

}  // namespace hadal::device
