// Benchmark rows of the CUDA kernels, one list for the GPU run, the table in docs/kernels.md and `hadal bench
// kernels --device cuda`. A family's file (<family>_rows.cpp) appends its rows; a row says what it moves and
// computes, what time is predicted and why, and how it is started. Without a GPU the list is printed alone.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "cuda/queue.h"

namespace hadal::bench {

// Device memory of one row, freed after it. Values are random: zeros and small ranges save power and lie.
class Memory {
 public:
  virtual ~Memory() = default;
  virtual void* bytes(size_t count) = 0;                          // uninitialised
  virtual void* bf16(size_t count, float scale = 1) = 0;          // normal
  virtual void* f32(size_t count, float scale = 1) = 0;           // normal
  virtual void* e4m3(size_t count) = 0;                           // any finite codes
  virtual void* upload(const void* from, size_t bytes) = 0;
};

// Data sheet of the H100 and H800 SXM: what a floor is computed from.
inline constexpr double kPeakBytes = 3.35e12;
inline constexpr double kPeakBf16 = 989.5e12;
inline constexpr double kPeakE4m3 = 1979e12;

struct Row {
  std::string kernel;        // the contract's name: "rms_norm"
  std::string shape;         // "T=4096 D=7168 BF16"
  double bytes = 0;          // read and written once
  double flops = 0;
  double peak_flops = kPeakBf16;  // of the unit that does them
  double predicted_us = 0;   // before any measurement
  std::string reason;        // why that share of the floor
  // Makes one set of inputs and returns its launch. Called several times: inputs rotate through more memory than
  // the second-level cache has, so that every launch reads from HBM.
  std::function<std::function<void(cuda::Queue&)>(Memory&)> prepare;

  double floor_us() const { return 1e6 * std::max(bytes / kPeakBytes, flops / peak_flops); }
};

using Rows = std::vector<Row>;

// One for each <family>_rows.cpp, sorted. The build makes all_rows() of the files that there are.
void embed_rows(Rows& rows);
void measure_rows(Rows& rows);
void norm_rows(Rows& rows);
void quantize_rows(Rows& rows);
void rope_rows(Rows& rows);
void router_rows(Rows& rows);
void routing_rows(Rows& rows);
void sampling_rows(Rows& rows);

Rows all_rows();

}  // namespace hadal::bench
