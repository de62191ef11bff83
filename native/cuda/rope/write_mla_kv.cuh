// Device body of write_mla_kv: see write_mla_kv.h. A warp a token: 1152 bytes in, as many or 656 out.
#pragma once

#include "cuda/device/angle.cuh"
#include "cuda/device/dependent.cuh"
#include "cuda/quantize/group.cuh"
#include "cuda/rope/rope.cuh"
#include "cuda/rope/write_mla_kv.h"

namespace hadal::device {

// Two pairs of the rotary key, which lie in two words of BF16: neighbours hold a pair in each word, halves the first
// and the second values of both pairs.
struct RotaryPairs {
  float values[4], frequency[2];

  HADAL_DEVICE static bool halves(const cuda::WriteMlaKvParams& p) { return p.style == cuda::RopeStyle::kHalves; }
  HADAL_DEVICE static int first(const cuda::WriteMlaKvParams& p, int i) { return halves(p) ? 2 * i : 4 * i; }
  HADAL_DEVICE static int second(const cuda::WriteMlaKvParams& p, int i) {
    return halves(p) ? 2 * i + p.rotary_width / 2 : 4 * i + 2;
  }
  template <typename T>
  HADAL_DEVICE void load(const cuda::WriteMlaKvParams& p, const T* rotary, int i) {
    float low[2], high[2];
    unpack_words<T>(load_words_once<kWordsOf<T, 2>>(rotary + first(p, i)), low);
    unpack_words<T>(load_words_once<kWordsOf<T, 2>>(rotary + second(p, i)), high);
    const bool halved = halves(p);
    values[0] = low[0];
    values[1] = halved ? high[0] : low[1];
    values[2] = halved ? low[1] : high[0];
    values[3] = high[1];
    frequency[0] = p.inv_freq[2 * i];
    frequency[1] = p.inv_freq[2 * i + 1];
  }
  HADAL_DEVICE void write(const cuda::WriteMlaKvParams& p, int position, bf16* out, int i) {
    HADAL_UNROLL
    for (int pair = 0; pair < 2; ++pair) {
      const SineCosine angle = sine_cosine(position, frequency[pair]);
      rotate(values[2 * pair], values[2 * pair + 1], angle.sine * p.factor, angle.cosine * p.factor);
    }
    const bool halved = halves(p);
    store_words(out + first(p, i), Words<1>{{pack_bf16(values[0], halved ? values[2] : values[1])}});
    store_words(out + second(p, i), Words<1>{{pack_bf16(halved ? values[1] : values[2], values[3])}});
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
  const int fours = p.rotary_width / 4;
  RotaryPairs pairs{};
  if (lane_index() < fours) pairs.load(p, rotary, lane_index());  // all there is at R 64: no trip more
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
  for (int i = lane_index(); i < fours; i += kWarp) {
    if (i >= kWarp) pairs.load(p, rotary, i);
    pairs.write(p, position, reinterpret_cast<bf16*>(row), i);
  }
}

}  // namespace hadal::device
