// Probes: small kernels that write down, byte for byte, what the instructions do that the emulator
// imitates. tests/cuda/conformance_test.cpp runs them in the emulator against committed results,
// and on a GPU against the emulator. They are no part of the backend: not in table.cpp, and
// compiled into a fatbin of their own.
#pragma once

// clang-format off
#include "cuda/queue.h"

namespace hadal::cuda {

constexpr uint32_t kProbeBytes = 96 * 1024;  // shared memory of the wgmma probes

// Where a wgmma operand lies in the probe's shared memory, as matrix_descriptor() has it.
struct ProbeTile {
  uint32_t offset, swizzle, leading, stride, base_offset;
  uint32_t step[4];  // bytes to each instruction's K
};

struct WgmmaProbeParams {
  const void* image;    // [image_bytes], copied to shared memory as it is
  float* out;           // [128 threads, N / 2]
  ProbeTile a, b;       // K is four instructions' worth. A from registers: rows of 128 bytes
  uint32_t image_bytes;
  int32_t add;          // whether the first product adds to D, which holds small numbers
};

// X(name, type, N, A from registers, A MN-major, B MN-major)
#define HADAL_WGMMA_PROBES_OF_N(X, type, n) X(wgmma_##type##_n##n, type, n, false, kK, kK)
#define HADAL_WGMMA_PROBES_OF_TYPE(X, type)                                                  \
  HADAL_WGMMA_PROBES_OF_N(X, type, 8) HADAL_WGMMA_PROBES_OF_N(X, type, 16)                   \
  HADAL_WGMMA_PROBES_OF_N(X, type, 24) HADAL_WGMMA_PROBES_OF_N(X, type, 32)                  \
  HADAL_WGMMA_PROBES_OF_N(X, type, 48) HADAL_WGMMA_PROBES_OF_N(X, type, 64)                  \
  HADAL_WGMMA_PROBES_OF_N(X, type, 80) HADAL_WGMMA_PROBES_OF_N(X, type, 96)                  \
  HADAL_WGMMA_PROBES_OF_N(X, type, 112) HADAL_WGMMA_PROBES_OF_N(X, type, 128)                \
  HADAL_WGMMA_PROBES_OF_N(X, type, 160) HADAL_WGMMA_PROBES_OF_N(X, type, 192)                \
  HADAL_WGMMA_PROBES_OF_N(X, type, 256)                                                      \
  X(wgmma_##type##_rs_n8, type, 8, true, kK, kK)                                             \
  X(wgmma_##type##_rs_n64, type, 64, true, kK, kK)                                           \
  X(wgmma_##type##_rs_n256, type, 256, true, kK, kK)
#define HADAL_WGMMA_PROBES(X)                                                                \
  HADAL_WGMMA_PROBES_OF_TYPE(X, e4m3)                                                        \
  HADAL_WGMMA_PROBES_OF_TYPE(X, bf16)                                                        \
  X(wgmma_bf16_ma_n64, bf16, 64, false, kMN, kK)                                             \
  X(wgmma_bf16_mb_n64, bf16, 64, false, kK, kMN)                                             \
  X(wgmma_bf16_mb_n256, bf16, 256, false, kK, kMN)                                           \
  X(wgmma_bf16_mab_n16, bf16, 16, false, kMN, kMN)                                           \
  X(wgmma_bf16_mab_n128, bf16, 128, false, kMN, kMN)                                         \
  X(wgmma_bf16_rs_mb_n64, bf16, 64, true, kK, kMN)

// Where each element of an operand is taken from: its tile holds ones and zeros, one bit of every
// element's number at a time, and the other operand is the identity, so that D shows the number.
struct PlacesParams {
  uint16_t* out;        // [steps, 128 threads, N / 2]: the element's number in the tile's memory
  ProbeTile tile;
  uint32_t bits;        // the tile's memory has 2^bits elements
  int32_t steps;
};

// X(name, type, operand, MN-major); N is K for A, 64 for B
#define HADAL_PLACES_PROBES(X)                                                               \
  X(places_a_e4m3, e4m3, kA, kK) X(places_b_e4m3, e4m3, kB, kK)                              \
  X(places_a_bf16, bf16, kA, kK) X(places_b_bf16, bf16, kB, kK)                              \
  X(places_a_bf16_mn, bf16, kA, kMN) X(places_b_bf16_mn, bf16, kB, kMN)

struct ProbeParams {
  const void* in;
  void* out;
  int32_t count;
};

// Copies of tiles: shared memory holds 0xee where nothing is copied, or each 16-bit word's number.
struct TmaProbeParams {
  TensorMap map;
  void* out;            // load: [cluster, box_bytes + 256]; a store goes where the map points to
  int32_t rank, x, y, z;
  uint32_t box_bytes;
  uint32_t first_word;  // of a store
};
struct BulkProbeParams {
  const void* in;       // [bytes]
  void* out;            // [2, bytes]: as it came, and from shared memory's second half of it on
  uint32_t bytes;
};
constexpr uint32_t kTmaProbeBytes = 68 * 1024;  // shared memory of these probes

// X(name, tiles, transposed)
#define HADAL_MATRIX_PROBES(X)                                                               \
  X(load_matrix_x1, load_matrix, 1, false) X(load_matrix_x1_t, load_matrix, 1, true)         \
  X(load_matrix_x2, load_matrix, 2, false) X(load_matrix_x2_t, load_matrix, 2, true)         \
  X(load_matrix_x4, load_matrix, 4, false) X(load_matrix_x4_t, load_matrix, 4, true)         \
  X(store_matrix_x1, store_matrix, 1, false) X(store_matrix_x1_t, store_matrix, 1, true)     \
  X(store_matrix_x2, store_matrix, 2, false) X(store_matrix_x2_t, store_matrix, 2, true)     \
  X(store_matrix_x4, store_matrix, 4, false) X(store_matrix_x4_t, store_matrix, 4, true)

#define HADAL_PROBE(name, Params, threads) \
  inline constexpr Kernel name{"conformance_" #name, sizeof(Params), threads};

namespace probes {
#define HADAL_WGMMA_PROBE(name, type, n, registers, a, b) HADAL_PROBE(name, WgmmaProbeParams, 128)
HADAL_WGMMA_PROBES(HADAL_WGMMA_PROBE)
#undef HADAL_WGMMA_PROBE
#define HADAL_PLACES_PROBE(name, type, operand, major) HADAL_PROBE(name, PlacesParams, 128)
HADAL_PLACES_PROBES(HADAL_PLACES_PROBE)
#undef HADAL_PLACES_PROBE
#define HADAL_MATRIX_PROBE(name, way, tiles, transposed) HADAL_PROBE(name, ProbeParams, 32)
HADAL_MATRIX_PROBES(HADAL_MATRIX_PROBE)
#undef HADAL_MATRIX_PROBE
HADAL_PROBE(wgmma_groups, WgmmaProbeParams, 256)  // two warpgroups, two groups each: [256, 8]
HADAL_PROBE(mma_bf16, ProbeParams, 32)        // in [32, 6] registers and 4 floats, out [32, 4]
HADAL_PROBE(mma_e4m3, ProbeParams, 32)
HADAL_PROBE(bf16_to_float, ProbeParams, 256)  // out [65536] F32
HADAL_PROBE(e4m3_to_float, ProbeParams, 256)  // out [256] F32
HADAL_PROBE(float_to_bf16, ProbeParams, 256)  // in [count] F32, out [count] BF16
HADAL_PROBE(float_to_e4m3, ProbeParams, 256)  // in [count] F32, out [count] E4M3
HADAL_PROBE(warp_words, ProbeParams, 32)      // in [count, 32], out [count, kWarpWords, 32] words
HADAL_PROBE(tma_load, TmaProbeParams, 128)
HADAL_PROBE(tma_multicast, TmaProbeParams, 128)  // a cluster of two, each loads half for both
HADAL_PROBE(tma_store, TmaProbeParams, 128)
HADAL_PROBE(tma_add, TmaProbeParams, 128)
HADAL_PROBE(bulk_copy, BulkProbeParams, 128)
HADAL_PROBE(barrier_trace, ProbeParams, 32)         // in [16] bytes, out [kBarrierSteps] bytes
HADAL_PROBE(store_async, ProbeParams, 32)           // a cluster of two; out [2, 32, 16] bytes
HADAL_PROBE(fast_math, ProbeParams, 256)      // in [count], out [4, count] F32: exp, log, 1/x, 1/√x
}  // namespace probes

constexpr int kWarpWords = 14;
constexpr int kBarrierSteps = 16;

}  // namespace hadal::cuda
