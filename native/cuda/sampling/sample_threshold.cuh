// Top-k, top-p and min-p of sample: each keeps a beginning of the ids in descending order of value, lower ids first
// among equals, so all three together keep the shortest of three beginnings. Few candidates are listed and sorted; of
// many, the value at which they end is found by histograms over ever finer parts of the values.
#pragma once

#include "cuda/sampling/sample_block.cuh"

namespace hadal::device {

// What may still be a candidate.
struct Cut {
  uint32_t key;      // this value or more,
  uint64_t weight;   // and this weight or more
  uint32_t floor;    // min-p's: the least value it keeps
  bool limited;      // by top-k
};

// The least float that is at least log(min_p) · temperature + top, as a key.
HADAL_DEVICE uint32_t min_p_floor(const SampleOptions& o, float top) {
  if (o.min_p <= 0) return 0;
  const double least = log_of(static_cast<double>(o.min_p)) * static_cast<double>(o.temperature) +
                       static_cast<double>(top);
  const auto rounded = static_cast<float>(least);
  const uint32_t key = order_key(rounded);
  return static_cast<double>(rounded) < least ? key + 1 : key;
}

// Smallest sum of weights that reaches top_p of a total; at least 1.
HADAL_DEVICE uint64_t goal_of(float top_p, uint64_t total) {
  const double part = static_cast<double>(top_p) * static_cast<double>(total);
  const auto whole = static_cast<uint64_t>(part);
  const uint64_t goal = static_cast<double>(whole) < part ? whole + 1 : whole;
  return goal > 0 ? goal : 1;
}

// Bounds that no id that is kept lies below: the k-th largest of the tiles' own largest; what V ids of this weight
// can hold of the part 1 − p, halved for the rounding of the total.
HADAL_DEVICE Cut make_cut(const cuda::SampleParams& p, const SampleOptions& o, int row, ChooseShared& s) {
  const int tiles = p.slices * kSampleTiles;
  Cut cut = {kLowestKey + 1, 1, min_p_floor(o, s.row.top), o.top_k > 0 && o.top_k < p.vocabulary};
  for (int t = static_cast<int>(threadIdx.x); t < tiles; t += kChooseThreads)
    s.keys[t] = p.scratch.edited_keys[static_cast<int64_t>(row) * tiles + t];
  if (threadIdx.x == 0) {
    s.bound = 0;
    s.listed = 0;
  }
  sync_block();
  if (cut.limited && o.top_k <= tiles) {
    for (int t = static_cast<int>(threadIdx.x); t < tiles; t += kChooseThreads) {
      const uint32_t key = s.keys[t];
      int better = 0;
      for (int other = 0; other < tiles; ++other)
        better += s.keys[other] > key || (s.keys[other] == key && other < t);
      if (better == o.top_k - 1) s.bound = key;
    }
    sync_block();
    cut.key = s.bound > cut.key ? s.bound : cut.key;
  }
  // The total of top-p is that of all of top-k's: then min-p may not shorten the list before.
  if (!(cut.limited && o.top_p < 1) && cut.floor > cut.key) cut.key = cut.floor;
  if (o.top_p < 1 && !cut.limited) {
    const double rest = (1 - static_cast<double>(o.top_p)) * static_cast<double>(s.row.total);
    const auto share = static_cast<uint64_t>(rest / static_cast<double>(p.vocabulary) / 2);
    cut.weight = share > 1 ? share : 1;
  }
  return cut;
}

HADAL_DEVICE bool is_candidate(const SampleOptions& o, const Cut& cut, float top, float value) {
  return key_of(value) >= cut.key && weight_of(value, top, o.slope) >= cut.weight;
}

// All candidates in s.list as (key, complement of the id), in no order; how many there are, listed or not.
template <typename T>
HADAL_DEVICE int list_candidates(const cuda::SampleParams& p, const SampleOptions& o, const RowView<T>& view,
                                 const Cut& cut, ChooseShared& s) {
  const int tiles = p.slices * kSampleTiles;
  const float top = s.row.top;
  for (int tile = warp_index(); tile < tiles; tile += kChooseWarps) {
    const uint32_t largest = s.keys[tile];
    if (largest < cut.key || weight_of(from_order_key(largest), top, o.slope) < cut.weight) continue;
    float values[kTileValues];
    load_tile(view, tile, p, values);
    uint32_t in = 0;
    HADAL_UNROLL
    for (int i = 0; i < kTileValues; ++i) in |= static_cast<uint32_t>(is_candidate(o, cut, top, values[i])) << i;
    const int count = count_bits(in), end = warp_scan(count);
    int base = 0;
    if (lane_index() == kWarp - 1) base = atomic_add(&s.listed, end);
    int at = shuffle(base, kWarp - 1) + end - count;
    HADAL_UNROLL
    for (int i = 0; i < kTileValues; ++i) {
      if ((in >> i & 1) == 0) continue;
      if (at < kSampleList)
        s.list[at] = static_cast<uint64_t>(order_key(values[i])) << 32 | static_cast<uint32_t>(~tile_id(tile, i));
      ++at;
    }
  }
  sync_block();
  return s.listed;
}

HADAL_DEVICE int power_of_two(int count) {
  int size = 1;
  while (size < count) size <<= 1;
  return size;
}

constexpr int kListEach = kSampleList / kChooseThreads;

// Weights of a thread's neighbouring entries of the list; those from `count` on weigh nothing.
HADAL_DEVICE uint64_t list_weights(const SampleOptions& o, const ChooseShared& s, int count, int shift,
                                   uint64_t (&weights)[kListEach]) {
  uint64_t sum = 0;
  HADAL_UNROLL
  for (int i = 0; i < kListEach; ++i) {
    const int at = static_cast<int>(threadIdx.x) * kListEach + i;
    const auto key = static_cast<uint32_t>(s.list[at] >> shift);
    weights[i] = at < count ? weight_of(from_order_key(key), s.row.top, o.slope) : 0;
    sum += weights[i];
  }
  return sum;
}

// How many of the sorted list are kept: the shortest of the three beginnings.
HADAL_DEVICE int kept_of_list(const SampleOptions& o, const Cut& cut, int count, ChooseShared& s) {
  if (cut.limited && o.top_k < count) count = o.top_k;
  uint64_t weights[kListEach], total;
  const uint64_t sum = list_weights(o, s, count, 32, weights);
  uint64_t before = block_scan(sum, s.warp_weights, total);
  const uint64_t goal = o.top_p < 1 ? goal_of(o.top_p, cut.limited ? total : s.row.total) : ~uint64_t{0};
  int kept = 0, all;
  HADAL_UNROLL
  for (int i = 0; i < kListEach; ++i) {
    const int at = static_cast<int>(threadIdx.x) * kListEach + i;
    kept += at < count && before < goal && static_cast<uint32_t>(s.list[at] >> 32) >= cut.floor;
    before += weights[i];
  }
  block_scan(kept, s.warp_counts, all);
  return all;
}

// The list sorted, cut, sorted by id, and walked.
HADAL_DEVICE int draw_from_list(const cuda::SampleParams& p, const SampleOptions& o, int row, const Cut& cut,
                                int count, ChooseShared& s) {
  for (int i = count + static_cast<int>(threadIdx.x); i < kSampleList; i += kChooseThreads) s.list[i] = 0;
  if (threadIdx.x == 0) s.bin = s.row.best;
  sync_block();
  sort_block(s.list, power_of_two(count), true);
  const int kept = kept_of_list(o, cut, count, s), size = power_of_two(kept);
  for (int i = static_cast<int>(threadIdx.x); i < size; i += kChooseThreads)
    s.list[i] = i < kept ? static_cast<uint64_t>(~static_cast<uint32_t>(s.list[i])) << 32 | s.list[i] >> 32
                         : ~uint64_t{0};
  sync_block();
  sort_block(s.list, size, false);
  uint64_t weights[kListEach], total;
  const uint64_t sum = list_weights(o, s, kept, 0, weights);
  uint64_t passed = block_scan(sum, s.warp_weights, total);
  const uint64_t target = drawn_part(p.seeds + row * 4, total);
  if (passed <= target && target < passed + sum) {
    int found = -1;
    HADAL_UNROLL
    for (int i = 0; i < kListEach; ++i) {
      passed += weights[i];
      if (found < 0 && passed > target)
        found = static_cast<int>(s.list[static_cast<int>(threadIdx.x) * kListEach + i] >> 32);
    }
    s.bin = found;
  }
  sync_block();
  return s.bin;
}

// --- many candidates ---------------------------------------------------------------------------------------------

// A beginning of the candidates: all above a value, and so many of it, lower ids first.
struct Threshold {
  uint32_t key;
  int ties;
};

// Calls each(value, key) for all values of the row that weigh something.
template <typename T, typename Each>
HADAL_DEVICE void for_candidates(const cuda::SampleParams& p, const SampleOptions& o, const RowView<T>& view,
                                 uint32_t least, const ChooseShared& s, Each each) {
  const int tiles = p.slices * kSampleTiles;
  for (int tile = warp_index(); tile < tiles; tile += kChooseWarps) {
    if (s.keys[tile] < least) continue;
    float values[kTileValues];
    load_tile(view, tile, p, values);
    HADAL_UNROLL
    for (int i = 0; i < kTileValues; ++i) {
      const uint32_t key = key_of(values[i]);
      if (key < least) continue;
      const uint64_t weight = weight_of(values[i], s.row.top, o.slope);
      if (weight > 0) each(values[i], key, weight);
    }
  }
}

HADAL_DEVICE void clear_bins(ChooseShared& s) {
  sync_block();
  for (int i = static_cast<int>(threadIdx.x); i < kSampleList; i += kChooseThreads) s.bin_low[i] = s.bin_high[i] = 0;
  if (threadIdx.x == 0) s.bin = -1;
  sync_block();
}

// Each carry is counted by the one whose addition made it.
HADAL_DEVICE void add_to_bin(int bin, uint64_t weight, bool by_weight, ChooseShared& s) {
  if (!by_weight) {
    atomic_add(&s.bin_low[bin], 1u);
    return;
  }
  const auto low = static_cast<uint32_t>(weight);
  const uint32_t carry = atomic_add(&s.bin_low[bin], low) > ~low;
  atomic_add(&s.bin_high[bin], static_cast<uint32_t>(weight >> 32) + carry);
}

// The bin in which the sum, from bin 0 on, reaches `goal`: s.bin, or −1; s.above becomes the sum before it.
HADAL_DEVICE void find_bin(uint64_t goal, ChooseShared& s) {
  sync_block();
  uint64_t own[kListEach], sum = 0, total;
  HADAL_UNROLL
  for (int i = 0; i < kListEach; ++i) {
    const int at = static_cast<int>(threadIdx.x) * kListEach + i;
    sum += own[i] = static_cast<uint64_t>(s.bin_high[at]) << 32 | s.bin_low[at];
  }
  uint64_t before = s.above + block_scan(sum, s.warp_weights, total);
  sync_block();
  HADAL_UNROLL
  for (int i = 0; i < kListEach; ++i) {
    if (before < goal && goal <= before + own[i]) {
      s.bin = static_cast<int>(threadIdx.x) * kListEach + i;
      s.above = before;
    }
    before += own[i];
  }
  sync_block();
}

// Which of 2048 equal parts of the values' range a value lies in, the largest first.
HADAL_DEVICE int linear_bin(float value, float top, float scale) {
  const float place = (top - value) * scale;
  return place < static_cast<float>(kSampleList - 1) ? static_cast<int>(place) : kSampleList - 1;
}

// Smallest and largest key in one linear bin.
template <typename T>
HADAL_DEVICE void keys_of_bin(const cuda::SampleParams& p, const SampleOptions& o, const RowView<T>& view,
                              uint32_t least, float scale, int bin, ChooseShared& s, uint32_t& low, uint32_t& high) {
  low = 0xffffffffu;
  high = 0;
  for_candidates(p, o, view, least, s, [&](float value, uint32_t key, uint64_t) {
    if (linear_bin(value, s.row.top, scale) != bin) return;
    low = key < low ? key : low;
    high = key > high ? key : high;
  });
  low = reduce_min(low);
  high = reduce_max(high);
  if (lane_index() == 0) {
    s.warp_low[warp_index()] = low;
    s.warp_high[warp_index()] = high;
  }
  sync_block();
  HADAL_UNROLL
  for (int w = 0; w < kChooseWarps; ++w) {
    low = s.warp_low[w] < low ? s.warp_low[w] : low;
    high = s.warp_high[w] > high ? s.warp_high[w] : high;
  }
}

// The shortest beginning of the candidates of at least `least` whose count, or weight, reaches `goal`; all of them
// if none does. First a histogram over equal parts of the range, so that no bin is crowded in a usual row, then over
// the bits of the keys in the bin that was met: three at most, the last of single values.
template <typename T>
HADAL_DEVICE Threshold find_threshold(const cuda::SampleParams& p, const SampleOptions& o, const RowView<T>& view,
                                      uint32_t least, uint64_t goal, bool by_weight, ChooseShared& s) {
  const float top = s.row.top, reach = 45.0f / o.slope;
  const float range = top - s.row.low < reach ? top - s.row.low : reach;
  const float scale = range > 0 ? static_cast<float>(kSampleList - 1) / range : 0.0f;
  if (threadIdx.x == 0) s.above = 0;
  clear_bins(s);
  for_candidates(p, o, view, least, s, [&](float value, uint32_t, uint64_t weight) {
    add_to_bin(linear_bin(value, top, scale), weight, by_weight, s);
  });
  find_bin(goal, s);
  if (s.bin < 0) return {least, 0x7fffffff};
  uint32_t low, high;
  keys_of_bin(p, o, view, least, scale, s.bin, s, low, high);
  while (low < high) {
    const int bits = kWarp - leading_zeros(high - low), shift = bits > 11 ? bits - 11 : 0;
    clear_bins(s);
    for_candidates(p, o, view, low, s, [&](float, uint32_t key, uint64_t weight) {
      if (key <= high) add_to_bin(static_cast<int>((high - key) >> shift), weight, by_weight, s);
    });
    find_bin(goal, s);
    const uint32_t end = high - (static_cast<uint32_t>(s.bin) << shift), width = (1u << shift) - 1;
    low = end - low > width ? end - width : low;
    high = end;
  }
  const uint64_t rest = goal - s.above, each = by_weight ? weight_of(from_order_key(low), top, o.slope) : 1;
  sync_block();
  return {low, static_cast<int>((rest + each - 1) / each)};
}

// Weights of the kept ids by slice, in s.slice_weights, the ties that count in s.slice_ties; their total.
template <typename T>
HADAL_DEVICE uint64_t weigh_slices(const cuda::SampleParams& p, const SampleOptions& o, const RowView<T>& view,
                                   const Threshold& end, ChooseShared& s) {
  const uint64_t each = weight_of(from_order_key(end.key), s.row.top, o.slope);
  for (int slice = warp_index(); slice < cuda::kSampleMaxSlices; slice += kChooseWarps) {
    uint64_t weight = 0;
    int ties = 0;
    for (int t = slice * kSampleTiles; slice < p.slices && t < (slice + 1) * kSampleTiles; ++t) {
      if (s.keys[t] < end.key) continue;
      float values[kTileValues];
      load_tile(view, t, p, values);
      HADAL_UNROLL
      for (int i = 0; i < kTileValues; ++i) {
        const uint32_t key = key_of(values[i]);
        ties += key == end.key;
        if (key > end.key) weight += weight_of(values[i], s.row.top, o.slope);
      }
    }
    HADAL_UNROLL
    for (int mask = kWarp / 2; mask > 0; mask >>= 1) weight += shuffle_xor(weight, mask);
    ties = reduce_add(ties);
    if (lane_index() != 0) continue;
    s.slice_weights[slice] = weight;
    s.slice_ties[slice] = ties;
  }
  sync_block();
  uint64_t total = 0;
  int left = end.ties, mine = 0;
  for (int slice = 0; slice < p.slices; ++slice) {
    const int ties = s.slice_ties[slice] < left ? s.slice_ties[slice] : left;
    if (slice == static_cast<int>(threadIdx.x)) mine = ties;
    left -= ties;
    total += s.slice_weights[slice] + static_cast<uint64_t>(ties) * each;
  }
  sync_block();
  const int slice = static_cast<int>(threadIdx.x);
  if (slice < p.slices) {
    s.slice_ties[slice] = mine;
    s.slice_weights[slice] += static_cast<uint64_t>(mine) * each;
  }
  sync_block();
  return total;
}

// Both searches in one loop that stays one: the code of a search is long, and seldom run.
template <typename T>
HADAL_DEVICE uint32_t place_among_many(const cuda::SampleParams& p, const SampleOptions& o, int row,
                                       const RowView<T>& view, const Cut& cut, ChooseShared& s) {
  Threshold end = {kLowestKey + 1, 0x7fffffff};
  uint64_t total = s.row.total;
  HADAL_UNROLL_BY(1)
  for (int pass = 0; pass < 2; ++pass) {
    const bool by_weight = pass == 1;
    if (by_weight ? o.top_p < 1 : cut.limited) {
      const uint64_t goal = by_weight ? goal_of(o.top_p, total) : static_cast<uint64_t>(o.top_k);
      const Threshold shorter = find_threshold(p, o, view, end.key, goal, by_weight, s);
      if (shorter.key > end.key || shorter.ties < end.ties) end = shorter;
    }
    if (by_weight && cut.floor > end.key) end = {cut.floor, 0x7fffffff};
    if (by_weight || (cut.limited && o.top_p < 1)) total = weigh_slices(p, o, view, end, s);
  }
  if (warp_index() == 0) {
    SamplePlace place = place_of(s, drawn_part(p.seeds + row * 4, total));
    place.ties = s.slice_ties[place.slice];
    if (lane_index() == 0) s.place = place;
  }
  return end.key;
}

}  // namespace hadal::device
