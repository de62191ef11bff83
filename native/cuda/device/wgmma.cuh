// The tensor cores' products of a warpgroup (four warps, the first a multiple of four): D[64, N] =
// A[64, K] · B[N, K]ᵀ (+ D), FP32, K = 32 of E4M3 or 16 of BF16. They run behind the threads' back:
// between the call and the wait nobody may touch the accumulators, A's registers, or the tiles in
// shared memory.
//
//   wgmma_fence();                     // registers that were written are seen by what follows
//   wgmma_e4m3(d, a, b, k != 0);       // false: D is overwritten
//   wgmma_commit();
//   wgmma_wait<0>(d);                  // all but the last 0 groups have ended
//
// A thread's share of D: lane l of warp w holds rows 16w + l/4 and 8 more, of every 8 columns those
// at 2·(l%4) and + 1: d[4j], d[4j + 1] in the upper row, d[4j + 2], d[4j + 3] in the lower. A in
// registers lies as mma_*'s (matrix.cuh): a warp has its own 16 rows.
#pragma once

#include "cuda/device/kernel.cuh"

#ifdef __CUDACC__
#include "cuda/device/wgmma_operands.cuh"
#else
#include "simt/wgmma.h"
#endif

namespace hadal::device {

// Span in bytes after which rows lie under one another; within it the copy engine (the same mode in
// its tensor map) has XORed the index of each 16 bytes with the row's. The numbers are the
// descriptor's, not the map's.
enum class Swizzle : uint32_t { kNone = 0, k128 = 1, k64 = 2, k32 = 3 };

HADAL_DEVICE constexpr uint32_t swizzle_span(Swizzle swizzle) {
  return swizzle == Swizzle::kNone ? 16u : 256u >> static_cast<uint32_t>(swizzle);
}

// clang-format off
// Where an operand's tile lies. A tile is made of blocks, 8 rows of one span each (a row of span
// bytes runs along K when K-major, along M or N when MN-major, which only BF16 may be). Two strides
// in bytes, multiples of 16, lead from block to block:
//   K-major            stride: to the next 8 rows of M/N; leading: to the next 16 bytes of K (kNone)
//   MN-major, swizzled stride: to the next 8 of K;        leading: to the next span of M/N
//   MN-major, kNone    stride: to the next 8 of M/N;      leading: to the next 8 of K
// `start` is a multiple of 16, and a swizzled tile begins at a multiple of 8 spans; `start` may lie
// further on along K inside the span. base_offset, (the tile's address >> 7) & 7, is for tiles that
// begin elsewhere: use none, as long as no GPU has run the probes of it (conformance_test).
// clang-format on
HADAL_DEVICE uint64_t matrix_descriptor(uint32_t start, Swizzle swizzle, uint32_t leading_bytes,
                                        uint32_t stride_bytes, uint32_t base_offset = 0) {
  return static_cast<uint64_t>((start & 0x3ffffu) >> 4) |
         static_cast<uint64_t>((leading_bytes & 0x3ffffu) >> 4) << 16 |
         static_cast<uint64_t>((stride_bytes & 0x3ffffu) >> 4) << 32 |
         static_cast<uint64_t>(base_offset & 7) << 49 |
         static_cast<uint64_t>(static_cast<uint32_t>(swizzle)) << 62;
}

// The usual one: K-major rows of one span, closely packed.
template <Swizzle swizzle>
HADAL_DEVICE uint64_t k_major_descriptor(const void* tile) {
  static_assert(swizzle != Swizzle::kNone);
  return matrix_descriptor(shared_address(tile), swizzle, 16, 8 * swizzle_span(swizzle));
}
// MN-major rows of one span of M or N for each k, closely packed, a span's `leading_bytes` after
// the span before it (K · span where K rows follow one another). One K step of BF16 is 16 spans
// further.
template <Swizzle swizzle>
HADAL_DEVICE uint64_t mn_major_descriptor(const void* tile, uint32_t leading_bytes) {
  static_assert(swizzle != Swizzle::kNone);
  return matrix_descriptor(shared_address(tile), swizzle, leading_bytes, 8 * swizzle_span(swizzle));
}
// The same tile, further on: 32 bytes are one K step of a K-major operand. Must not carry out of
// the tile.
HADAL_DEVICE uint64_t advance_descriptor(uint64_t descriptor, uint32_t bytes) {
  return descriptor + (bytes >> 4);
}

enum class Major : uint32_t { kK = 0, kMN = 1 };

#ifdef __CUDACC__

template <int n>
struct Wgmma;
// clang-format off
// The operands o1, o2, … follow the n/2 accumulators.
#define HADAL_WGMMA_DEFINE(n, o1, o2, o3, o4, o5, o6, o7)                                          \
  template <>                                                                                      \
  struct Wgmma<n> {                                                                                \
    using D = float[n / 2];                                                                        \
    using A = uint32_t[4];                                                                         \
    static HADAL_DEVICE void e4m3(D& d, uint64_t a, uint64_t b, int add) {                         \
      asm volatile("{.reg .pred p; setp.ne.b32 p, %" #o3 ", 0;"                                    \
                   "wgmma.mma_async.sync.aligned.m64n" #n "k32.f32.e4m3.e4m3 "                     \
                   "{" HADAL_WGMMA_NAMES_##n "}, %" #o1 ", %" #o2 ", p, 1, 1;}"                    \
                   : HADAL_WGMMA_VALUES_##n                                                        \
                   : "l"(a), "l"(b), "r"(add));                                                    \
    }                                                                                              \
    static HADAL_DEVICE void e4m3(D& d, const A& a, uint64_t b, int add) {                         \
      asm volatile("{.reg .pred p; setp.ne.b32 p, %" #o6 ", 0;"                                    \
                   "wgmma.mma_async.sync.aligned.m64n" #n "k32.f32.e4m3.e4m3 "                     \
                   "{" HADAL_WGMMA_NAMES_##n "}, {%" #o1 ", %" #o2 ", %" #o3 ", %" #o4 "}, "       \
                   "%" #o5 ", p, 1, 1;}"                                                           \
                   : HADAL_WGMMA_VALUES_##n                                                        \
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));                \
    }                                                                                              \
    template <int a_major, int b_major>                                                            \
    static HADAL_DEVICE void bf16(D& d, uint64_t a, uint64_t b, int add) {                         \
      asm volatile("{.reg .pred p; setp.ne.b32 p, %" #o3 ", 0;"                                    \
                   "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 "                     \
                   "{" HADAL_WGMMA_NAMES_##n "}, %" #o1 ", %" #o2 ", p, 1, 1, %" #o4 ", %" #o5 ";}"\
                   : HADAL_WGMMA_VALUES_##n                                                        \
                   : "l"(a), "l"(b), "r"(add), "n"(a_major), "n"(b_major));                        \
    }                                                                                              \
    template <int b_major>                                                                         \
    static HADAL_DEVICE void bf16(D& d, const A& a, uint64_t b, int add) {                         \
      asm volatile("{.reg .pred p; setp.ne.b32 p, %" #o6 ", 0;"                                    \
                   "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 "                     \
                   "{" HADAL_WGMMA_NAMES_##n "}, {%" #o1 ", %" #o2 ", %" #o3 ", %" #o4 "}, "       \
                   "%" #o5 ", p, 1, 1, %" #o7 ";}"                                                 \
                   : HADAL_WGMMA_VALUES_##n                                                        \
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add), "n"(b_major));  \
    }                                                                                              \
  };
HADAL_WGMMA_ALL(HADAL_WGMMA_DEFINE)
#undef HADAL_WGMMA_DEFINE
// clang-format on

// The number of columns is that of the accumulators, two a float.
template <int floats>
HADAL_DEVICE void wgmma_e4m3(float (&d)[floats], uint64_t a, uint64_t b, bool add) {
  Wgmma<2 * floats>::e4m3(d, a, b, add);
}
// A from registers, which must keep their values until the wait: an array of its own for each step
// in flight.
template <int floats>
HADAL_DEVICE void wgmma_e4m3(float (&d)[floats], const uint32_t (&a)[4], uint64_t b, bool add) {
  Wgmma<2 * floats>::e4m3(d, a, b, add);
}
template <Major a_major = Major::kK, Major b_major = Major::kK, int floats>
HADAL_DEVICE void wgmma_bf16(float (&d)[floats], uint64_t a, uint64_t b, bool add) {
  Wgmma<2 * floats>::template bf16<static_cast<int>(a_major), static_cast<int>(b_major)>(d, a, b,
                                                                                         add);
}
template <Major b_major = Major::kK, int floats>
HADAL_DEVICE void wgmma_bf16(float (&d)[floats], const uint32_t (&a)[4], uint64_t b, bool add) {
  Wgmma<2 * floats>::template bf16<static_cast<int>(b_major)>(d, a, b, add);
}

// Registers pass through an empty instruction as read and written, so that the compiler moves no
// access of theirs across it. With a memory clobber alone it may read an accumulator before the
// wait.
HADAL_DEVICE void pin_registers(float& d) {
  asm volatile("" : "+f"(d)::"memory");
}
template <typename T, int count>
HADAL_DEVICE void pin_registers(T (&d)[count]) {
  HADAL_UNROLL
  for (int i = 0; i < count; ++i) pin_registers(d[i]);
}
// Registers written before are seen by the products after it. Names the accumulators that are added
// to.
template <typename... Arrays>
HADAL_DEVICE void wgmma_fence(Arrays&... d) {
  (pin_registers(d), ...);
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
HADAL_DEVICE void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
// All groups but the last `pending` have ended. Names every accumulator that is read after it.
template <int pending, typename... Arrays>
HADAL_DEVICE void wgmma_wait(Arrays&... d) {
  (pin_registers(d), ...);
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
  (pin_registers(d), ...);
}

#else

template <int floats>
void wgmma_e4m3(float (&d)[floats], uint64_t a, uint64_t b, bool add, simt::Site site = {}) {
  simt::wgmma({2 * floats, false, false, false, add, a, b, nullptr, d}, site);
}
template <int floats>
void wgmma_e4m3(float (&d)[floats], const uint32_t (&a)[4], uint64_t b, bool add,
                simt::Site site = {}) {
  simt::wgmma({2 * floats, false, false, false, add, 0, b, a, d}, site);
}
template <Major a_major = Major::kK, Major b_major = Major::kK, int floats>
void wgmma_bf16(float (&d)[floats], uint64_t a, uint64_t b, bool add, simt::Site site = {}) {
  simt::wgmma(
      {2 * floats, true, a_major == Major::kMN, b_major == Major::kMN, add, a, b, nullptr, d},
      site);
}
template <Major b_major = Major::kK, int floats>
void wgmma_bf16(float (&d)[floats], const uint32_t (&a)[4], uint64_t b, bool add,
                simt::Site site = {}) {
  simt::wgmma({2 * floats, true, false, b_major == Major::kMN, add, 0, b, a, d}, site);
}
// Up to three arrays: the place, a default argument, cannot follow a list.
inline void wgmma_fence(simt::Site site = {}) {
  simt::wgmma_fence(site);
}
template <typename A>
void wgmma_fence(A&, simt::Site site = {}) {
  simt::wgmma_fence(site);
}
template <typename A, typename B>
void wgmma_fence(A&, B&, simt::Site site = {}) {
  simt::wgmma_fence(site);
}
template <typename A, typename B, typename C>
void wgmma_fence(A&, B&, C&, simt::Site site = {}) {
  simt::wgmma_fence(site);
}
inline void wgmma_commit(simt::Site site = {}) {
  simt::wgmma_commit(site);
}
template <int pending>
void wgmma_wait(simt::Site site = {}) {
  simt::wgmma_wait(pending, site);
}
template <int pending, typename A>
void wgmma_wait(A&, simt::Site site = {}) {
  simt::wgmma_wait(pending, site);
}
template <int pending, typename A, typename B>
void wgmma_wait(A&, B&, simt::Site site = {}) {
  simt::wgmma_wait(pending, site);
}
template <int pending, typename A, typename B, typename C>
void wgmma_wait(A&, B&, C&, simt::Site site = {}) {
  simt::wgmma_wait(pending, site);
}

#endif

}  // namespace hadal::device
