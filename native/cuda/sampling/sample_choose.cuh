// The second kernel of sample: see sample.h. Block 0 of a row chooses its id, block 1 reports the largest logits.
#pragma once

#include "cuda/sampling/sample_threshold.cuh"

namespace hadal::device {

// What is wrong with the row, or 0.
HADAL_DEVICE int problem_of(const SampleOptions& o, const SampleRow& row) {
  if (!o.valid || row.problem) return cuda::kSampleBadInput;
  if (!is_finite(row.raw_top)) return cuda::kSampleNoFiniteLogit;
  if (row.best_key <= kLowestKey) return cuda::kSampleNothing;
  return is_finite(row.top) ? 0 : cuda::kSampleInfiniteEdit;
}

// Σ of all slices' weights is known: one slice more tells the id.
HADAL_DEVICE void place_among_all(const cuda::SampleParams& p, int row, ChooseShared& s) {
  if (warp_index() != 0) return;
  const cuda::SampleSlice* slices = p.scratch.slices + static_cast<int64_t>(row) * p.slices;
  SamplePlace place = place_of(s, drawn_part(p.seeds + row * 4, s.row.total));
  // From the row's scale to the slice's own.
  const uint64_t scaled = s.slice_weights[place.slice], own = slices[place.slice].weight;
  if (scaled != own) {
    const double rest = static_cast<double>(place.rest) * (static_cast<double>(own) / static_cast<double>(scaled));
    const auto whole = static_cast<uint64_t>(rest);
    place.rest = whole < own ? whole : own - 1;
  }
  if (lane_index() == 0) s.place = place;
}

template <typename T>
HADAL_DEVICE int choose_id(const cuda::SampleParams& p, const SampleOptions& o, int row, ChooseShared& s) {
  if (o.temperature == 0) return s.row.best;
  const int64_t slices = static_cast<int64_t>(row) * p.slices;
  const RowView<T> view = {raw_row<T>(p, row),
                           o.edited ? p.scratch.edited + slices * cuda::kSampleSlice : nullptr};
  const bool limited = o.top_k > 0 && o.top_k < p.vocabulary, all = !limited && o.top_p >= 1 && o.min_p <= 0;
  uint32_t threshold = 0;
  if (all) {
    place_among_all(p, row, s);
  } else {
    const Cut cut = make_cut(p, o, row, s);
    const int count = list_candidates(p, o, view, cut, s);
    if (count <= kSampleList) return draw_from_list(p, o, row, cut, count, s);
    threshold = place_among_many(p, o, row, view, cut, s);
  }
  sync_block();
  const float reference = all ? from_order_key(p.scratch.slices[slices + s.place.slice].best_key) : s.row.top;
  return walk_slice(p, o, view, threshold, reference, s);
}

template <typename T>
HADAL_DEVICE void choose(const cuda::SampleParams& p, const SampleOptions& o, int row, ChooseShared& s) {
  const int problem = problem_of(o, s.row);
  const int id = problem != 0 ? problem : choose_id<T>(p, o, row, s);
  if (threadIdx.x != 0) return;
  p.ids[row] = id;
  p.logprobs[row] = id < 0 ? 0.0f : (to_float(raw_row<T>(p, row)[id]) - s.row.raw_top) - s.row.raw_log_sum;
}

// The first of a tile in descending order, ids ascending among equals, that comes after (key, id); key 0: none.
struct Ranked {
  uint32_t key;
  int id;
};
HADAL_DEVICE Ranked next_in_tile(const float (&values)[kTileValues], int tile, Ranked last) {
  Ranked mine = {0, 0};
  HADAL_UNROLL
  for (int i = 0; i < kTileValues; ++i) {
    const uint32_t key = key_of(values[i]);
    const int id = tile_id(tile, i);
    const bool after = key < last.key || (key == last.key && id > last.id);
    if (after && key > mine.key) mine = {key, id};
  }
  const uint32_t key = reduce_max(mine.key);
  return {key, static_cast<int>(reduce_min(mine.key == key ? static_cast<uint32_t>(mine.id) : 0xffffffffu))};
}

// By one warp, one at a time: the tile with the largest value left is read, its first taken and its next noted.
// Up to some twenty trips to the second-level cache, while the row's other block draws.
template <typename T>
HADAL_DEVICE void report_top(const cuda::SampleParams& p, int row, int wanted, ChooseShared& s) {
  const int tiles = p.slices * kSampleTiles;
  for (int t = lane_index(); t < tiles; t += kWarp)
    s.keys[t] = p.scratch.raw_keys[static_cast<int64_t>(row) * tiles + t];
  sync_warp();
  Ranked last = {0xffffffffu, -1}, own = {0, -1};
  for (int k = 0; k < wanted; ++k) {
    Ranked best = {0, 0};
    for (int t = lane_index(); t < tiles; t += kWarp)
      if (s.keys[t] > best.key) best = {s.keys[t], t};
    const uint32_t key = reduce_max(best.key);
    if (key == 0) break;
    const int tile = static_cast<int>(reduce_min(best.key == key ? static_cast<uint32_t>(best.id) : 0xffffffffu));
    float values[kTileValues];
    load_tile(RowView<T>{raw_row<T>(p, row), nullptr}, tile, p, values);
    last = next_in_tile(values, tile, last);
    const Ranked next = next_in_tile(values, tile, last);
    if (lane_index() == k) own = last;
    sync_warp();  // all have looked at the keys
    if (lane_index() == 0) s.keys[tile] = next.key;
    sync_warp();
  }
  if (lane_index() >= cuda::kSampleTop) return;
  const int64_t at = static_cast<int64_t>(row) * cuda::kSampleTop + lane_index();
  p.top_ids[at] = own.id;
  p.top_logprobs[at] =
      own.id < 0 ? -infinity() : (from_order_key(own.key) - s.row.raw_top) - s.row.raw_log_sum;
}

template <typename T>
HADAL_DEVICE void sample_choose(const cuda::SampleParams& p) {
  auto& s = shared<ChooseShared>();
  const int row = static_cast<int>(blockIdx.y);
  wait_for_previous_kernel();
  let_next_kernel_start();
  const SampleOptions o = sample_options(p, row);
  if (warp_index() == 0) join_slices(p, o, row, s);
  if (blockIdx.x == 1) {
    if (warp_index() != 0) return;
    sync_warp();
    report_top<T>(p, row, o.valid && is_finite(s.row.raw_top) ? o.wanted : 0, s);
    return;
  }
  sync_block();
  choose<T>(p, o, row, s);
}

}  // namespace hadal::device
