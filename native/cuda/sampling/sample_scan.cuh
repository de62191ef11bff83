// The first kernel of sample: see sample.h. A block reads a slice of 4096 logits into registers, a warp a tile of 512,
// applies what the row asks for, and leaves sums and bests.
#pragma once

#include "cuda/sampling/sample_row.cuh"

namespace hadal::device {

constexpr int kScanWarps = static_cast<int>(cuda::kSampleScanThreads) / kWarp;
static_assert(kScanWarps == kSampleTiles);

struct ScanShared {
  alignas(16) float z[cuda::kSampleSlice];  // of edited rows alone, and
  int counts[cuda::kSampleSlice];           // how often the bias or the history names each id
  uint64_t weight[kScanWarps];
  float raw_top[kScanWarps], raw_sum[kScanWarps], low[kScanWarps];
  uint32_t best_key[kScanWarps];
  int best[kScanWarps], problem[kScanWarps];
};
static_assert(sizeof(ScanShared) <= cuda::kSampleScanShared);

// Calls each(place in the list, place in the slice) for the list's ids in this slice; whether one is no id at all.
template <typename Each>
HADAL_DEVICE bool for_listed(const int32_t* ids, int begin, int end, int vocabulary, int first, Each each) {
  bool outside = false;
  for (int i = begin + static_cast<int>(threadIdx.x); i < end; i += static_cast<int>(cuda::kSampleScanThreads)) {
    const int id = ids[i];
    outside |= id < 0 || id >= vocabulary;
    if (id >= first && id - first < cuda::kSampleSlice && id < vocabulary) each(i, id - first);
  }
  return outside;
}

// Repeated ids add up in the order of the list: floats do not commute.
HADAL_DEVICE bool add_bias(const cuda::SampleParams& p, const SampleOptions& o, int first, ScanShared& s) {
  const int begin = o.bias_begin, end = o.bias_end;
  const bool outside = for_listed(p.bias_ids, begin, end, p.vocabulary, first,
                                  [&](int, int place) { atomic_add(&s.counts[place], 1); });
  sync_block();
  for_listed(p.bias_ids, begin, end, p.vocabulary, first, [&](int i, int place) {
    if (s.counts[place] == 1) {
      s.z[place] += p.bias_values[i];
      return;
    }
    for (int j = begin; j < i; ++j)
      if (p.bias_ids[j] == first + place) return;  // its first place does it
    float sum = s.z[place];
    for (int j = i; j < end; ++j)
      if (p.bias_ids[j] == first + place) sum += p.bias_values[j];
    s.z[place] = sum;
  });
  sync_block();
  for_listed(p.bias_ids, begin, end, p.vocabulary, first,
             [&](int, int place) { atomic_add(&s.counts[place], -1); });
  sync_block();
  return outside;
}

// As the CPU rounds: the penalty of repetition to F32, then the sum of the others. Doubles, for the
// history's ids alone.
HADAL_DEVICE float penalised(const SampleOptions& o, float value, int count) {
  const float v = value > 0 ? value / o.repetition : value * o.repetition;
  return static_cast<float>(static_cast<double>(v) - static_cast<double>(o.presence) -
                            static_cast<double>(o.frequency) * static_cast<double>(count));
}

// The slice's logits after mask, bias and penalties, in `z` and in scratch memory.
HADAL_DEVICE bool edit_slice(const cuda::SampleParams& p, const SampleOptions& o, int row, int tile,
                             const float (&raw)[kTileValues], ScanShared& s, float (&z)[kTileValues]) {
  const int first = tile / kSampleTiles * cuda::kSampleSlice;
  const uint32_t* mask = o.masked ? p.masks + static_cast<int64_t>(row) * ((p.vocabulary + 31) / 32) : nullptr;
  HADAL_UNROLL
  for (int v = 0; v < kTileValues; v += 4) {
    const int id = tile_id(tile, v);
    const uint32_t allowed = mask == nullptr ? 0xfu : id < p.vocabulary ? mask[id / 32] >> (id % 32) : 0;
    float four[4];
    HADAL_UNROLL
    for (int i = 0; i < 4; ++i) four[i] = allowed >> i & 1 ? raw[v + i] : -infinity();
    store16(&s.z[id - first], pack<float>(four));
    store16(&s.counts[id - first], Vec16{});
  }
  sync_block();
  bool outside = add_bias(p, o, first, s);
  outside |= for_listed(p.history_ids, o.history_begin, o.history_end, p.vocabulary, first,
                        [&](int, int place) { atomic_add(&s.counts[place], 1); });
  sync_block();
  float* out = p.scratch.edited + static_cast<int64_t>(row) * p.slices * cuda::kSampleSlice;
  HADAL_UNROLL
  for (int v = 0; v < kTileValues; v += 4) {
    const int id = tile_id(tile, v);
    float four[4];
    HADAL_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int count = s.counts[id - first + i];
      four[i] = count > 0 ? penalised(o, s.z[id - first + i], count) : s.z[id - first + i];
      z[v + i] = four[i];
    }
    store16(out + id, pack<float>(four));
  }
  return outside;
}

// Largest and smallest of the warp's tile, for itself and for the block.
HADAL_DEVICE void reduce_tile(const cuda::SampleParams& p, int row, int tile, const float (&raw)[kTileValues],
                              const float (&z)[kTileValues], ScanShared& s) {
  uint32_t raw_key = 0, best_key = 0;
  int best = 0;
  float low = infinity();
  HADAL_UNROLL
  for (int i = 0; i < kTileValues; ++i) {
    const uint32_t key = key_of(raw[i]), edited = key_of(z[i]);
    raw_key = key > raw_key ? key : raw_key;
    if (edited > best_key) best = tile_id(tile, i);
    best_key = edited > best_key ? edited : best_key;
    if (edited > kLowestKey && z[i] < low) low = z[i];
  }
  raw_key = reduce_max(raw_key);
  const uint32_t key = reduce_max(best_key);
  const uint32_t id = reduce_min(best_key == key ? static_cast<uint32_t>(best) : 0xffffffffu);
  low = -warp_max(-low);
  if (lane_index() != 0) return;
  const int64_t at = static_cast<int64_t>(row) * p.slices * kSampleTiles + tile;
  p.scratch.raw_keys[at] = raw_key;
  p.scratch.edited_keys[at] = key;
  s.raw_top[warp_index()] = raw_key == 0 ? -infinity() : from_order_key(raw_key);
  s.best_key[warp_index()] = key;
  s.best[warp_index()] = static_cast<int>(id);
  s.low[warp_index()] = low;
}

// Of the whole slice, once the warps' own are there; sums are the caller's.
HADAL_DEVICE cuda::SampleSlice reduce_slice(const ScanShared& s) {
  cuda::SampleSlice all = {0, -infinity(), 0.0f, 0, 0, infinity(), 0};
  HADAL_UNROLL
  for (int w = 0; w < kScanWarps; ++w) {
    all.raw_top = max_of(all.raw_top, s.raw_top[w]);
    if (s.best_key[w] > all.best_key) all.best = s.best[w];
    all.best_key = s.best_key[w] > all.best_key ? s.best_key[w] : all.best_key;
    all.low = s.low[w] < all.low ? s.low[w] : all.low;
  }
  return all;
}

HADAL_DEVICE void sum_tile(const SampleOptions& o, const cuda::SampleSlice& all, const float (&raw)[kTileValues],
                           const float (&z)[kTileValues], ScanShared& s) {
  float sum = 0;
  uint64_t weight = 0;
  const bool weighs = o.temperature > 0 && all.best_key > kLowestKey;
  const float top = weighs ? from_order_key(all.best_key) : 0.0f;
  HADAL_UNROLL
  for (int i = 0; i < kTileValues; ++i) {
    if (raw[i] > -infinity()) sum += exp_fast(raw[i] - all.raw_top);
    if (weighs) weight += weight_of(z[i], top, o.slope);
  }
  sum = warp_sum(sum);
  HADAL_UNROLL
  for (int mask = kWarp / 2; mask > 0; mask >>= 1) weight += shuffle_xor(weight, mask);
  if (lane_index() != 0) return;
  s.raw_sum[warp_index()] = sum;
  s.weight[warp_index()] = weight;
}

template <typename T>
HADAL_DEVICE void sample_scan(const cuda::SampleParams& p) {
  auto& s = shared<ScanShared>();
  const int row = static_cast<int>(blockIdx.y), slice = static_cast<int>(blockIdx.x);
  const int tile = slice * kSampleTiles + warp_index();
  wait_for_previous_kernel();
  let_next_kernel_start();
  float raw[kTileValues], z[kTileValues];
  load_tile(RowView<T>{raw_row<T>(p, row), nullptr}, tile, p, raw);
  const SampleOptions o = sample_options(p, row);
  HADAL_UNROLL
  for (int i = 0; i < kTileValues; ++i) z[i] = raw[i];
  bool outside = false;
  if (o.edited) outside = edit_slice(p, o, row, tile, raw, s, z);
  const uint32_t any_outside = ballot(outside);
  if (lane_index() == 0) s.problem[warp_index()] = any_outside != 0;
  reduce_tile(p, row, tile, raw, z, s);
  sync_block();
  cuda::SampleSlice all = reduce_slice(s);
  sum_tile(o, all, raw, z, s);
  sync_block();
  if (threadIdx.x != 0) return;
  HADAL_UNROLL
  for (int w = 0; w < kScanWarps; ++w) {
    all.raw_sum += s.raw_sum[w];
    all.weight += s.weight[w];
    all.problem |= s.problem[w];
  }
  p.scratch.slices[static_cast<int64_t>(row) * p.slices + slice] = all;
}

}  // namespace hadal::device
