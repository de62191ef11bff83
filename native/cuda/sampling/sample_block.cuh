// What the second kernel of sample does with a whole block: scans, a sort, a row's slices put together, and the
// walk through one slice to the drawn id.
#pragma once

#include "cuda/sampling/sample_row.cuh"

namespace hadal::device {

constexpr int kChooseThreads = static_cast<int>(cuda::kSampleChooseThreads), kChooseWarps = kChooseThreads / kWarp;
constexpr int kSampleList = 2048;  // candidates that are sorted, and bins of a histogram

// What is known of a row when its slices are put together.
struct SampleRow {
  float raw_top, raw_log_sum;
  uint32_t best_key;
  int best;
  float top, low;       // edited: largest, and smallest above −∞
  uint64_t total;       // of weights, `top` as 2^44
  int problem;
};

// Where the drawn id lies: the first in this slice at which the sum of the weights passes `rest`.
struct SamplePlace {
  int slice;
  uint64_t rest;
  int ties;  // how many of the threshold's value count in this slice
};

struct ChooseShared {
  uint64_t list[kSampleList];
  // A histogram's sums, in two words: atomics on 64 bits of shared memory are loops (SASS ATOMS.CAST.SPIN).
  uint32_t bin_low[kSampleList], bin_high[kSampleList];
  uint64_t slice_weights[cuda::kSampleMaxSlices];
  int slice_ties[cuda::kSampleMaxSlices];
  uint32_t keys[cuda::kSampleMaxSlices * kSampleTiles];  // edited tiles' largest
  uint64_t warp_weights[kChooseWarps];
  int warp_counts[kChooseWarps];
  uint32_t warp_low[kChooseWarps], warp_high[kChooseWarps];
  SampleRow row;
  SamplePlace place;
  int listed, bin;
  uint32_t bound;
  uint64_t above;
};
static_assert(sizeof(ChooseShared) <= cuda::kSampleChooseShared);

// Sum of the values of lower threads, and of all threads. `sums` is free again afterwards.
template <typename T>
HADAL_DEVICE T block_scan(T value, T (&sums)[kChooseWarps], T& total) {
  const T inclusive = warp_scan(value);
  if (lane_index() == kWarp - 1) sums[warp_index()] = inclusive;
  sync_block();
  T before = 0;
  total = 0;
  HADAL_UNROLL
  for (int w = 0; w < kChooseWarps; ++w) {
    if (w < warp_index()) before += sums[w];
    total += sums[w];
  }
  sync_block();
  return before + inclusive - value;
}

// One step of a bitonic sort, by `threads` of which this is number `thread`.
HADAL_DEVICE void sort_step(uint64_t* list, int size, int run, int step, bool descending, int thread, int threads) {
  for (int i = thread; i < size / 2; i += threads) {
    const int a = 2 * i - (i & (step - 1)), b = a + step;
    const uint64_t low = list[a], high = list[b];
    const bool swap = ((a & run) == 0) == descending ? low < high : low > high;
    if (!swap) continue;
    list[a] = high;
    list[b] = low;
  }
}

// `size` is a power of two. The block is in step before and after; a short list is one warp's.
HADAL_DEVICE void sort_block(uint64_t* list, int size, bool descending) {
  const int thread = static_cast<int>(threadIdx.x);
  const bool alone = size <= 4 * kWarp;
  for (int run = 2; run <= size; run <<= 1) {
    for (int step = run >> 1; step > 0; step >>= 1) {
      if (!alone) {
        sort_step(list, size, run, step, descending, thread, kChooseThreads);
        sync_block();
      } else if (warp_index() == 0) {
        sort_step(list, size, run, step, descending, thread, kWarp);
        sync_warp();
      }
    }
  }
  if (alone) sync_block();
}

// Uniform in [0, 2^53): two rounds of the splitmix64 finaliser over seed and counter, as on the CPU.
HADAL_DEVICE uint64_t mix_bits(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}
HADAL_DEVICE uint64_t uniform_53(const int32_t* seeds) {
  const auto word = [&](int i) { return static_cast<uint64_t>(static_cast<uint32_t>(seeds[i])); };
  const uint64_t seed = word(0) | word(1) << 32, counter = word(2) | word(3) << 32;
  return mix_bits(mix_bits(seed + 0x9e3779b97f4a7c15u) ^ (counter * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u)) >> 11;
}
// The drawn part of a total below 2^63: a sum is above it exactly when it is above uniform · total / 2^53.
HADAL_DEVICE uint64_t drawn_part(const int32_t* seeds, uint64_t total) {
  return multiply_high(uniform_53(seeds) << 11, total);
}

// A slice's weight with the row's largest as 2^44. Equal tops keep it exact.
HADAL_DEVICE uint64_t rescaled(const cuda::SampleSlice& slice, float top, float slope) {
  if (slice.best_key <= kLowestKey) return 0;
  const float own = from_order_key(slice.best_key);
  if (own == top) return slice.weight;
  return static_cast<uint64_t>(static_cast<float>(slice.weight) * exp2_fast((own - top) * slope));
}

// By one warp, two slices a lane; the order of the sums depends on the vocabulary alone.
HADAL_DEVICE void join_slices(const cuda::SampleParams& p, const SampleOptions& o, int row, ChooseShared& s) {
  const cuda::SampleSlice none = {0, -infinity(), 0.0f, 0, 0, infinity(), 0};
  const cuda::SampleSlice* slices = p.scratch.slices + static_cast<int64_t>(row) * p.slices;
  const int lane = lane_index();
  const cuda::SampleSlice a = lane < p.slices ? slices[lane] : none;
  const cuda::SampleSlice b = lane + kWarp < p.slices ? slices[lane + kWarp] : none;
  SampleRow joined;
  joined.raw_top = warp_max(max_of(a.raw_top, b.raw_top));
  float sum = a.raw_top > -infinity() ? a.raw_sum * exp_fast(a.raw_top - joined.raw_top) : 0.0f;
  if (b.raw_top > -infinity()) sum += b.raw_sum * exp_fast(b.raw_top - joined.raw_top);
  joined.raw_log_sum = log_of(warp_sum(sum));
  const uint32_t own = a.best_key > b.best_key ? a.best_key : b.best_key;
  joined.best_key = reduce_max(own);
  const int id = a.best_key == joined.best_key ? a.best : b.best;
  joined.best = static_cast<int>(reduce_min(own == joined.best_key ? static_cast<uint32_t>(id) : 0xffffffffu));
  joined.top = from_order_key(joined.best_key);
  joined.low = -warp_max(-(a.low < b.low ? a.low : b.low));
  joined.problem = ballot((a.problem | b.problem) != 0) != 0;
  joined.total = 0;
  if (o.temperature > 0 && joined.best_key > kLowestKey && is_finite(joined.top)) {
    const uint64_t first = rescaled(a, joined.top, o.slope), second = rescaled(b, joined.top, o.slope);
    s.slice_weights[lane] = first;
    s.slice_weights[lane + kWarp] = second;
    joined.total = shuffle(warp_scan(first + second), kWarp - 1);
  }
  if (lane == 0) s.row = joined;
}

// By one warp: the slice in which the sum of slice_weights passes `target`.
HADAL_DEVICE SamplePlace place_of(const ChooseShared& s, uint64_t target) {
  SamplePlace place = {0, 0, 0x7fffffff};
  uint64_t before = 0;
  bool found = false;
  HADAL_UNROLL
  for (int half = 0; half < 2; ++half) {
    const uint64_t weight = s.slice_weights[half * kWarp + lane_index()];
    const uint64_t passed = before + warp_scan(weight);
    const uint32_t over = ballot(passed > target);
    before = shuffle(passed, kWarp - 1);
    const int lane = over != 0 ? first_bit(over) : 0;
    const uint64_t start = shuffle(passed - weight, lane);
    if (found || over == 0) continue;
    found = true;
    place.slice = half * kWarp + lane;
    place.rest = target - start;
  }
  return place;
}

// The id at s.place among those above the threshold, and as many of it as place.ties says; the same in all threads.
// Weights are counted with `reference` as 2^44.
template <typename T>
HADAL_DEVICE int walk_slice(const cuda::SampleParams& p, const SampleOptions& o, const RowView<T>& view,
                            uint32_t threshold, float reference, ChooseShared& s) {
  constexpr int kValues = cuda::kSampleSlice / kChooseThreads;
  const SamplePlace place = s.place;
  if (threadIdx.x == 0) s.bin = s.row.best;
  const int first = place.slice * cuda::kSampleSlice + static_cast<int>(threadIdx.x) * kValues;
  float values[kValues];
  HADAL_UNROLL
  for (int v = 0; v < kValues; v += 4) {
    float four[4];
    load_four(view, first + v, p, four);
    HADAL_UNROLL
    for (int i = 0; i < 4; ++i) values[v + i] = four[i];
  }
  int ties = 0, all_ties;
  HADAL_UNROLL
  for (int v = 0; v < kValues; ++v) ties += key_of(values[v]) == threshold;
  int tie = block_scan(ties, s.warp_counts, all_ties);
  uint64_t weights[kValues], sum = 0, total;
  HADAL_UNROLL
  for (int v = 0; v < kValues; ++v) {
    const uint32_t key = key_of(values[v]);
    const bool in = key > threshold || (key == threshold && tie++ < place.ties);
    weights[v] = in ? weight_of(values[v], reference, o.slope) : 0;
    sum += weights[v];
  }
  uint64_t passed = block_scan(sum, s.warp_weights, total);
  if (passed <= place.rest && place.rest < passed + sum) {
    int id = -1;
    HADAL_UNROLL
    for (int v = 0; v < kValues; ++v) {
      passed += weights[v];
      if (id < 0 && passed > place.rest) id = first + v;
    }
    s.bin = id;
  }
  sync_block();
  return s.bin;
}

}  // namespace hadal::device
