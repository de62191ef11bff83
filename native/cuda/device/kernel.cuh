// How a kernel is declared, and the words of CUDA that a body may use besides C++: threadIdx, blockIdx,
// blockDim, gridDim, and the wrappers beside this file. One source serves nvcc, where the wrappers are PTX,
// and g++, where they call the emulator (native/simt). Inline PTX is allowed in this folder only.
#pragma once

#include <cstdint>

#ifdef __CUDACC__

#define HADAL_DEVICE __device__ __forceinline__
// A kernel with one plain struct as its parameter `p`. `blocks`: as many as should fit on one SM at a time.
#define HADAL_KERNEL(name, Params, threads, blocks)                     \
  extern "C" __global__ void __launch_bounds__(threads, blocks)         \
      hadal_##name(const __grid_constant__ Params p)
#define HADAL_UNROLL _Pragma("unroll")
#define HADAL_UNROLL_BY(count) HADAL_PRAGMA(unroll count)
#define HADAL_PRAGMA(text) _Pragma(#text)

#else

#include "simt/simt.h"

#define HADAL_DEVICE inline
#define HADAL_KERNEL(name, Params, threads, blocks)                                         \
  static void hadal_##name##_body(const Params& p);                                         \
  static const ::hadal::simt::Registered hadal_##name##_registered(                         \
      "hadal_" #name, sizeof(Params), threads,                                              \
      [](const void* params) { hadal_##name##_body(*static_cast<const Params*>(params)); }); \
  static void hadal_##name##_body(const Params& p)
#define HADAL_UNROLL
#define HADAL_UNROLL_BY(count)
#define threadIdx (::hadal::simt::thread_index())
#define blockIdx (::hadal::simt::block_index())
#define blockDim (::hadal::simt::block_extent())
#define gridDim (::hadal::simt::grid_extent())

#endif

namespace hadal::device {

constexpr int kWarp = 32;

// The block's shared memory as one plain struct: all of it is dynamic, so its size is the launch's
// shared_bytes, sizeof(T). Uninitialised.
template <typename T>
HADAL_DEVICE T& shared() {
#ifdef __CUDACC__
  extern __shared__ __align__(1024) uint8_t hadal_shared[];
  return *reinterpret_cast<T*>(hadal_shared);
#else
  return *reinterpret_cast<T*>(simt::shared_memory(sizeof(T)));
#endif
}

// Where in the block's shared memory: what descriptors, barriers and copies take.
HADAL_DEVICE uint32_t shared_address(const void* pointer) {
#ifdef __CUDACC__
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
#else
  return simt::shared_offset(pointer);
#endif
}

HADAL_DEVICE int warp_index() { return static_cast<int>(threadIdx.x) / kWarp; }
HADAL_DEVICE int lane_index() { return static_cast<int>(threadIdx.x) % kWarp; }

}  // namespace hadal::device
