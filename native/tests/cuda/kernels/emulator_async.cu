// Mistakes with barriers in memory, copies, clusters and registers. Fault 0 is the correct kernel.
#include "cuda/device/atomic.cuh"
#include "cuda/device/cluster.cuh"
#include "cuda/device/registers.cuh"
#include "cuda/device/tma.cuh"
#include "cuda/device/warp.cuh"
#include "tests/cuda/kernels/emulator_kernels.h"

namespace hadal::device {

using Params = testing::EmulatorParams;

constexpr int kTileFloats = 256;  // 8 rows of 32, 1024 bytes
constexpr uint32_t kTileBytes = 4 * kTileFloats;
constexpr int kTiles = 4;

struct alignas(1024) AsyncShared {
  float stage[2][kTileFloats];
  float result[kTileFloats];
  Barrier full[2], empty[2], other;
};

HADAL_DEVICE AsyncShared& async_storage() { return shared<AsyncShared>(); }
HADAL_DEVICE int thread_number() { return static_cast<int>(threadIdx.x); }

enum Fault {
  kNone, kNoWaitFull, kNoWaitEmpty, kCountTooHigh, kCountTooLow, kExpectTooMuch, kExpectTooLittle, kNoProxyFence,
  kInitNotFenced, kInitNotSynced, kMoreArrivals, kNoWaitStore, kOverwriteStore, kLoadNotWaited, kMisalignedTile,
  kWrongParity, kFreedTooEarly, kLoadPastEnd, kWrongRank,
};

template <int fault>
HADAL_DEVICE void ring_init(AsyncShared& s) {
  if (thread_number() == 0) {
    for (int i = 0; i < 2; ++i) {
      barrier_init(s.full[i], 1);
      barrier_init(s.empty[i], fault == kCountTooHigh ? 33 : fault == kCountTooLow ? 8 : 32);
    }
    if (fault != kInitNotFenced) fence_barrier_init();
  }
  if (fault != kInitNotSynced) sync_block();
}

template <int fault>
HADAL_DEVICE void produce(const Params& p, AsyncShared& s) {
  Ring<2> ring;
  for (int tile = 0; tile < kTiles; ++tile, ring.advance()) {
    Barrier& full = s.full[ring.stage];
    if (fault != kNoWaitEmpty) barrier_wait(s.empty[ring.stage], ring.parity ^ 1);
    barrier_arrive_expect(full, kTileBytes + (fault == kExpectTooMuch ? 16 : 0) - (fault == kExpectTooLittle ? 16 : 0));
    if (fault == kMoreArrivals) barrier_arrive(full);
    float* to = s.stage[ring.stage] + (fault == kMisalignedTile ? 16 : 0) + (fault == kLoadPastEnd ? 8192 : 0);
    if (fault == kWrongRank) {
      tma_load_3d(to, p.load, full, 0, 8 * tile, 0);
    } else {
      tma_load_2d(to, p.load, full, 0, 8 * tile);
    }
  }
}

// A warp: 8 columns of the tile a lane.
template <int fault>
HADAL_DEVICE void consume(const Params& p, AsyncShared& s) {
  const int lane = lane_index();
  float sums[8] = {};
  Ring<2> ring;
  for (int tile = 0; tile < kTiles - (fault == kLoadNotWaited); ++tile, ring.advance()) {
    if (fault != kNoWaitFull) barrier_wait(s.full[ring.stage], ring.parity ^ (fault == kWrongParity));
    if (fault == kFreedTooEarly) barrier_arrive(s.empty[ring.stage]);
    for (int i = 0; i < 8; ++i) sums[i] += s.stage[ring.stage][32 * i + lane];
    if (fault != kFreedTooEarly) barrier_arrive(s.empty[ring.stage]);
  }
  for (int i = 0; i < 8; ++i) s.result[32 * i + lane] = sums[i];
  if (fault != kNoProxyFence) fence_proxy_async();
  sync_warp();
  if (lane != 0) return;
  tma_store_2d(p.store, s.result, 0, 0);
  bulk_commit();
  if (fault == kOverwriteStore) s.result[0] = 7;
  if (fault != kNoWaitStore) bulk_wait_read<0>();
}

template <int fault>
HADAL_DEVICE void ring(const Params& p) {
  auto& s = async_storage();
  ring_init<fault>(s);
  if (warp_index() == 0) consume<fault>(p, s);
  if (thread_number() == 32) produce<fault>(p, s);
}

// A waiter that comes so late that the barrier is two phases on.
template <bool good>
HADAL_DEVICE void lapped(const Params& p) {
  auto& s = async_storage();
  if (thread_number() == 0) {
    barrier_init(s.other, 1);
    barrier_init(s.full[0], 1);
    fence_barrier_init();
  }
  sync_block();
  if (thread_number() == 0) {
    barrier_arrive(s.other);
    if (good) barrier_wait(s.full[0], 0);
    barrier_arrive(s.other);
  } else if (thread_number() == 40) {
    barrier_wait(s.other, 0);
    if (good) barrier_arrive(s.full[0]);
    p.out[0] = 1;
  }
}

// Initialised a second time, over a barrier in use.
template <bool good>
HADAL_DEVICE void init_twice(const Params& p) {
  auto& s = async_storage();
  if (thread_number() == 0) {
    barrier_init(s.other, 1);
    if (good) barrier_invalidate(s.other);
    barrier_init(s.other, 1);
  }
  p.out[thread_number()] = 1;
}

// Contiguous copies in and out.
template <bool good>
HADAL_DEVICE void bulk(const Params& p) {
  auto& s = async_storage();
  if (thread_number() != 0) return;
  barrier_init(s.other, 1);
  fence_barrier_init();
  barrier_arrive_expect(s.other, kTileBytes);
  bulk_load(s.stage[0], p.in, kTileBytes, s.other, Keep::kFirstOut);
  barrier_wait(s.other, 0);
  bulk_store(p.out, s.stage[0], good ? kTileBytes : kTileBytes - 8);
  bulk_commit();
  bulk_wait<0>();
  p.in[0] = p.out[0];
}

// Reads what a store has written before it has: wait_group.read is not enough.
template <bool good>
HADAL_DEVICE void store_visible(const Params& p) {
  auto& s = async_storage();
  if (thread_number() != 0) return;
  for (int i = 0; i < kTileFloats; ++i) s.result[i] = 3;
  fence_proxy_async();
  bulk_store(p.out, s.result, kTileBytes);
  bulk_commit();
  if (good) {
    bulk_wait<0>();
  } else {
    bulk_wait_read<0>();
  }
  p.in[0] = p.out[0];
}

// Ordinary writes to global memory that a copy then reads.
template <bool good>
HADAL_DEVICE void global_proxy(const Params& p) {
  auto& s = async_storage();
  if (thread_number() == 0) {
    barrier_init(s.other, 1);
    fence_barrier_init();
  }
  for (int i = 0; i < 4; ++i) p.out[4 * thread_number() + i] = 1;
  if (good) {
    fence_proxy_async_global();
  } else {
    fence_proxy_async();  // of shared memory
  }
  sync_block();
  if (thread_number() == 0) {
    barrier_arrive_expect(s.other, kTileBytes);
    bulk_load(s.stage[0], p.out, kTileBytes, s.other);
  }
  barrier_wait(s.other, 0);
  p.in[thread_number()] = s.stage[0][thread_number()];
}

// Writes into the peer's memory, read there.
template <bool good>
HADAL_DEVICE void cluster_write(const Params& p) {
  auto& s = async_storage();
  const uint32_t rank = cluster_rank();
  cluster_sync();
  peer(s.result, rank ^ 1)[thread_number()] = static_cast<float>(rank);
  if (good) cluster_sync();
  p.out[64 * rank + thread_number()] = s.result[thread_number()];
  if (!good) cluster_sync();
}
// Writes into a peer that may not have started.
template <bool good>
HADAL_DEVICE void cluster_start(const Params& p) {
  auto& s = async_storage();
  const uint32_t rank = cluster_rank();
  if (thread_number() == 0) {
    barrier_init(s.other, 64);
    fence_barrier_init();
  }
  if (good) {
    cluster_sync();
  } else {
    sync_block();
  }
  barrier_arrive_peer(s.other, rank ^ 1);
  barrier_wait_cluster(s.other, 0);
  p.out[64 * rank + thread_number()] = 1;
  cluster_sync();
}
// Ends while the peer still arrives.
template <bool good>
HADAL_DEVICE void cluster_exit(const Params& p) {
  auto& s = async_storage();
  const uint32_t rank = cluster_rank();
  if (thread_number() == 0) {
    barrier_init(s.other, 64);
    fence_barrier_init();
  }
  cluster_sync();
  barrier_arrive_peer(s.other, rank ^ 1);
  p.out[64 * rank + thread_number()] = 1;
  if (good) barrier_wait_cluster(s.other, 0);
}
// Block 0 loads for both; each reads its own.
template <int fault>
HADAL_DEVICE void multicast(const Params& p) {
  auto& s = async_storage();
  const uint32_t rank = cluster_rank();
  if (thread_number() == 0) {
    barrier_init(s.other, 1);
    fence_barrier_init();
    if (fault != 2 || rank == 0) barrier_arrive_expect(s.other, kTileBytes);
  }
  cluster_sync();
  if (rank == 0 && thread_number() == 0) tma_multicast_2d(s.stage[0], p.load, s.other, 0, 0, 3);
  if (fault != 1) barrier_wait_cluster(s.other, 0);
  p.out[64 * rank + thread_number()] = s.stage[0][thread_number()];
  cluster_sync();
  if (fault == 1) barrier_wait_cluster(s.other, 0);
}
// Sixteen bytes a thread into the peer, counted by its barrier.
template <bool good>
HADAL_DEVICE void peer_store(const Params& p) {
  auto& s = async_storage();
  const uint32_t rank = cluster_rank();
  if (thread_number() == 0) {
    barrier_init(s.other, 1);
    fence_barrier_init();
    barrier_arrive_expect(s.other, 64 * 16);
  }
  cluster_sync();
  Vec16 value;
  for (int i = 0; i < 4; ++i) value.word[i] = float_to_bits(static_cast<float>(thread_number()));
  store_async16(s.result + 4 * thread_number(), value, s.other, rank ^ 1);
  if (good) barrier_wait_cluster(s.other, 0);
  p.out[64 * rank + thread_number()] = s.result[4 * thread_number()];
  if (!good) barrier_wait_cluster(s.other, 0);
}

// Warpgroup 0 gives its registers to the others.
template <int fault>
HADAL_DEVICE void registers(const Params& p) {
  if (warp_index() < 4) {
    if (fault != 2 || warp_index() == 0) release_registers<40>();
  } else {
    claim_registers<fault == 1 ? 240 : fault == 3 ? 236 : fault == 2 ? 168 : 232>();
  }
  if (thread_number() < 64) p.out[thread_number()] = 1;
}

// One tile in and out again, and as it lies in shared memory, to `bytes`.
template <int rank>
HADAL_DEVICE void tile(const Params& p) {
  auto& s = async_storage();
  auto* bytes = reinterpret_cast<uint8_t*>(s.stage[0]);
  if (thread_number() == 0) {
    barrier_init(s.other, 1);
    fence_barrier_init();
    barrier_arrive_expect(s.other, static_cast<uint32_t>(p.count));
    if (rank == 2) {
      tma_load_2d(bytes, p.load, s.other, p.at[0], p.at[1]);
    } else {
      tma_load_3d(bytes, p.load, s.other, p.at[0], p.at[1], p.at[2]);
    }
    barrier_wait(s.other, 0);
    if (rank == 2) {
      tma_store_2d(p.store, bytes, p.to[0], p.to[1]);
    } else {
      tma_store_3d(p.store, bytes, p.to[0], p.to[1], p.to[2]);
    }
    bulk_commit();
    bulk_wait_read<0>();
  }
  sync_block();
  for (int i = thread_number(); i < p.count; i += 64) p.bytes[i] = bytes[i];
}

}  // namespace hadal::device

using hadal::testing::EmulatorParams;
using namespace hadal::device;

#define HADAL_RING(name, fault)                                                                     \
  HADAL_KERNEL(emulator_##name##_bad, EmulatorParams, 64, 1) { hadal::device::ring<fault>(p); }
#define HADAL_TWINS(name)                                                                       \
  HADAL_KERNEL(emulator_##name##_good, EmulatorParams, 64, 1) { hadal::device::name<true>(p); } \
  HADAL_KERNEL(emulator_##name##_bad, EmulatorParams, 64, 1) { hadal::device::name<false>(p); }

HADAL_KERNEL(emulator_ring_good, EmulatorParams, 64, 1) { hadal::device::ring<kNone>(p); }
HADAL_RING(no_wait_full, kNoWaitFull)
HADAL_RING(no_wait_empty, kNoWaitEmpty)
HADAL_RING(count_too_high, kCountTooHigh)
HADAL_RING(count_too_low, kCountTooLow)
HADAL_RING(expect_too_much, kExpectTooMuch)
HADAL_RING(expect_too_little, kExpectTooLittle)
HADAL_RING(no_proxy_fence, kNoProxyFence)
HADAL_RING(init_not_fenced, kInitNotFenced)
HADAL_RING(init_not_synced, kInitNotSynced)
HADAL_RING(more_arrivals, kMoreArrivals)
HADAL_RING(no_wait_store, kNoWaitStore)
HADAL_RING(overwrite_store, kOverwriteStore)
HADAL_RING(load_not_waited, kLoadNotWaited)
HADAL_RING(misaligned_tile, kMisalignedTile)
HADAL_RING(wrong_parity, kWrongParity)
HADAL_RING(freed_too_early, kFreedTooEarly)
HADAL_RING(load_past_end, kLoadPastEnd)
HADAL_RING(wrong_rank, kWrongRank)
HADAL_TWINS(lapped)
HADAL_TWINS(init_twice)
HADAL_TWINS(bulk)
HADAL_TWINS(store_visible)
HADAL_TWINS(global_proxy)
HADAL_TWINS(cluster_write)
HADAL_TWINS(cluster_start)
HADAL_TWINS(cluster_exit)
HADAL_TWINS(peer_store)
HADAL_KERNEL(emulator_multicast_good, EmulatorParams, 64, 1) { hadal::device::multicast<0>(p); }
HADAL_KERNEL(emulator_multicast_no_wait_bad, EmulatorParams, 64, 1) { hadal::device::multicast<1>(p); }
HADAL_KERNEL(emulator_multicast_not_expected_bad, EmulatorParams, 64, 1) { hadal::device::multicast<2>(p); }
HADAL_KERNEL(emulator_tile_2d, EmulatorParams, 64, 1) { hadal::device::tile<2>(p); }
HADAL_KERNEL(emulator_tile_3d, EmulatorParams, 64, 1) { hadal::device::tile<3>(p); }
HADAL_KERNEL(emulator_registers_good, EmulatorParams, 384, 1) { hadal::device::registers<0>(p); }
HADAL_KERNEL(emulator_registers_sum_bad, EmulatorParams, 384, 1) { hadal::device::registers<1>(p); }
HADAL_KERNEL(emulator_registers_uneven_bad, EmulatorParams, 384, 1) { hadal::device::registers<2>(p); }
