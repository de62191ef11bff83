// Small matrices of a warp: 8x8 tiles of 16-bit values between shared memory and registers, and the
// products that a single warp has computed at once (no descriptors, no waits), for few rows.
//
// A fragment, with g = lane / 4 and t = lane % 4; a register holds four bytes along K:
//   A, 16 rows: a[0] row g, bytes 4t; a[1] row g + 8; a[2], a[3] the same 16 bytes further along K
//   B, 8 columns: b[0] column g, bytes 4t; b[1] 16 bytes further along K
//   C, D: c[0], c[1] row g, columns 2t and 2t + 1; c[2], c[3] row g + 8
// Four bytes are two of BF16 or four of E4M3: load_matrix serves both (16 bytes a row of a tile).
#pragma once

#include "cuda/device/kernel.cuh"

#ifndef __CUDACC__
#include "simt/matrix.h"
#endif

namespace hadal::device {

#ifdef __CUDACC__

// clang-format off
// `row`: this lane's row of 16 bytes, a multiple of 16; lanes 8i .. 8i + 7 give the rows of tile i.
// Register i of lane l gets of tile i the two values 2·(l%4) and + 1 of row l/4; `transposed`: of
// column l/4.
template <int tiles, bool transposed = false>
HADAL_DEVICE void load_matrix(uint32_t (&r)[tiles], const void* row) {
  static_assert(tiles == 1 || tiles == 2 || tiles == 4);
  const uint32_t address = shared_address(row);
#define HADAL_LDMATRIX(trans)                                                                     \
  if constexpr (tiles == 1)                                                                       \
    asm volatile("ldmatrix.sync.aligned.m8n8.x1" trans ".shared.b16 {%0}, [%1];"                  \
                 : "=r"(r[0]) : "r"(address) : "memory");                                         \
  else if constexpr (tiles == 2)                                                                  \
    asm volatile("ldmatrix.sync.aligned.m8n8.x2" trans ".shared.b16 {%0, %1}, [%2];"              \
                 : "=r"(r[0]), "=r"(r[1]) : "r"(address) : "memory");                             \
  else                                                                                            \
    asm volatile("ldmatrix.sync.aligned.m8n8.x4" trans ".shared.b16 {%0, %1, %2, %3}, [%4];"      \
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory")
  if constexpr (transposed) {
    HADAL_LDMATRIX(".trans");
  } else {
    HADAL_LDMATRIX("");
  }
#undef HADAL_LDMATRIX
}

// The way back.
template <int tiles, bool transposed = false>
HADAL_DEVICE void store_matrix(void* row, const uint32_t (&r)[tiles]) {
  static_assert(tiles == 1 || tiles == 2 || tiles == 4);
  const uint32_t address = shared_address(row);
#define HADAL_STMATRIX(trans)                                                                     \
  if constexpr (tiles == 1)                                                                       \
    asm volatile("stmatrix.sync.aligned.m8n8.x1" trans ".shared.b16 [%0], {%1};"                  \
                 ::"r"(address), "r"(r[0]) : "memory");                                           \
  else if constexpr (tiles == 2)                                                                  \
    asm volatile("stmatrix.sync.aligned.m8n8.x2" trans ".shared.b16 [%0], {%1, %2};"              \
                 ::"r"(address), "r"(r[0]), "r"(r[1]) : "memory");                                \
  else                                                                                            \
    asm volatile("stmatrix.sync.aligned.m8n8.x4" trans ".shared.b16 [%0], {%1, %2, %3, %4};"      \
                 ::"r"(address), "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3]) : "memory")
  if constexpr (transposed) {
    HADAL_STMATRIX(".trans");
  } else {
    HADAL_STMATRIX("");
  }
#undef HADAL_STMATRIX
}

// d[16, 8] += a[16, 16] · b[8, 16]ᵀ of BF16.
HADAL_DEVICE void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
               "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// d[16, 8] += a[16, 32] · b[8, 32]ᵀ of E4M3. Hopper has no such instruction outside wgmma: the
// assembler makes conversions to F16 and two products of it, so this is no faster than BF16, but
// its sums are FP32's.
HADAL_DEVICE void mma_e4m3(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 "
               "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// clang-format on

#else

template <int tiles, bool transposed = false>
void load_matrix(uint32_t (&r)[tiles], const void* row, simt::Site site = {}) {
  static_assert(tiles == 1 || tiles == 2 || tiles == 4);
  simt::load_matrix(r, tiles, transposed, row, site);
}
template <int tiles, bool transposed = false>
void store_matrix(void* row, const uint32_t (&r)[tiles], simt::Site site = {}) {
  static_assert(tiles == 1 || tiles == 2 || tiles == 4);
  simt::store_matrix(r, tiles, transposed, row, site);
}
inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                     simt::Site site = {}) {
  simt::mma(d, a, b, true, site);
}
inline void mma_e4m3(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                     simt::Site site = {}) {
  simt::mma(d, a, b, false, site);
}

#endif

}  // namespace hadal::device
