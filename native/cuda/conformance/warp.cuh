// Probes of what one warp does (tiles and products, shuffles, votes) and of conversions: see
// conformance.h.
#pragma once

#include "cuda/conformance/conformance.h"
#include "cuda/device/math.cuh"
#include "cuda/device/matrix.cuh"
#include "cuda/device/types.cuh"
#include "cuda/device/warp.cuh"

namespace hadal::device {

struct MatrixProbeShared {
  alignas(16) uint16_t values[32][8];
};

// Rows are given in an order of their own, so that lane and place are told apart.
HADAL_DEVICE int probe_row() {
  return (lane_index() * 5 + 3) % 32;
}

template <int tiles, bool transposed>
HADAL_DEVICE void load_matrix_probe(const cuda::ProbeParams& p) {
  auto& memory = shared<MatrixProbeShared>();
  for (int i = 0; i < 8; ++i)
    memory.values[lane_index()][i] = static_cast<uint16_t>(lane_index() * 8 + i);
  sync_warp();
  uint32_t r[tiles];
  load_matrix<tiles, transposed>(r, memory.values[probe_row()]);
  for (int tile = 0; tile < tiles; ++tile)
    static_cast<uint32_t*>(p.out)[lane_index() * tiles + tile] = r[tile];
}

template <int tiles, bool transposed>
HADAL_DEVICE void store_matrix_probe(const cuda::ProbeParams& p) {
  auto& memory = shared<MatrixProbeShared>();
  for (int i = 0; i < 8; ++i) memory.values[lane_index()][i] = 0xffff;
  sync_warp();
  uint32_t r[tiles];
  for (int tile = 0; tile < tiles; ++tile) {
    const auto value = static_cast<uint32_t>((tile * 32 + lane_index()) * 2);
    r[tile] = value | (value + 1) << 16;
  }
  store_matrix<tiles, transposed>(memory.values[probe_row()], r);
  sync_warp();
  for (int i = 0; i < 8; ++i)
    static_cast<uint16_t*>(p.out)[lane_index() * 8 + i] = memory.values[lane_index()][i];
}

template <bool is_e4m3>
HADAL_DEVICE void mma_probe(const cuda::ProbeParams& p) {
  const auto* in = static_cast<const uint32_t*>(p.in) + lane_index() * 10;
  uint32_t a[4], b[2];
  float d[4];
  for (int i = 0; i < 4; ++i) {
    a[i] = in[i];
    d[i] = bits_to_float(in[6 + i]);
  }
  for (int i = 0; i < 2; ++i) b[i] = in[4 + i];
  is_e4m3 ? mma_e4m3(d, a, b) : mma_bf16(d, a, b);
  for (int i = 0; i < 4; ++i) static_cast<float*>(p.out)[lane_index() * 4 + i] = d[i];
}

HADAL_DEVICE int probe_index() {
  return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
}

HADAL_DEVICE void bf16_to_float_probe(const cuda::ProbeParams& p) {
  const int i = probe_index();
  if (i < p.count)
    static_cast<uint32_t*>(p.out)[i] = float_to_bits(to_float(bf16{static_cast<uint16_t>(i)}));
}
HADAL_DEVICE void e4m3_to_float_probe(const cuda::ProbeParams& p) {
  const int i = probe_index();
  if (i < p.count)
    static_cast<uint32_t*>(p.out)[i] = float_to_bits(to_float(e4m3{static_cast<uint8_t>(i)}));
}
HADAL_DEVICE void float_to_bf16_probe(const cuda::ProbeParams& p) {
  const int i = probe_index();
  if (i < p.count) static_cast<bf16*>(p.out)[i] = to_bf16(static_cast<const float*>(p.in)[i]);
}
HADAL_DEVICE void float_to_e4m3_probe(const cuda::ProbeParams& p) {
  const int i = probe_index();
  if (i < p.count) static_cast<e4m3*>(p.out)[i] = to_e4m3(static_cast<const float*>(p.in)[i]);
}

HADAL_DEVICE void warp_words_probe(const cuda::ProbeParams& p) {
  for (int row = 0; row < p.count; ++row) {
    const int lane = lane_index();
    const uint32_t x = static_cast<const uint32_t*>(p.in)[row * kWarp + lane];
    const auto small = static_cast<float>(x % 1024);
    const auto votes = ballot((x & 1) != 0);
    const uint32_t words[cuda::kWarpWords] = {
        shuffle(x, static_cast<int>(x >> 8)), shuffle_xor(x, 5), shuffle_up(x, 3),
        shuffle_down(x, 9), votes, reduce_max(x), reduce_min(x),
        static_cast<uint32_t>(reduce_add(static_cast<int>(x))), float_to_bits(warp_sum(small)),
        float_to_bits(warp_max<8>(small)), static_cast<uint32_t>(count_bits(x)),
        static_cast<uint32_t>(first_bit(x)),
        // The first of the largest: how ties are decided where a lane's index is a position.
        static_cast<uint32_t>(first_bit(ballot(x % 16 == reduce_max(x % 16)))),
        float_to_bits(fused_multiply_add(small, 1.0f + 0x1p-23f, -small))};
    for (int i = 0; i < cuda::kWarpWords; ++i)
      static_cast<uint32_t*>(p.out)[(row * cuda::kWarpWords + i) * kWarp + lane] = words[i];
  }
}

HADAL_DEVICE void fast_math_probe(const cuda::ProbeParams& p) {
  const int i = probe_index();
  if (i >= p.count) return;
  const float x = static_cast<const float*>(p.in)[i];
  float* out = static_cast<float*>(p.out);
  out[i] = exp_fast(x);
  out[p.count + i] = log_fast(x);
  out[2 * p.count + i] = reciprocal_fast(x);
  out[3 * p.count + i] = rsqrt_fast(x);
}

}  // namespace hadal::device
