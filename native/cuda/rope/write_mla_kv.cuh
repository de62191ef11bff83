// Device body of write_mla_kv: see write_mla_kv.h. A warp a token: 1152 bytes in, as many or 656 out.
#pragma once

#include "cuda/device/angle.cuh"
#include "cuda/device/dependent.cuh"
#include "cuda/quantize/group.cuh"
#include "cuda/rope/write_mla_kv.h"

namespace hadal::device {

struct RotaryPair {
  float a, b, frequency;

  // Where pair i lies, as the style pairs it.
  HADAL_DEVICE static int first(const cuda::WriteMlaKvParams& p, int i) {
    return p.style == cuda::RopeStyle::kHalves ? i : 2 * i;
  }
  HADAL_DEVICE static int second(const cuda::WriteMlaKvParams& p, int i) {
    return p.style == cuda::RopeStyle::kHalves ? i + p.rotary_width / 2 : 2 * i + 1;
  }
  template <typename T>
  HADAL_DEVICE void load(const cuda::WriteMlaKvParams& p, const T* rotary, int i) {
    a = to_float(rotary[first(p, i)]);
    b = to_float(rotary[second(p, i)]);
    frequency = p.inv_freq[i];
  }
  HADAL_DEVICE void write(const cuda::WriteMlaKvParams& p, int position, bf16* out, int i) const {
    const SineCosine angle = sine_cosine(position, frequency);
    const float sine = angle.sine * p.factor, cosine = angle.cosine * p.factor;
    const uint32_t pair = pack_bf16(a * cosine - b * sine, a * sine + b * cosine);
    out[first(p, i)].bits = static_cast<uint16_t>(pair);
    out[second(p, i)].bits = static_cast<uint16_t>(pair >> 16);
  }
};

template <typename T, int kVecs>
HADAL_DEVICE void write_latent_fp8(const cuda::WriteMlaKvParams& p, const Words<4> (&raw)[kVecs], uint8_t* row) {
  constexpr int kPer = kPerVec<T>, kLanes = cuda::kScaleGroup / kPer;
  float values[kVecs][kPer];
  uint32_t most[kVecs];
  HADAL_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    unpack_words<T>(raw[v], values[v]);
    most[v] = largest_magnitude(values[v]);
  }
  group_largest<kLanes>(most);
  const GroupScales<kLanes, kVecs> scales(most, p.scale_kind);
  HADAL_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    const float inverse = scales.inverse(v);
    const int column = (v * kWarp + lane_index()) * kPer;
    if (column < p.latent_width) store_words(row + column, group_codes(values[v], inverse));
  }
  // Lane i of a group has the scale of vector i: of the group that begins at that vector.
  const int group = (scales.index() * kWarp + lane_index() / kLanes * kLanes) * kPer / cuda::kScaleGroup;
  if (scales.lane() < kVecs && group * cuda::kScaleGroup < p.latent_width)
    reinterpret_cast<float*>(row + p.latent_width)[group] = scales.mine.scale;
}

template <typename T, bool kFp8>
HADAL_DEVICE void write_mla_kv(const cuda::WriteMlaKvParams& p) {
  constexpr int kPer = kPerVec<T>, kVecs = cuda::kMlaMaxLatent / (kWarp * kPer);
  const int64_t token = static_cast<int64_t>(blockIdx.x) * (blockDim.x / kWarp) + warp_index();
  if (token >= p.tokens) return;
  const T* latent = static_cast<const T*>(p.latent) + token * p.latent_stride;
  const T* rotary = static_cast<const T*>(p.rotary) + token * p.rotary_stride;
  wait_for_previous_kernel();
  Words<4> raw[kVecs];
  HADAL_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    const int column = (v * kWarp + lane_index()) * kPer;
    raw[v] = {};
    if (column < p.latent_width) raw[v] = load_words_once<4>(latent + column);
  }
  const int pairs = p.rotary_width / 2;
  RotaryPair pair{};
  if (lane_index() < pairs) pair.load(p, rotary, lane_index());  // all there is at R 64: no trip more
  const int64_t slot = p.slots[token];
  const int position = p.positions[token];
  let_next_kernel_start();
  if (slot < 0 || slot >= p.cache_rows) return;
  uint8_t* row = p.cache + slot * p.cache_row_bytes;
  if constexpr (kFp8) {
    write_latent_fp8<T, kVecs>(p, raw, row);
    row += p.latent_width + 4 * (p.latent_width / cuda::kScaleGroup);
  } else {
    HADAL_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      const int column = (v * kWarp + lane_index()) * kPer;
      float values[kPer];
      unpack_words<T>(raw[v], values);
      if (column < p.latent_width) store_words(reinterpret_cast<bf16*>(row) + column, pack_words<bf16>(values));
    }
    row += 2 * static_cast<int64_t>(p.latent_width);
  }
  for (int i = lane_index(); i < pairs; i += kWarp) {
    if (i >= kWarp) pair.load(p, rotary, i);
    pair.write(p, position, reinterpret_cast<bf16*>(row), i);
  }
}

}  // namespace hadal::device
