// sample on CUDA: one next token per row of logits, by the CPU op's rules and from the same counter-based generator:
// mask, bias, penalties, temperature, top-k, top-p, min-p, then the first id, ascending, at which the sum of the
// weights passes the drawn part of their total.
//
// Two kernels. The first reads the logits once, 4096 of a row in a block's registers, and leaves per slice the
// largest, the sums and the best of every 512; rows with a mask, a bias or penalties also leave their edited
// logits. The second, a block a row, needs no more than that for the best, one slice more for a plain draw, and for
// top-k, top-p and min-p those pieces of 512 that can hold a candidate (the k-th largest of the pieces' best, and
// what a part 1 − p of the total can hold, bound them): a sort of up to 2048. Flat rows with more candidates find
// their threshold by histograms instead. A second block finds the largest logits to report.
//
// Weights are integers, 2^44 the largest: sums have no order, so a draw depends on its row alone. A weight is that of
// the CPU to some 2^-22 of itself, and those below 2^-44 of the largest are nothing: ids are the CPU's but where the
// drawn number lies within that of a border between two ids, or top-p's sum within that of p: about one draw in
// three million. The best (temperature 0), every tie, top-k and min-p are exact.
#pragma once

#include "core/tensor.h"
#include "cuda/queue.h"

namespace hadal::cuda {

// Instead of an id. The CPU refuses the last three, and the first where the row has no mask.
enum : int32_t {
  kSampleNothing = -1,         // mask or bias leave no id
  kSampleNoFiniteLogit = -2,   // the largest logit is not finite
  kSampleInfiniteEdit = -3,    // the largest logit after bias and penalties is not finite
  kSampleBadInput = -4,        // parameters out of range, lists that lead outside
};

inline constexpr int32_t kSampleTop = 20;
inline constexpr int32_t kSampleSlice = 4096, kSampleTile = 512;
inline constexpr int32_t kSampleMaxSlices = 64;  // 262,144 ids

struct SampleSlice {
  uint64_t weight;     // sum of weights, the largest of the slice as 2^44; temperature above 0 only
  float raw_top, raw_sum;  // largest logit and Σ e^(logit − it)
  uint32_t best_key;   // order_key of the largest edited logit; 0: nothing but NaN
  int32_t best;        // its lowest id
  float low;           // smallest edited logit above −∞
  int32_t problem;     // a list of the row leads outside
};

// One row's place in scratch memory.
struct SampleScratch {
  SampleSlice* slices;   // [rows, slices]
  uint32_t* raw_keys;    // [rows, slices · 8] order_key of the largest logit of each tile of 512; 0: none
  uint32_t* edited_keys; // [rows, slices · 8] the same of edited logits
  float* edited;         // [rows, slices · 4096], of rows that are edited; null if none can be
};

struct SampleParams {
  int32_t* ids;             // [rows]
  float* logprobs;          // [rows] log-softmax of the raw logits at the id; 0 without an id
  int32_t* top_ids;         // [rows, 20] −1 past those wanted or there
  float* top_logprobs;      // [rows, 20] −∞ past them
  const void* logits;       // [rows, vocabulary] T, rows logits_stride elements apart
  const float* params;      // [rows, 8] as in the op table
  const int32_t* seeds;     // [rows, 4]
  const int32_t* history_offsets;  // [rows + 1], or null: no history
  const int32_t* history_ids;      // [history_count]
  const int32_t* bias_offsets;     // [rows + 1], or null: no bias
  const int32_t* bias_ids;         // [bias_count]
  const float* bias_values;        // [bias_count]
  const int32_t* masked;    // [rows], or null
  const uint32_t* masks;    // [rows, ceil(vocabulary / 32)], or null
  SampleScratch scratch;
  int64_t logits_stride;
  int32_t rows, vocabulary, history_count, bias_count;
  int32_t slices;           // set by the launcher
  int32_t by_vector;        // set by the launcher: rows may be read by four
};

inline constexpr uint32_t kSampleScanThreads = 256, kSampleChooseThreads = 512;
inline constexpr uint32_t kSampleScanShared = 33 * 1024, kSampleChooseShared = 36 * 1024;  // bytes, or some less

inline constexpr Kernel kSampleScanBf16{"sample_scan_bf16", sizeof(SampleParams), kSampleScanThreads};
inline constexpr Kernel kSampleScanF32{"sample_scan_f32", sizeof(SampleParams), kSampleScanThreads};
inline constexpr Kernel kSampleChooseBf16{"sample_choose_bf16", sizeof(SampleParams), kSampleChooseThreads};
inline constexpr Kernel kSampleChooseF32{"sample_choose_f32", sizeof(SampleParams), kSampleChooseThreads};

// Bytes of scratch memory; `edits`: some row may have a mask, a bias or a history.
size_t sample_scratch_bytes(int32_t rows, int32_t vocabulary, bool edits);
// Lays it out over memory of that size, aligned to 16 bytes.
SampleScratch sample_scratch(void* memory, int32_t rows, int32_t vocabulary, bool edits);

// logits: F32 or BF16. Ids of the history are looked at only in rows with penalties.
void sample(Queue& queue, DType logits, SampleParams params);

}  // namespace hadal::cuda
