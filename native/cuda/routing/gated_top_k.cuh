// Device body of gated_top_k: see gated_top_k.h. Expert s of group g lies in lane g·(32/groups) + s / kPer, slot
// s % kPer, so a lower index is a lower lane or slot and ballots find the lowest. Slots past a group's end are
// absent: key 0, below every real one.
#pragma once

#include "cuda/device/atomic.cuh"
#include "cuda/device/dependent.cuh"
#include "cuda/device/memory.cuh"
#include "cuda/device/order.cuh"
#include "cuda/device/pair.cuh"
#include "cuda/device/warp.cuh"
#include "cuda/routing/gated_top_k.h"

namespace hadal::device {

struct GatedTopKShared {
  int counts[cuda::kGatedTopKMaxExperts];
};

// What a lane holds: experts first .. first + present − 1.
struct Lane {
  int first, present, group, lanes;  // lanes of a group
};

template <int kPer>
HADAL_DEVICE Lane place_lane(const cuda::GatedTopKParams& p) {
  const int size = p.experts / p.groups, lanes = kWarp / p.groups;
  const int group = lane_index() / lanes, offset = lane_index() % lanes * kPer;
  const int left = size - offset;
  return {group * size + offset, left < 0 ? 0 : left > kPer ? kPer : left, group, lanes};
}

template <int kPer>
HADAL_DEVICE void load_slots(const float* from, bool by_16_bytes, int present, float (&values)[kPer]) {
  if constexpr (kPer % 4 == 0) {
    if (by_16_bytes) {
      HADAL_UNROLL
      for (int i = 0; i < kPer; i += 4) {
        if (i >= present) break;
        const Vec16 four = load16(from + i);
        HADAL_UNROLL
        for (int j = 0; j < 4; ++j) values[i + j] = bits_to_float(four.word[j]);
      }
      return;
    }
  }
  HADAL_UNROLL
  for (int i = 0; i < kPer; ++i)
    if (i < present) values[i] = from[i];
}

// In place: logits to scores. An exponential is taken in a pair of floats, so that a score is the oracle's but
// for its last bit once in some thousands.
template <int kPer>
HADAL_DEVICE void sigmoid(float (&values)[kPer]) {
  HADAL_UNROLL
  for (int i = 0; i < kPer; ++i) {
    const Pair e = exp_pair({-abs_of(values[i]), 0.0f});
    const Pair whole = ordered_sum(1.0f, e.hi);
    values[i] = quotient(values[i] < 0 ? e : Pair{1.0f, 0.0f}, {whole.hi, whole.lo + e.lo});
  }
}

template <int kPer>
HADAL_DEVICE void softmax(int present, float (&values)[kPer]) {
  float top = -infinity();
  HADAL_UNROLL
  for (int i = 0; i < kPer; ++i)
    if (i < present) top = max_of(values[i], top);
  top = warp_max(top);
  Pair sum = {0.0f, 0.0f};
  float low[kPer];
  HADAL_UNROLL
  for (int i = 0; i < kPer; ++i) {
    if (i >= present) continue;
    const Pair e = exp_pair(sum_of(values[i], -top));
    values[i] = e.hi;
    low[i] = e.lo;
    sum = add(sum, e);
  }
  HADAL_UNROLL
  for (int mask = kWarp / 2; mask > 0; mask >>= 1)
    sum = add(sum, {shuffle_xor(sum.hi, mask), shuffle_xor(sum.lo, mask)});
  HADAL_UNROLL
  for (int i = 0; i < kPer; ++i)
    if (i < present) values[i] = quotient({values[i], low[i]}, sum);
}

// Score of the lane's group, in each of its lanes.
template <int kPer>
HADAL_DEVICE uint32_t group_key(const cuda::GatedTopKParams& p, const Lane& lane,
                                const uint32_t (&keys)[kPer]) {
  uint32_t first = kLowestKey, second = kLowestKey;
  const auto meet = [&](uint32_t other) {
    second = other > first ? first : other > second ? other : second;
    first = other > first ? other : first;
  };
  HADAL_UNROLL
  for (int i = 0; i < kPer; ++i) meet(keys[i]);
  for (int mask = 1; mask < lane.lanes; mask <<= 1) {
    const uint32_t other = shuffle_xor(first, mask), its_second = shuffle_xor(second, mask);
    meet(other);
    meet(its_second);
  }
  if (p.group_score != 2 || p.experts == p.groups) return first;
  const float sum = from_order_key(first) + from_order_key(second);
  return sum == sum ? order_key(sum) : kLowestKey;
}

// Experts of groups that are not kept get the lowest key, and stay candidates: the oracle's −∞.
template <int kPer>
HADAL_DEVICE void keep_groups(const cuda::GatedTopKParams& p, const Lane& lane, uint32_t (&keys)[kPer]) {
  const uint32_t mine = group_key(p, lane, keys);
  int better = 0;
  for (int g = 0; g < p.groups; ++g) {
    const uint32_t other = shuffle(mine, g * lane.lanes);
    better += other > mine || (other == mine && g < lane.group);
  }
  HADAL_UNROLL
  for (int i = 0; i < kPer; ++i)
    if (better >= p.groups_kept && keys[i] != 0) keys[i] = kLowestKey;
}

struct Choice {
  int id;
  float score;
};

// The best expert left, taken out; the same in every lane.
template <int kPer>
HADAL_DEVICE Choice take_best(const Lane& lane, const float (&scores)[kPer], uint32_t (&keys)[kPer]) {
  uint32_t mine = 0;
  HADAL_UNROLL
  for (int i = 0; i < kPer; ++i) mine = keys[i] > mine ? keys[i] : mine;
  const uint32_t best = reduce_max(mine);
  const int winner = first_bit(ballot(mine == best));
  int slot = kPer;
  float score = 0;
  HADAL_UNROLL
  for (int i = kPer - 1; i >= 0; --i) {
    if (keys[i] != best) continue;
    slot = i;
    score = scores[i];
  }
  if (lane_index() == winner) {
    HADAL_UNROLL
    for (int i = 0; i < kPer; ++i)
      if (i == slot) keys[i] = 0;
  }
  return {shuffle(lane.first + slot, winner), shuffle(score, winner)};
}

template <int kPer>
HADAL_DEVICE void route_token(const cuda::GatedTopKParams& p, const Lane& lane, const float (&bias)[kPer],
                              int64_t token, int* counts) {
  float scores[kPer] = {};
  load_slots(p.logits + token * p.logits_stride + lane.first, p.by_16_bytes, lane.present, scores);
  if (p.softmax) softmax(lane.present, scores);
  else sigmoid(scores);
  uint32_t keys[kPer];
  HADAL_UNROLL
  for (int i = 0; i < kPer; ++i) {
    const float choice = scores[i] + bias[i];
    keys[i] = i >= lane.present ? 0 : choice == choice ? order_key(choice) : kLowestKey;
  }
  if (p.groups > 1) keep_groups(p, lane, keys);
  Choice own = {0, 0.0f};
  Pair sum = {0.0f, 0.0f};
  for (int k = 0; k < p.chosen; ++k) {
    const Choice best = take_best(lane, scores, keys);
    if (lane_index() == k) own = best;
    sum = add(sum, {best.score, 0.0f});
  }
  if (lane_index() >= p.chosen) return;
  const float factor = p.normalise ? p.scale / (sum.hi + 1e-20f) : p.scale;
  p.ids[token * p.chosen + lane_index()] = own.id;
  p.weights[token * p.chosen + lane_index()] = own.score * factor;
  if (p.counts != nullptr) atomic_add(&counts[own.id], 1);
}

template <int kPer>
HADAL_DEVICE void gated_top_k(const cuda::GatedTopKParams& p) {
  constexpr int kWarps = static_cast<int>(cuda::kGatedTopKThreads) / kWarp;
  int* counts = shared<GatedTopKShared>().counts;
  const Lane lane = place_lane<kPer>(p);
  float bias[kPer] = {};  // weights of the model: no kernel before this one writes them
  if (p.bias != nullptr) load_slots(p.bias + lane.first, p.by_16_bytes, lane.present, bias);
  const int thread = static_cast<int>(threadIdx.x), threads = kWarps * kWarp;
  if (p.counts != nullptr) {
    for (int e = thread; e < p.experts; e += threads) counts[e] = 0;
    sync_block();
  }
  wait_for_previous_kernel();
  let_next_kernel_start();
  const int step = static_cast<int>(gridDim.x) * kWarps;
  for (int t = static_cast<int>(blockIdx.x) * kWarps + warp_index(); t < p.tokens; t += step)
    route_token<kPer>(p, lane, bias, t, counts);
  if (p.counts == nullptr) return;
  sync_block();
  for (int e = thread; e < p.experts; e += threads)
    if (counts[e] != 0) atomic_add(&p.counts[e], counts[e]);
}

}  // namespace hadal::device
