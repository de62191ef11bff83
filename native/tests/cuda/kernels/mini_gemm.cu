// The pattern of every large product on Hopper in its smallest form, and eight mistakes to make in it. A copying warp
// fills a ring of two stages through the copy engine; a warpgroup multiplies what lies there, promotes each 128 of K
// with its scales into FP32, and stages the tile in shared memory for one bulk store.
#include "cuda/device/math.cuh"
#include "cuda/device/tma.cuh"
#include "cuda/device/warp.cuh"
#include "cuda/device/wgmma.cuh"
#include "tests/cuda/kernels/mini_gemm.h"

namespace hadal::device {

using testing::MiniFault;
using testing::MiniGemmParams;

constexpr int kMiniStages = 2, kMiniPanel = 32;  // columns of D in 128 bytes

struct MiniGemmShared {
  alignas(1024) uint8_t a[kMiniStages][testing::kMiniTile][testing::kMiniBlockOfK];
  alignas(1024) uint8_t b[kMiniStages][testing::kMiniTile][testing::kMiniBlockOfK];
  alignas(1024) float d[testing::kMiniTile / kMiniPanel][testing::kMiniTile][kMiniPanel];
  Barrier full[kMiniStages], empty[kMiniStages];
};

template <MiniFault fault>
HADAL_DEVICE void mini_copy(const MiniGemmParams& p, MiniGemmShared& s) {
  constexpr uint32_t kBytes = sizeof s.a[0] + sizeof s.b[0] + (fault == MiniFault::kTooManyBytes ? 16 : 0);
  const int row = static_cast<int>(blockIdx.x) * testing::kMiniTile;
  const int column = static_cast<int>(blockIdx.y) * testing::kMiniTile;
  Ring<kMiniStages> ring;
  for (int block = 0; block < p.k_blocks; ++block, ring.advance()) {
    if (fault != MiniFault::kNoWaitForEmpty) barrier_wait(s.empty[ring.stage], ring.parity ^ 1);
    Barrier& full = s.full[ring.stage];
    barrier_arrive_expect(full, kBytes);
    tma_load_2d(s.a[ring.stage], p.a, full, block * testing::kMiniBlockOfK, row);
    tma_load_2d(s.b[ring.stage], p.b, full, block * testing::kMiniBlockOfK, column);
  }
}

// `sums`: rows lane / 4 and 8 more of the warp's 16, scaled.
template <MiniFault fault>
HADAL_DEVICE void mini_multiply(const MiniGemmParams& p, MiniGemmShared& s, float (&sums)[32]) {
  const int row = static_cast<int>(blockIdx.x) * testing::kMiniTile + warp_index() * 16 + lane_index() / 4;
  Ring<kMiniStages> ring;
  for (int block = 0; block < p.k_blocks; ++block, ring.advance()) {
    const float of_b = p.b_scales[static_cast<int>(blockIdx.y) * p.k_blocks + block];
    const float upper = row < p.rows ? p.a_scales[row * p.k_blocks + block] * of_b : 0;
    const float lower = row + 8 < p.rows ? p.a_scales[(row + 8) * p.k_blocks + block] * of_b : 0;
    if (fault != MiniFault::kNoWaitForFull) barrier_wait(s.full[ring.stage], ring.parity);
    const uint64_t a = k_major_descriptor<Swizzle::k128>(s.a[ring.stage]);
    const uint64_t b = k_major_descriptor<Swizzle::k128>(s.b[ring.stage]);
    float d[32];
    wgmma_fence(d);
    HADAL_UNROLL
    for (uint32_t k = 0; k < testing::kMiniBlockOfK; k += 32)
      wgmma_e4m3(d, advance_descriptor(a, k), advance_descriptor(b, k), k != 0);
    wgmma_commit();
    if (fault == MiniFault::kFreedTooEarly && lane_index() == 0) barrier_arrive(s.empty[ring.stage]);
    if (fault != MiniFault::kReadBeforeWait) wgmma_wait<0>(d);
    if (fault != MiniFault::kFreedTooEarly && lane_index() == 0) barrier_arrive(s.empty[ring.stage]);
    HADAL_UNROLL
    for (int i = 0; i < 32; ++i) sums[i] += d[i] * (i % 4 < 2 ? upper : lower);
    if (fault == MiniFault::kReadBeforeWait) wgmma_wait<0>(d);
  }
}

template <MiniFault fault>
HADAL_DEVICE void mini_store(const MiniGemmParams& p, MiniGemmShared& s, const float (&sums)[32]) {
  float largest = 0;
  HADAL_UNROLL
  for (int i = 0; i < 32; ++i) {
    const int row = warp_index() * 16 + lane_index() / 4 + i % 4 / 2 * 8;
    const int column = i / 4 * 8 + lane_index() % 4 * 2 + i % 2;
    // The 16-byte pieces of a row, exchanged as the tensor map's swizzle has them.
    const int piece = column % kMiniPanel / 4 ^ row % 8;
    const bool outside = fault == MiniFault::kOutOfBounds && row == 63 && column == 63;
    s.d[column / kMiniPanel + (outside ? 2 : 0)][row][piece * 4 + column % 4] = sums[i];
    largest = max_of(largest, abs_of(sums[i]));
  }
  largest = warp_max(largest);
  if (lane_index() == 0)
    p.largest[(blockIdx.x * gridDim.y + blockIdx.y) * 4 + static_cast<uint32_t>(warp_index())] = largest;
  if (fault != MiniFault::kNoProxyFence) fence_proxy_async();
  sync_named(1, 128);
  if (threadIdx.x != 0) return;
  for (int panel = 0; panel < testing::kMiniTile / kMiniPanel; ++panel)
    tma_store_2d(p.d, s.d[panel], static_cast<int>(blockIdx.y) * testing::kMiniTile + panel * kMiniPanel,
                 static_cast<int>(blockIdx.x) * testing::kMiniTile);
  bulk_commit();
  bulk_wait_read<0>();
}

template <MiniFault fault>
HADAL_DEVICE void mini_gemm(const MiniGemmParams& p) {
  auto& s = shared<MiniGemmShared>();
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < kMiniStages; ++stage) {
      barrier_init(s.full[stage], 1);
      barrier_init(s.empty[stage], 4 + (fault == MiniFault::kEmptyCountTooHigh ? 1 : 0));
    }
    fence_barrier_init();
  }
  sync_block();
  if (warp_index() == 4) {
    if (lane_index() == 0) mini_copy<fault>(p, s);
  } else {
    float sums[32] = {};
    mini_multiply<fault>(p, s, sums);
    mini_store<fault>(p, s, sums);
  }
}

}  // namespace hadal::device

#define HADAL_MINI_GEMM(fault)                                              \
  HADAL_KERNEL(mini_gemm_##fault, hadal::testing::MiniGemmParams, 160, 1) { \
    hadal::device::mini_gemm<hadal::testing::MiniFault::fault>(p);          \
  }
HADAL_MINI_GEMM(kNone)
HADAL_MINI_GEMM(kNoWaitForFull)
HADAL_MINI_GEMM(kNoWaitForEmpty)
HADAL_MINI_GEMM(kEmptyCountTooHigh)
HADAL_MINI_GEMM(kTooManyBytes)
HADAL_MINI_GEMM(kFreedTooEarly)
HADAL_MINI_GEMM(kNoProxyFence)
HADAL_MINI_GEMM(kReadBeforeWait)
HADAL_MINI_GEMM(kOutOfBounds)
