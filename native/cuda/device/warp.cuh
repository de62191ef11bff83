// Threads of a warp and of a block together: barriers, shuffles, votes, reductions. Every call names all 32
// lanes of a warp: a lane that does not come is a mistake that the emulator reports and a GPU hangs on.
#pragma once

#include "cuda/device/kernel.cuh"

namespace hadal::device {

#ifdef __CUDACC__

constexpr uint32_t kAllLanes = 0xffffffffu;

HADAL_DEVICE void sync_block() { __syncthreads(); }
HADAL_DEVICE void sync_warp() { __syncwarp(); }
// `threads` (a multiple of 32) meet at barrier `id` (1..15; 0 is sync_block's).
HADAL_DEVICE void sync_named(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
// Counts as having come to barrier `id`, and goes on.
HADAL_DEVICE void arrive_named(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
template <typename T>
HADAL_DEVICE T shuffle(T value, int lane) { return __shfl_sync(kAllLanes, value, lane); }
template <typename T>
HADAL_DEVICE T shuffle_xor(T value, int mask) { return __shfl_xor_sync(kAllLanes, value, mask); }
// Lane l gets the value of lane l - delta; the first lanes keep their own.
template <typename T>
HADAL_DEVICE T shuffle_up(T value, int delta) { return __shfl_up_sync(kAllLanes, value, delta); }
template <typename T>
HADAL_DEVICE T shuffle_down(T value, int delta) { return __shfl_down_sync(kAllLanes, value, delta); }
// Bit l: whether lane l said true.
HADAL_DEVICE uint32_t ballot(bool vote) { return __ballot_sync(kAllLanes, vote); }
// Bit l: whether lane l has the same value.
HADAL_DEVICE uint32_t match_any(int value) { return __match_any_sync(kAllLanes, value); }
HADAL_DEVICE uint32_t reduce_max(uint32_t value) { return __reduce_max_sync(kAllLanes, value); }
HADAL_DEVICE uint32_t reduce_min(uint32_t value) { return __reduce_min_sync(kAllLanes, value); }
HADAL_DEVICE int reduce_add(int value) { return __reduce_add_sync(kAllLanes, value); }
HADAL_DEVICE int count_bits(uint32_t bits) { return __popc(bits); }
HADAL_DEVICE int first_bit(uint32_t bits) { return __ffs(static_cast<int>(bits)) - 1; }

#else

using simt::Site;

inline void sync_block(Site site = {}) { simt::sync_block(site); }
inline void sync_warp(Site site = {}) { simt::sync_warp(site); }
inline void sync_named(int id, int threads, Site site = {}) { simt::sync_named(id, threads, site); }
inline void arrive_named(int id, int threads, Site site = {}) { simt::arrive_named(id, threads, site); }
template <typename T>
T shuffle(T value, int lane, Site site = {}) {
  return simt::from_bits<T>(simt::shuffle(simt::to_bits(value), lane & 31, site));
}
template <typename T>
T shuffle_xor(T value, int mask, Site site = {}) { return shuffle(value, lane_index() ^ mask, site); }
template <typename T>
T shuffle_up(T value, int delta, Site site = {}) {
  const int lane = lane_index();
  return shuffle(value, lane >= delta ? lane - delta : lane, site);
}
template <typename T>
T shuffle_down(T value, int delta, Site site = {}) {
  const int lane = lane_index();
  return shuffle(value, lane + delta < kWarp ? lane + delta : lane, site);
}
inline uint32_t ballot(bool vote, Site site = {}) { return simt::ballot(vote, site); }
inline uint32_t match_any(int value, Site site = {}) {
  uint32_t bits = 0;
  for (int lane = 0; lane < kWarp; ++lane)
    bits |= static_cast<uint32_t>(shuffle(value, lane, site) == value) << lane;
  return bits;
}
inline uint32_t reduce_max(uint32_t value, Site site = {}) {
  for (int mask = 16; mask > 0; mask >>= 1) {
    const uint32_t other = shuffle_xor(value, mask, site);
    value = value > other ? value : other;
  }
  return value;
}
inline uint32_t reduce_min(uint32_t value, Site site = {}) { return ~reduce_max(~value, site); }
inline int reduce_add(int value, Site site = {}) {
  for (int mask = 16; mask > 0; mask >>= 1) value += shuffle_xor(value, mask, site);
  return value;
}
inline int count_bits(uint32_t bits) { return __builtin_popcount(bits); }
inline int first_bit(uint32_t bits) { return bits == 0 ? -1 : __builtin_ctz(bits); }

#endif

HADAL_DEVICE uint32_t lanes_below() { return (1u << lane_index()) - 1; }

// Sum of the lower lanes' values and this one's.
template <typename T>
HADAL_DEVICE T warp_scan(T value) {
  HADAL_UNROLL
  for (int delta = 1; delta < kWarp; delta <<= 1) {
    const T other = shuffle_up(value, delta);
    if (lane_index() >= delta) value += other;
  }
  return value;
}

HADAL_DEVICE float max_of(float a, float b) { return a > b ? a : b; }

// Sum or largest of `width` neighbouring lanes (a power of two), the same bits in each of them.
template <int width = kWarp>
HADAL_DEVICE float warp_sum(float value) {
  HADAL_UNROLL
  for (int mask = width / 2; mask > 0; mask >>= 1) value += shuffle_xor(value, mask);
  return value;
}
template <int width = kWarp>
HADAL_DEVICE float warp_max(float value) {
  HADAL_UNROLL
  for (int mask = width / 2; mask > 0; mask >>= 1) value = max_of(value, shuffle_xor(value, mask));
  return value;
}

// Sum over a block of `warps` warps; `partial` is shared memory of `warps` floats. The same bits in every
// thread. Between two calls with one `partial` the caller syncs the block.
template <int warps>
HADAL_DEVICE float block_sum(float value, float (&partial)[warps]) {
  value = warp_sum(value);
  if (lane_index() == 0) partial[warp_index()] = value;
  sync_block();
  float sum = 0;
  HADAL_UNROLL
  for (int w = 0; w < warps; ++w) sum += partial[w];
  return sum;
}

}  // namespace hadal::device
