// Lint: how many sectors of global memory and passes over shared memory's banks the warps' loads
// and stores take. Lanes run one after another here, so the n-th execution of an instruction by
// each lane of a warp is taken for one access of the warp: right where lanes do not diverge.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <unordered_map>

#include "simt/machine.h"

namespace hadal::simt {
namespace {

struct WarpAccess {
  std::array<uint64_t, 32> address;
  uint32_t lanes = 0, bytes = 0;
};
struct Sums {
  const char* kernel;
  Place place;
  bool shared;
  uint64_t warps = 0, cost = 0, ideal = 0;
};

// Never destroyed: the table is printed when the process ends.
auto& executions = *new std::unordered_map<uint64_t, uint32_t>;  // by thread slot and place
auto& open = *new std::unordered_map<uint64_t, WarpAccess>;      // by warp, place and execution
auto& sums = *new std::unordered_map<uint64_t, Sums>;            // by kernel and place

uint64_t mixed(uint64_t a, uint64_t b, uint64_t c) {
  uint64_t h = a * 0x9e3779b97f4a7c15u ^ b * 0xc2b2ae3d27d4eb4fu ^ c * 0x165667b19e3779f9u;
  return h ^ h >> 29;
}

// 128 bytes are served at a time: 8 lanes of 16 bytes, 32 of 4. Of each bank one word a pass.
uint64_t bank_passes(const WarpAccess& access) {
  const uint32_t lanes_at_once = std::min(32u, 128 / std::max(access.bytes, 4u));
  uint64_t passes = 0;
  for (uint32_t first = 0; first < 32; first += lanes_at_once) {
    std::vector<uint64_t> words;
    for (uint32_t lane = first; lane < first + lanes_at_once; ++lane)
      if ((access.lanes >> lane & 1) != 0)
        for (uint32_t i = 0; i < std::max(access.bytes, 4u); i += 4)
          words.push_back(access.address[lane] / 4 + i / 4);
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    uint64_t by_bank[32] = {};
    for (const uint64_t word : words) ++by_bank[word % 32];
    passes += *std::max_element(by_bank, by_bank + 32);
  }
  return passes;
}

uint64_t sectors(const WarpAccess& access) {
  std::vector<uint64_t> all;
  for (uint32_t lane = 0; lane < 32; ++lane)
    if ((access.lanes >> lane & 1) != 0)
      for (uint64_t at = access.address[lane] / 32;
           at <= (access.address[lane] + access.bytes - 1) / 32; ++at)
        all.push_back(at);
  std::sort(all.begin(), all.end());
  return static_cast<uint64_t>(std::unique(all.begin(), all.end()) - all.begin());
}

void close(const WarpAccess& access, Sums& to) {
  const uint64_t bytes =
      uint64_t{access.bytes} * static_cast<uint32_t>(__builtin_popcount(access.lanes));
  const uint64_t unit = to.shared ? 128 : 32;
  const uint64_t cost = to.shared ? bank_passes(access) : sectors(access);
  ++to.warps;
  to.cost += cost;
  to.ideal += std::min(cost, (bytes + unit - 1) / unit);
}

Sums& sums_of(Place place, bool shared) {
  Sums& sum = sums[mixed(reinterpret_cast<uintptr_t>(machine.kernel), place, shared)];
  sum.kernel = machine.kernel->name;
  sum.place = place;
  sum.shared = shared;
  return sum;
}

void print_lint() {
  std::printf("%-36s %-34s %10s %10s %10s\n", "kernel", "line", "accesses", "cost", "ideal");
  for (const LintRow& row : take_lint())
    std::printf("%-36s %-34s %10llu %10llu %10llu %s\n", row.kernel.c_str(), row.place.c_str(),
                static_cast<unsigned long long>(row.warps),
                static_cast<unsigned long long>(row.cost),
                static_cast<unsigned long long>(row.ideal), row.shared ? "bank passes" : "sectors");
}

}  // namespace

bool lint_by_environment() {
  const char* wanted = std::getenv("HADAL_SIMT_LINT");
  if (wanted == nullptr || *wanted != '1') return false;
  std::atexit(print_lint);
  return true;
}

void note_lint(const void* address, size_t bytes, bool shared, Place place) {
  const Thread& self = *machine.now;
  const uint32_t execution = ++executions[mixed(self.slot, place, 0)];
  const uint64_t group = self.block->group->number;
  const uint64_t key = mixed(group << 16 | self.block->rank << 8 | self.warp(), place, execution);
  WarpAccess& access = open[key];
  access.address[self.lane()] = reinterpret_cast<uintptr_t>(address);
  access.bytes = std::max(access.bytes, static_cast<uint32_t>(bytes));
  access.lanes |= 1u << self.lane();
  if (access.lanes != ~0u) return;
  close(access, sums_of(place, shared));
  open.erase(key);
}

// Accesses of fewer than 32 lanes are left in `open`: dropped, as lint looks at full warps.
void end_lint() {
  executions.clear();
  open.clear();
}

std::vector<LintRow> take_lint() {
  std::vector<LintRow> rows;
  for (const auto& [key, sum] : sums)
    rows.push_back({sum.kernel, describe(sum.place), sum.shared, sum.warps, sum.cost, sum.ideal});
  sums.clear();
  std::sort(rows.begin(), rows.end(), [](const LintRow& a, const LintRow& b) {
    return a.cost - a.ideal != b.cost - b.ideal ? a.cost - a.ideal > b.cost - b.ideal
                                                : a.place < b.place;
  });
  return rows;
}

}  // namespace hadal::simt
