// The emulator as the host sees it: run a kernel's grid, and what was wrong with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "simt/simt.h"

namespace hadal::simt {

struct Grid {
  Extent blocks, threads;
  uint32_t cluster = 1;
  uint32_t shared_bytes = 0;
  bool dependent = false;  // may start while the launch before it still runs
};

struct Options {
  uint64_t seed = 1;    // of the order in which threads, blocks and copies run
  bool hazards = true;  // look for what a GPU would not complain of
  bool lint =
      false;  // count bank conflicts and sectors; also by HADAL_SIMT_LINT=1, printed at the end
  uint32_t resident = 0;  // blocks (or clusters) that run at one time; 0: one to three, by the seed
};

// What the accesses of one line of a kernel cost, summed over warps. Lint: nothing of it is an
// error.
struct LintRow {
  std::string kernel, place;
  bool shared = false;
  uint64_t warps = 0;  // a warp's execution of the line counts 1
  uint64_t cost = 0;  // 32-byte sectors of global memory, or passes over the banks of shared memory
  uint64_t ideal = 0;  // the same if lanes lay side by side
};

struct Report {
  std::vector<std::string> problems;  // the first few, with source lines
  uint64_t count = 0;                 // of all
  uint64_t switches = 0;
  uint64_t accesses = 0;  // ordinary loads and stores that were looked at
};

// Runs the whole grid. Never throws for what the kernel did: that is in the report.
Report run(const Registered& kernel, const Grid& grid, const void* params, const Options& options);

// Since the last call, what costs most over its ideal first.
std::vector<LintRow> take_lint();

// What was launched before has ended: a copy, a fill or a wait of the host lies between.
void settle();

// Options of the launches to come, and all their reports since the last call.
Options& options();
Report take_report();

}  // namespace hadal::simt
