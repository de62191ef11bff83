// What both kernels of sample share: a row's options, where its logits are read, and weights as integers.
#pragma once

#include "cuda/device/atomic.cuh"
#include "cuda/device/dependent.cuh"
#include "cuda/device/math.cuh"
#include "cuda/device/memory.cuh"
#include "cuda/device/order.cuh"
#include "cuda/device/warp.cuh"
#include "cuda/sampling/sample.h"

namespace hadal::device {

constexpr int kSampleTiles = cuda::kSampleSlice / cuda::kSampleTile;  // of a slice
constexpr int kTileValues = cuda::kSampleTile / kWarp;                // a lane's

struct SampleOptions {
  float temperature, top_p, min_p, repetition, presence, frequency;
  float slope;  // of log2 of a weight: log2 e / temperature
  int top_k, wanted;
  int bias_begin, bias_end, history_begin, history_end;  // an empty history where nothing is penalised
  bool valid, masked, edited;
};

HADAL_DEVICE bool is_finite(float x) { return abs_of(x) < infinity(); }

HADAL_DEVICE bool list_range(const int32_t* offsets, int count, int row, int& begin, int& end) {
  begin = end = 0;
  if (offsets == nullptr) return true;
  begin = offsets[row];
  end = offsets[row + 1];
  return begin >= 0 && begin <= end && end <= count;
}

HADAL_DEVICE SampleOptions sample_options(const cuda::SampleParams& p, int row) {
  const float* v = p.params + static_cast<int64_t>(row) * 8;
  SampleOptions o;
  o.temperature = v[0];
  o.top_p = v[1];
  o.min_p = v[3];
  o.repetition = v[4];
  o.presence = v[5];
  o.frequency = v[6];
  o.valid = v[0] >= 0 && is_finite(v[0]) && v[1] > 0 && v[1] <= 1 && v[2] >= 0 && v[2] < 0x1p24f && v[3] >= 0 &&
            v[3] <= 1 && v[4] > 0 && is_finite(v[4]) && is_finite(v[5]) && is_finite(v[6]) && v[7] >= 0 &&
            v[7] <= cuda::kSampleTop;
  o.top_k = o.valid ? static_cast<int>(v[2]) : 0;
  o.wanted = o.valid ? static_cast<int>(v[7]) : 0;
  o.valid &= list_range(p.bias_offsets, p.bias_count, row, o.bias_begin, o.bias_end);
  o.valid &= list_range(p.history_offsets, p.history_count, row, o.history_begin, o.history_end);
  if (o.repetition == 1 && o.presence == 0 && o.frequency == 0) o.history_end = o.history_begin;
  o.masked = p.masks != nullptr && p.masked[row] != 0;
  o.edited = o.valid && (o.masked || o.bias_begin < o.bias_end || o.history_begin < o.history_end);
  const float slope = 0x1.715476p0f / o.temperature;
  o.slope = slope < 0x1p127f ? slope : 0x1p127f;  // a temperature near 0: any difference is all of it
  return o;
}

// Four neighbouring logits, `at` a multiple of four; NaN past the vocabulary.
template <typename T>
HADAL_DEVICE void load_four(const T* row, int at, const cuda::SampleParams& p, float (&values)[4]) {
  if (p.by_vector && at + 4 <= p.vocabulary) {
    if constexpr (sizeof(T) == 4) {
      unpack<float>(load16(row + at), values);
    } else {
      const Vec8 two = load8(row + at);
      HADAL_UNROLL
      for (int i = 0; i < 4; ++i)
        values[i] = bits_to_float(i % 2 == 0 ? two.word[i / 2] << 16 : two.word[i / 2] & 0xffff0000u);
    }
    return;
  }
  HADAL_UNROLL
  for (int i = 0; i < 4; ++i)
    values[i] = at + i < p.vocabulary ? to_float(row[at + i]) : bits_to_float(0x7fc00000u);
}

// Id of a lane's value i in a tile: four neighbours at a time, so ids ascend with i.
HADAL_DEVICE int tile_id(int tile, int i) {
  return tile * cuda::kSampleTile + i / 4 * 4 * kWarp + lane_index() * 4 + i % 4;
}

// A row's logits: as they came, or edited, which are whole slices of F32.
template <typename T>
struct RowView {
  const T* raw;
  const float* edited;  // or null
};

template <typename T>
HADAL_DEVICE const T* raw_row(const cuda::SampleParams& p, int row) {
  return static_cast<const T*>(p.logits) + row * p.logits_stride;
}

template <typename T>
HADAL_DEVICE void load_four(const RowView<T>& view, int at, const cuda::SampleParams& p, float (&values)[4]) {
  if (view.edited != nullptr) unpack<float>(load16(view.edited + at), values);
  else load_four(view.raw, at, p, values);
}

template <typename T>
HADAL_DEVICE void load_tile(const RowView<T>& view, int tile, const cuda::SampleParams& p,
                            float (&values)[kTileValues]) {
  HADAL_UNROLL
  for (int v = 0; v < kTileValues / 4; ++v) {
    float four[4];
    load_four(view, tile_id(tile, 4 * v), p, four);
    HADAL_UNROLL
    for (int i = 0; i < 4; ++i) values[4 * v + i] = four[i];
  }
}

// 0 for NaN, which comes before nothing.
HADAL_DEVICE uint32_t key_of(float x) { return x == x ? order_key(x) : 0; }

// 2^((x − top) · slope) in units of 2^-44, rounded down; 0 for NaN and −∞. x ≤ top, which is finite.
HADAL_DEVICE uint64_t weight_of(float x, float top, float slope) {
  const float weight = exp2_fast((x - top) * slope);
  const uint32_t bits = float_to_bits(weight), below = 127 - (bits >> 23);
  const uint64_t mantissa = static_cast<uint64_t>((bits & 0x7fffffu) | 0x800000u) << (44 - 23);
  return weight > 0 ? mantissa >> (below < 63 ? below : 63) : 0;
}

}  // namespace hadal::device
