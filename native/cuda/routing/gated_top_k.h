// gated_top_k on CUDA: which experts each token goes to and with what weight, as the CPU's op defines it: lowest
// index at every tie, ids in descending order of score + bias, weights from the scores without bias.
// One warp a token, the experts' scores in registers, groups in neighbouring lanes. 4·E bytes a token are read
// and nothing is read twice, so up to some hundred tokens the time is a launch and a chain of shuffles.
#pragma once

#include "cuda/queue.h"

namespace hadal::cuda {

struct GatedTopKParams {
  int32_t* ids;          // [tokens, chosen]
  float* weights;        // [tokens, chosen]
  const float* logits;   // [tokens, experts], rows logits_stride apart
  const float* bias;     // [experts], or null
  int32_t* counts;       // [experts] += pairs of each expert, or null; zeroed by the caller
  int64_t logits_stride;
  int32_t tokens, experts, chosen;
  int32_t groups, groups_kept, group_score;  // 0 none, 1 max, 2 sum of the top two
  int32_t softmax;       // else sigmoid
  int32_t normalise;
  float scale;
  int32_t by_16_bytes;   // set by the launcher: rows and bias may be read so
};

inline constexpr uint32_t kGatedTopKThreads = 256;
inline constexpr int32_t kGatedTopKMaxExperts = 512;
inline constexpr int32_t kGatedTopKMaxChosen = 16;

// By how many experts a lane holds.
inline constexpr Kernel kGatedTopK2{"gated_top_k_2", sizeof(GatedTopKParams), kGatedTopKThreads};
inline constexpr Kernel kGatedTopK5{"gated_top_k_5", sizeof(GatedTopKParams), kGatedTopKThreads};
inline constexpr Kernel kGatedTopK8{"gated_top_k_8", sizeof(GatedTopKParams), kGatedTopKThreads};
inline constexpr Kernel kGatedTopK12{"gated_top_k_12", sizeof(GatedTopKParams), kGatedTopKThreads};
inline constexpr Kernel kGatedTopK16{"gated_top_k_16", sizeof(GatedTopKParams), kGatedTopKThreads};

// At most 512 experts and 16 of them a token; groups that matter are 1, 2, 4, 8, 16 or 32. NaN: an expert whose
// score or biased score is NaN comes after all others, its weight is NaN, and under softmax so are its row's.
void gated_top_k(Queue& queue, GatedTopKParams params);

}  // namespace hadal::cuda
