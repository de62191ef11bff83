// Probes of wgmma: see conformance.h.
#pragma once

#include "cuda/conformance/conformance.h"
#include "cuda/device/barrier.cuh"
#include "cuda/device/memory.cuh"
#include "cuda/device/warp.cuh"
#include "cuda/device/wgmma.cuh"

namespace hadal::device {

struct ProbeShared {
  alignas(1024) uint8_t bytes[cuda::kProbeBytes];
};

HADAL_DEVICE uint64_t probe_descriptor(const ProbeShared& memory, const cuda::ProbeTile& tile,
                                       int step) {
  const uint64_t descriptor = matrix_descriptor(shared_address(memory.bytes) + tile.offset,
                                                static_cast<Swizzle>(tile.swizzle), tile.leading,
                                                tile.stride, tile.base_offset);
  return advance_descriptor(descriptor, tile.step[step]);
}

HADAL_DEVICE void copy_image(ProbeShared& memory, const void* image, uint32_t bytes) {
  const auto* from = static_cast<const uint8_t*>(image);
  for (uint32_t i = threadIdx.x * 16; i < bytes; i += blockDim.x * 16)
    store16(memory.bytes + i, load16(from + i));
  fence_proxy_async();
  sync_block();
}

// What D holds at first: seen in the result where it should be added to.
template <int floats>
HADAL_DEVICE void set_accumulators(float (&d)[floats]) {
  HADAL_UNROLL
  for (int i = 0; i < floats; ++i)
    d[i] = static_cast<float>((static_cast<int>(threadIdx.x) + 3 * i) & 7);
}

template <bool is_e4m3, bool registers, Major a_major, Major b_major, int floats>
HADAL_DEVICE void probe_product(float (&d)[floats], const uint32_t (&a_registers)[4], uint64_t a,
                                uint64_t b, bool add) {
  if constexpr (is_e4m3 && registers) wgmma_e4m3(d, a_registers, b, add);
  if constexpr (is_e4m3 && !registers) wgmma_e4m3(d, a, b, add);
  if constexpr (!is_e4m3 && registers) wgmma_bf16<b_major>(d, a_registers, b, add);
  if constexpr (!is_e4m3 && !registers) wgmma_bf16<a_major, b_major>(d, a, b, add);
}

template <bool is_e4m3, int n, bool registers, Major a_major, Major b_major>
HADAL_DEVICE void wgmma_probe(const cuda::WgmmaProbeParams& p) {
  constexpr int kSteps = 4;
  auto& memory = shared<ProbeShared>();
  copy_image(memory, p.image, p.image_bytes);
  const auto thread = static_cast<int>(threadIdx.x);
  uint32_t a[kSteps][4] = {};
  HADAL_UNROLL
  for (int step = 0; registers && step < kSteps; ++step) {
    HADAL_UNROLL
    for (int r = 0; r < 4; ++r) {
      const int row = thread / 32 * 16 + thread % 32 / 4 + r % 2 * 8;
      const int byte = step * 32 + thread % 4 * 4 + r / 2 * 16;
      a[step][r] = *reinterpret_cast<const uint32_t*>(memory.bytes + p.a.offset + row * 128 + byte);
    }
  }
  float d[n / 2];
  set_accumulators(d);
  wgmma_fence(d);
  HADAL_UNROLL
  for (int step = 0; step < kSteps; ++step) {
    probe_product<is_e4m3, registers, a_major, b_major>(
        d, a[step], probe_descriptor(memory, p.a, step), probe_descriptor(memory, p.b, step),
        step != 0 || p.add != 0);
  }
  wgmma_commit();
  wgmma_wait<0>(d);
  HADAL_UNROLL
  for (int i = 0; i < n / 2; ++i) p.out[thread * (n / 2) + i] = d[i];
}

// Two warpgroups with a share of B's columns each, two arrays of accumulators in flight, waited for
// one by one.
HADAL_DEVICE void wgmma_groups_probe(const cuda::WgmmaProbeParams& p) {
  auto& memory = shared<ProbeShared>();
  copy_image(memory, p.image, p.image_bytes);
  const auto thread = static_cast<int>(threadIdx.x);
  cuda::ProbeTile b = p.b;
  b.offset += static_cast<uint32_t>(thread) / 128 * 8 * 128;
  float first[4], second[4];
  set_accumulators(first);
  set_accumulators(second);
  wgmma_fence(first, second);
  wgmma_e4m3(first, probe_descriptor(memory, p.a, 0), probe_descriptor(memory, b, 0), false);
  wgmma_e4m3(first, probe_descriptor(memory, p.a, 1), probe_descriptor(memory, b, 1), true);
  wgmma_commit();
  wgmma_e4m3(second, probe_descriptor(memory, p.a, 2), probe_descriptor(memory, b, 2), true);
  wgmma_commit();
  wgmma_wait<1>(first);
  HADAL_UNROLL
  for (int i = 0; i < 4; ++i) p.out[thread * 8 + i] = first[i];
  wgmma_wait<0>(second);
  HADAL_UNROLL
  for (int i = 0; i < 4; ++i) p.out[thread * 8 + 4 + i] = second[i];
}

enum class ProbeOperand { kA, kB };

template <bool is_e4m3>
HADAL_DEVICE void set_element(uint8_t* tile, int element, bool one) {
  if constexpr (is_e4m3) {
    tile[element] = one ? 0x38 : 0;
  } else {
    reinterpret_cast<uint16_t*>(tile)[element] = one ? 0x3f80 : 0;
  }
}

// The identity as B: K rows of K, not swizzled, behind the tile under test.
template <bool is_e4m3>
HADAL_DEVICE void set_identity(uint8_t* tile) {
  constexpr int kK = is_e4m3 ? 32 : 16, kPiece = is_e4m3 ? 16 : 8;  // elements of 16 bytes
  for (int i = static_cast<int>(threadIdx.x); i < kK * kK; i += 128) {
    const int row = i / kK, k = i % kK;
    const int element = (row / 8 * 16 + k / kPiece * 8 + row % 8) * kPiece + k % kPiece;
    set_element<is_e4m3>(tile, element, row == k);
  }
}
// The identity as A in registers.
template <bool is_e4m3>
HADAL_DEVICE void set_identity(uint32_t (&a)[4]) {
  constexpr int kBytes = is_e4m3 ? 1 : 2;
  const auto thread = static_cast<int>(threadIdx.x);
  HADAL_UNROLL
  for (int r = 0; r < 4; ++r) {
    const int row = thread / 32 * 16 + thread % 32 / 4 + r % 2 * 8;
    const int into = row * kBytes - (thread % 4 * 4 + r / 2 * 16);  // the byte of K that is one
    a[r] = into >= 0 && into < 4 ? (is_e4m3 ? 0x38u : 0x3f80u) << 8 * into : 0u;
  }
}

template <bool is_e4m3, ProbeOperand operand, Major major>
HADAL_DEVICE void places_probe(const cuda::PlacesParams& p) {
  constexpr int kK = is_e4m3 ? 32 : 16;
  constexpr int kN = operand == ProbeOperand::kA ? kK : 64;
  constexpr Major kOf = Major::kK;
  auto& memory = shared<ProbeShared>();
  uint8_t* tile = memory.bytes + p.tile.offset;
  const cuda::ProbeTile identity{cuda::kProbeBytes - 2048, 0, 128, 256, 0, {}};
  uint32_t a[4];
  set_identity<is_e4m3>(a);
  set_identity<is_e4m3>(memory.bytes + identity.offset);
  const auto thread = static_cast<int>(threadIdx.x);
  for (int step = 0; step < p.steps; ++step) {
    uint32_t places[kN / 2] = {};
    for (uint32_t bit = 0; bit < p.bits; ++bit) {
      for (int i = thread; i < 1 << p.bits; i += 128) set_element<is_e4m3>(tile, i, i >> bit & 1);
      fence_proxy_async();
      sync_block();
      float d[kN / 2];
      wgmma_fence();
      const uint64_t of_tile = probe_descriptor(memory, p.tile, step);
      if constexpr (operand == ProbeOperand::kA) {
        probe_product<is_e4m3, false, major, kOf>(d, a, of_tile,
                                                  probe_descriptor(memory, identity, 0), false);
      } else {
        probe_product<is_e4m3, true, kOf, major>(d, a, 0, of_tile, false);
      }
      wgmma_commit();
      wgmma_wait<0>(d);
      HADAL_UNROLL
      for (int i = 0; i < kN / 2; ++i) places[i] |= (d[i] != 0 ? 1u : 0u) << bit;
      sync_block();
    }
    HADAL_UNROLL
    for (int i = 0; i < kN / 2; ++i)
      p.out[(step * 128 + thread) * (kN / 2) + i] = static_cast<uint16_t>(places[i]);
  }
}

}  // namespace hadal::device
