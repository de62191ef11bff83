// Mistakes with wgmma and tiles. `good` leaves the mistake out; then all of D is the number of K's that were added.
#include "cuda/device/barrier.cuh"
#include "cuda/device/matrix.cuh"
#include "cuda/device/types.cuh"
#include "cuda/device/warp.cuh"
#include "cuda/device/wgmma.cuh"
#include "tests/cuda/kernels/tensor_kernels.h"

namespace hadal::device {

using TensorParams = testing::TensorParams;

struct TensorShared {
  alignas(1024) uint8_t a[64][32];  // 32-byte swizzle, but all elements are equal
  alignas(1024) uint8_t b[8][32];
  alignas(16) uint16_t tile[32][8];
};

HADAL_DEVICE TensorShared& memory() {
  return shared<TensorShared>();
}
HADAL_DEVICE int self() {
  return static_cast<int>(threadIdx.x);
}

HADAL_DEVICE void fill_operands(bool fence = true, bool all = true) {
  TensorShared& s = memory();
  for (int i = 0; i < 16; ++i) s.a[self() / 2][self() % 2 * 16 + i] = 0x38;
  for (int i = 0; i < 2; ++i)
    if (all || self() > 0) s.b[self() / 16][self() % 16 * 2 + i] = 0x38;
  if (fence) fence_proxy_async();
  sync_block();
}
HADAL_DEVICE uint64_t of_a() {
  return k_major_descriptor<Swizzle::k32>(memory().a);
}
HADAL_DEVICE uint64_t of_b() {
  return k_major_descriptor<Swizzle::k32>(memory().b);
}
HADAL_DEVICE void put(const TensorParams& p, const float (&d)[4]) {
  for (int i = 0; i < 4; ++i) p.out[self() * 8 + i] = d[i];
}
HADAL_DEVICE void product(float (&d)[4], bool add = false) {
  wgmma_e4m3(d, of_a(), of_b(), add);
}

template <bool good>
HADAL_DEVICE void no_fence(const TensorParams& p) {
  fill_operands();
  float d[4] = {};
  if (good) wgmma_fence(d);
  product(d);
  wgmma_commit();
  wgmma_wait<0>(d);
  put(p, d);
}
template <bool good>
HADAL_DEVICE void no_fence_again(const TensorParams& p) {
  fill_operands();
  float d[4];
  wgmma_fence(d);
  product(d);
  wgmma_commit();
  wgmma_wait<0>(d);
  for (float& x : d) x -= 32 * p.value;
  if (good) wgmma_fence(d);
  product(d, true);
  wgmma_commit();
  wgmma_wait<0>(d);
  put(p, d);
}
template <bool good>
HADAL_DEVICE void read_before_wait(const TensorParams& p) {
  fill_operands();
  float d[4];
  wgmma_fence(d);
  product(d);
  wgmma_commit();
  if (good) wgmma_wait<0>(d);
  put(p, d);
  if (!good) wgmma_wait<0>(d);
}
template <bool good>
HADAL_DEVICE void wait_count(const TensorParams& p) {
  fill_operands();
  float c[4], d[4];
  wgmma_fence(c, d);
  product(c);
  wgmma_commit();
  product(d);
  wgmma_commit();
  wgmma_wait<good ? 0 : 1>(c, d);
  put(p, d);
  wgmma_wait<0>(c, d);
}
template <bool good>
HADAL_DEVICE void write_in_flight(const TensorParams& p) {
  fill_operands();
  float d[4];
  wgmma_fence(d);
  product(d);
  wgmma_commit();
  if (!good) d[2] = p.value;
  wgmma_wait<0>(d);
  put(p, d);
}
template <bool good>
HADAL_DEVICE void no_commit(const TensorParams& p) {
  fill_operands();
  float d[4];
  wgmma_fence(d);
  product(d);
  if (good) wgmma_commit();
  wgmma_wait<0>(d);
  put(p, d);
}
template <bool good>
HADAL_DEVICE void ends_in_flight(const TensorParams& p) {
  fill_operands();
  float d[4];
  wgmma_fence(d);
  product(d);
  wgmma_commit();
  if (good) {
    wgmma_wait<0>(d);
    put(p, d);
  }
}
template <bool good>
HADAL_DEVICE void source_changed(const TensorParams& p) {
  fill_operands();
  float d[4];
  uint32_t a[4] = {0x38383838, 0x38383838, 0x38383838, 0x38383838};
  wgmma_fence(d);
  wgmma_e4m3(d, a, of_b(), false);
  wgmma_commit();
  if (!good) a[1] = static_cast<uint32_t>(p.value);
  wgmma_wait<0>(d);
  a[0] = 0;
  put(p, d);
}
template <bool good>
HADAL_DEVICE void source_not_fenced(const TensorParams& p) {
  fill_operands();
  float c[4], d[4];
  uint32_t a[4] = {};
  wgmma_fence(c, d);
  wgmma_e4m3(c, a, of_b(), false);
  wgmma_commit();
  wgmma_wait<0>(c);
  for (uint32_t& x : a) x = 0x38383838;
  if (good) wgmma_fence(d);
  wgmma_e4m3(d, a, of_b(), false);
  wgmma_commit();
  wgmma_wait<0>(d);
  put(p, d);
}
template <bool good>
HADAL_DEVICE void lanes_disagree(const TensorParams& p) {
  fill_operands();
  float d[4];
  wgmma_fence(d);
  wgmma_e4m3(d, of_a(), good || self() != 5 ? of_b() : of_a(), false);
  wgmma_commit();
  wgmma_wait<0>(d);
  put(p, d);
}
template <bool good>
HADAL_DEVICE void warps_disagree(const TensorParams& p) {
  fill_operands();
  float d[4];
  wgmma_fence(d);
  wgmma_e4m3(d, of_a(), good || warp_index() != 2 ? of_b() : of_a(), false);
  wgmma_commit();
  wgmma_wait<0>(d);
  put(p, d);
}
template <bool good>
HADAL_DEVICE void warp_leaves_one_out(const TensorParams& p) {
  fill_operands();
  float d[4], e[4];
  wgmma_fence(d, e);
  product(d);
  if (good || warp_index() != 3) product(e);
  wgmma_commit();
  wgmma_wait<0>(d, e);
  put(p, d);
}
template <bool good>
HADAL_DEVICE void no_proxy_fence(const TensorParams& p) {
  fill_operands(good);
  float d[4];
  wgmma_fence(d);
  product(d);
  wgmma_commit();
  wgmma_wait<0>(d);
  put(p, d);
}
template <bool good>
HADAL_DEVICE void operand_unwritten(const TensorParams& p) {
  fill_operands(true, good);
  float d[4];
  wgmma_fence(d);
  product(d);
  wgmma_commit();
  wgmma_wait<0>(d);
  put(p, d);
}
template <bool good>
HADAL_DEVICE void operand_overwritten(const TensorParams& p) {
  fill_operands();
  float d[4];
  wgmma_fence(d);
  product(d);
  wgmma_commit();
  if (good) wgmma_wait<0>(d);
  if (good) sync_block();
  if (self() % 16 == 0) memory().b[self() / 16][0] = 0x38;  // the same value: the numbers stay right
  if (!good) wgmma_wait<0>(d);
  put(p, d);
}
// A warp has waited for its own share; the others still read B.
template <bool good>
HADAL_DEVICE void others_still_read(const TensorParams& p) {
  fill_operands();
  float d[4];
  wgmma_fence(d);
  product(d);
  wgmma_commit();
  wgmma_wait<0>(d);
  if (good) sync_block();
  if (self() == 0) memory().b[7][0] = 0x38;
  put(p, d);
}
template <bool good>
HADAL_DEVICE void descriptor_bounds(const TensorParams& p) {
  fill_operands();
  float d[4];
  wgmma_fence(d);
  const uint64_t far = matrix_descriptor(shared_address(memory().a), Swizzle::k32, 16, 4096);
  wgmma_e4m3(d, good ? of_a() : far, of_b(), false);
  wgmma_commit();
  wgmma_wait<0>(d);
  put(p, d);
}
template <bool good>
HADAL_DEVICE void missing_lane_at_wait(const TensorParams& p) {
  fill_operands();
  float d[4] = {};
  wgmma_fence(d);
  product(d);
  wgmma_commit();
  if (good || self() != 40) wgmma_wait<0>(d);
  if (good) put(p, d);
}
template <bool good>
HADAL_DEVICE void half_a_warpgroup(const TensorParams& p) {
  fill_operands();
  float d[4] = {};
  if (!good && self() >= 64) return;
  wgmma_fence(d);
  product(d);
  wgmma_commit();
  wgmma_wait<0>(d);
  if (good) put(p, d);
}

// BF16 with both operands MN-major: rows of 64 of M (16 bytes apart in b: of N), one for each k.
template <bool good>
HADAL_DEVICE void mn_major(const TensorParams& p) {
  auto* tile = reinterpret_cast<uint16_t*>(memory().a);  // 16 rows of 64, then 16 rows of 8 (plain)
  for (int i = 0; i < 8; ++i) tile[self() * 8 + i] = 0x3f80;
  auto* other = reinterpret_cast<uint16_t*>(memory().b);
  other[self()] = 0x4000;
  fence_proxy_async();
  sync_block();
  float d[4];
  wgmma_fence(d);
  const uint64_t a = mn_major_descriptor<Swizzle::k128>(tile, 2048);
  const uint64_t b = matrix_descriptor(shared_address(other), Swizzle::kNone, 128, good ? 128 : 8192);
  wgmma_bf16<Major::kMN, Major::kMN>(d, good ? a : advance_descriptor(a, 3072), b, false);
  wgmma_commit();
  wgmma_wait<0>(d);
  put(p, d);
}

// ---- tiles ----

HADAL_DEVICE void fill_tile() {
  for (int i = 0; i < 8; ++i) memory().tile[lane_index()][i] = static_cast<uint16_t>(lane_index());
}
template <bool good>
HADAL_DEVICE void tile_race(const TensorParams& p) {
  if (warp_index() == 0) fill_tile();
  if (good) sync_block();
  uint32_t r[4];
  if (warp_index() == 0) {
    if (good) sync_warp();
  }
  sync_warp();
  if (warp_index() == 1) {
    load_matrix(r, memory().tile[lane_index()]);
    p.out[self() * 8] = static_cast<float>(r[0]);
  }
}
template <bool good>
HADAL_DEVICE void tile_misaligned(const TensorParams& p) {
  if (warp_index() != 0) return;
  fill_tile();
  sync_warp();
  uint32_t r[2];
  load_matrix(r, &memory().tile[lane_index() % 16][good ? 0 : 4]);
  p.out[self() * 8] = static_cast<float>(r[1]);
}
template <bool good>
HADAL_DEVICE void tile_store_race(const TensorParams& p) {
  if (warp_index() > 1) return;
  const uint32_t r[1] = {static_cast<uint32_t>(self())};
  store_matrix(memory().tile[lane_index() % 8 + (good ? 8 * warp_index() : 0)], r);
  sync_warp();
  p.out[self() * 8] = static_cast<float>(memory().tile[lane_index() % 8 + (good ? 8 * warp_index() : 0)][0]);
}
template <bool good>
HADAL_DEVICE void tile_bounds(const TensorParams& p) {
  if (warp_index() != 0) return;
  fill_tile();
  sync_warp();
  uint32_t r[1];
  load_matrix(r, memory().tile[lane_index() % 8 + (good ? 0 : 4096 * static_cast<int>(p.value))]);
  p.out[self() * 8] = static_cast<float>(r[0]);
}
// Lanes 0 to 7 give the rows: the others' addresses do not matter, but all must come.
template <bool good>
HADAL_DEVICE void tile_missing_lane(const TensorParams& p) {
  if (warp_index() != 0) return;
  fill_tile();
  sync_warp();
  uint32_t r[1] = {};
  if (good || lane_index() != 20) load_matrix(r, memory().tile[lane_index()]);
  p.out[self() * 8] = static_cast<float>(r[0]);
}
template <bool good>
HADAL_DEVICE void mma_missing_lane(const TensorParams& p) {
  if (warp_index() != 0) return;
  const uint32_t a[4] = {0x3f803f80, 0x3f803f80, 0x3f803f80, 0x3f803f80}, b[2] = {0x3f803f80, 0x3f803f80};
  float d[4] = {};
  if (good || lane_index() < 16) mma_bf16(d, a, b);
  p.out[self() * 8] = d[0] + p.value;
}

}  // namespace hadal::device

using hadal::testing::TensorParams;

#define HADAL_TENSOR_TWINS(name)                             \
  HADAL_KERNEL(tensor_##name##_good, TensorParams, 128, 1) { \
    hadal::device::name<true>(p);                            \
  }                                                          \
  HADAL_KERNEL(tensor_##name##_bad, TensorParams, 128, 1) {  \
    hadal::device::name<false>(p);                           \
  }

HADAL_TENSOR_TWINS(no_fence)
HADAL_TENSOR_TWINS(no_fence_again)
HADAL_TENSOR_TWINS(read_before_wait)
HADAL_TENSOR_TWINS(wait_count)
HADAL_TENSOR_TWINS(write_in_flight)
HADAL_TENSOR_TWINS(no_commit)
HADAL_TENSOR_TWINS(ends_in_flight)
HADAL_TENSOR_TWINS(source_changed)
HADAL_TENSOR_TWINS(source_not_fenced)
HADAL_TENSOR_TWINS(lanes_disagree)
HADAL_TENSOR_TWINS(warps_disagree)
HADAL_TENSOR_TWINS(warp_leaves_one_out)
HADAL_TENSOR_TWINS(no_proxy_fence)
HADAL_TENSOR_TWINS(operand_unwritten)
HADAL_TENSOR_TWINS(operand_overwritten)
HADAL_TENSOR_TWINS(others_still_read)
HADAL_TENSOR_TWINS(descriptor_bounds)
HADAL_TENSOR_TWINS(missing_lane_at_wait)
HADAL_TENSOR_TWINS(half_a_warpgroup)
HADAL_TENSOR_TWINS(mn_major)
HADAL_TENSOR_TWINS(tile_race)
HADAL_TENSOR_TWINS(tile_misaligned)
HADAL_TENSOR_TWINS(tile_store_race)
HADAL_TENSOR_TWINS(tile_bounds)
HADAL_TENSOR_TWINS(tile_missing_lane)
HADAL_TENSOR_TWINS(mma_missing_lane)
