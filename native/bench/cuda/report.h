// How benchmark rows and their times are written: JSON for programs, CSV for bench/results, lines for a terminal.
#pragma once

#include <cstdio>
#include <string>

#include "bench/cuda/measure.h"

namespace hadal::bench {

// The machine and the run, said once.
struct Run {
  std::string device;   // "NVIDIA H100 80GB HBM3"
  std::string date;     // "2026-11-25"
  int driver = 0;       // 13000 for CUDA 13.0
  Ceilings ceilings;
};

struct Result {
  const Row* row = nullptr;
  Measured measured;
  std::string error;  // not empty: not measured
};

// The rows alone, without times: [{"kernel": …, "shape": …, "bytes": …, …}].
std::string list_json(const Rows& rows);
std::string run_json(const Run& run, const std::vector<Result>& results);

std::string csv_header();
std::string csv_line(const Run& run, const Result& result);

// For people; a header and a line of each row.
std::string table_header(const Run& run);
std::string table_line(const Run& run, const Result& result);

}  // namespace hadal::bench
