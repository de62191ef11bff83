// The scheduler: blocks one after another, their threads as fibers in a seeded order with some lagging, and
// the meetings of threads (barriers, shuffles). A meeting that nobody can complete is a deadlock.
#include "simt/run.h"

#include <algorithm>
#include <cstdio>

#include "simt/fiber.h"

namespace hadal::simt {
namespace {

constexpr size_t kSharedMax = 227 * 1024;
constexpr size_t kReported = 8;

// Threads that wait for one another: `generation` grows when the last has come.
struct Meeting {
  uint32_t arrived = 0;
  uint32_t generation = 0;
  uint64_t in[32] = {}, out[32] = {};
};

struct Thread {
  Extent index;
  bool done = false;
  const Meeting* waits_for = nullptr;
  uint32_t generation = 0;
  const char* call = "entry";
  Site site{"", 0};
};

struct Machine {
  Fibers fibers;
  const Registered* kernel = nullptr;
  const void* params = nullptr;
  Grid grid;
  Options options;
  Report report;
  Extent block;
  std::vector<Thread> threads;
  std::vector<Meeting> warps;
  Meeting barriers[16];
  uint64_t random = 1;
  alignas(1024) uint8_t shared[kSharedMax];

  Thread& current() { return threads[fibers.current()]; }
  uint64_t next_random() {
    random ^= random << 13;
    random ^= random >> 7;
    return random ^= random << 17;
  }
};

Machine machine;
Options launch_options;
Report all_reports;

void problem(const std::string& what) {
  ++machine.report.count;
  if (machine.report.problems.size() < kReported) machine.report.problems.push_back(what);
}

std::string place(const Thread& thread) {
  const char* file = thread.site.file;
  for (const char* c = file; *c; ++c)
    if (*c == '/') file = c + 1;
  return std::string(thread.call) + " at " + file + ":" + std::to_string(thread.site.line);
}

void enter(const char* call, Site site) {
  machine.current().call = call;
  machine.current().site = site;
}

void meet(Meeting& meeting, uint32_t threads) {
  Thread& self = machine.current();
  if (++meeting.arrived == threads) {
    meeting.arrived = 0;
    ++meeting.generation;
    std::copy_n(meeting.in, 32, meeting.out);
    return;
  }
  self.waits_for = &meeting;
  self.generation = meeting.generation;
  machine.fibers.yield();
}

bool can_run(const Thread& thread) {
  if (thread.done) return false;
  return thread.waits_for == nullptr || thread.waits_for->generation != thread.generation;
}

void report_deadlock() {
  std::string text = "deadlock in block " + std::to_string(machine.block.x) + ":";
  std::string last;
  for (size_t i = 0; i < machine.threads.size(); ++i) {
    if (machine.threads[i].done) continue;
    const std::string here = place(machine.threads[i]);
    if (here != last) text += " [thread " + std::to_string(i) + ".. in " + here + "]";
    last = here;
  }
  problem(text);
}

void entry(size_t index) {
  machine.kernel->body(machine.params);
  machine.threads[index].done = true;
}

void start_block(const Extent& block) {
  const Extent& extent = machine.grid.threads;
  const size_t count = size_t{extent.x} * extent.y * extent.z;
  machine.block = block;
  machine.threads.assign(count, Thread{});
  for (size_t i = 0; i < count; ++i)
    machine.threads[i].index = {static_cast<uint32_t>(i % extent.x),
                                static_cast<uint32_t>(i / extent.x % extent.y),
                                static_cast<uint32_t>(i / extent.x / extent.y)};
  machine.warps.assign((count + 31) / 32, Meeting{});
  for (Meeting& barrier : machine.barriers) barrier = Meeting{};
  std::fill_n(machine.shared, machine.grid.shared_bytes, uint8_t{0xff});
  machine.fibers.start(count, entry);
}

void run_block(const Extent& block) {
  start_block(block);
  const size_t count = machine.threads.size();
  size_t live = count;
  while (live > 0) {
    bool moved = false;
    const size_t first = machine.next_random() % count;
    for (size_t i = 0; i < count; ++i) {
      const size_t index = (first + i) % count;
      Thread& thread = machine.threads[index];
      if (!can_run(thread)) continue;
      if (moved && machine.next_random() % 8 == 0) continue;  // let some lag
      thread.waits_for = nullptr;
      machine.fibers.resume(index);
      ++machine.report.switches;
      moved = true;
      if (thread.done) --live;
    }
    if (!moved) return report_deadlock();
  }
}

}  // namespace

const Extent& thread_index() { return machine.current().index; }
const Extent& block_index() { return machine.block; }
const Extent& block_extent() { return machine.grid.threads; }
const Extent& grid_extent() { return machine.grid.blocks; }

uint8_t* shared_memory(size_t bytes) {
  if (bytes > machine.grid.shared_bytes)
    problem("shared memory: the kernel uses " + std::to_string(bytes) + " bytes, the launch gave " +
            std::to_string(machine.grid.shared_bytes));
  return machine.shared;
}

void sync_block(Site site) {
  enter("sync_block", site);
  meet(machine.barriers[0], static_cast<uint32_t>(machine.threads.size()));
}

void sync_named(int id, int threads, Site site) {
  enter("sync_named", site);
  if (id < 1 || id > 15) return problem("sync_named: barrier " + std::to_string(id));
  meet(machine.barriers[id], static_cast<uint32_t>(threads));
}

uint64_t shuffle(uint64_t value, int lane, Site site) {
  enter("shuffle", site);
  const size_t self = machine.fibers.current();
  Meeting& warp = machine.warps[self / 32];
  warp.in[self % 32] = value;
  meet(warp, 32);
  return warp.out[lane & 31];
}

void sync_warp(Site site) {
  enter("sync_warp", site);
  meet(machine.warps[machine.fibers.current() / 32], 32);
}

uint32_t ballot(bool vote, Site site) {
  enter("ballot", site);
  const size_t self = machine.fibers.current();
  Meeting& warp = machine.warps[self / 32];
  warp.in[self % 32] = vote;
  meet(warp, 32);
  uint32_t bits = 0;
  for (int lane = 0; lane < 32; ++lane) bits |= static_cast<uint32_t>(warp.out[lane] & 1) << lane;
  return bits;
}

void atomic_access(const void*, size_t, Site site) { enter("atomic", site); }
void wait_for_previous_kernel(Site site) { enter("wait_for_previous_kernel", site); }
void let_next_kernel_start(Site site) { enter("let_next_kernel_start", site); }

Report run(const Registered& kernel, const Grid& grid, const void* params, const Options& options) {
  machine.kernel = &kernel;
  machine.params = params;
  machine.grid = grid;
  machine.options = options;
  machine.report = {};
  machine.random = options.seed * 0x9e3779b97f4a7c15u | 1;
  if (grid.shared_bytes > kSharedMax) {
    problem("shared memory: " + std::to_string(grid.shared_bytes) + " bytes are more than 227 KB");
    return machine.report;
  }
  const size_t before = machine.report.count;
  for (uint32_t z = 0; z < grid.blocks.z; ++z)
    for (uint32_t y = 0; y < grid.blocks.y; ++y)
      for (uint32_t x = 0; x < grid.blocks.x; ++x) {
        run_block({x, y, z});
        if (machine.report.count > before + 1000) return machine.report;
      }
  return machine.report;
}

Options& options() { return launch_options; }

void add_report(const Report& report) {
  all_reports.count += report.count;
  all_reports.switches += report.switches;
  for (const std::string& text : report.problems)
    if (all_reports.problems.size() < kReported) all_reports.problems.push_back(text);
}

Report take_report() {
  Report taken;
  std::swap(taken, all_reports);
  return taken;
}

}  // namespace hadal::simt
