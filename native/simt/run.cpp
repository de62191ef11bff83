// The scheduler: clusters or blocks of a grid in a seeded order, a few at a time, their threads as
// fibers with some lagging, and copies that complete at some later tick. When nobody can go on that
// is a deadlock.
#include "simt/run.h"

#include <algorithm>
#include <numeric>

#include "simt/machine.h"

namespace hadal::simt {

Machine machine;

namespace {

constexpr size_t kStop = 1000;    // reports of one launch
constexpr int kIdlePolls = 2000;  // sweeps in which all that ran found their flags unset

Options launch_options = [] {
  Options first;
  first.lint = lint_by_environment();
  return first;
}();
Report all_reports;
std::vector<ThreadHooks> thread_hooks;

Extent block_at(uint32_t linear) {
  const Extent& blocks = machine.grid.blocks;
  return {linear % blocks.x, linear / blocks.x % blocks.y, linear / blocks.x / blocks.y};
}

void entry(size_t slot) {
  machine.kernel->body(machine.params);
  Thread& thread = *machine.by_slot[slot];
  for (const ThreadHooks& hooks : thread_hooks) hooks.ended(thread.slot);
  end_copies(thread);
  end_cluster_thread(thread);
  thread.done = true;
}

void start_block(Block& block, Group& group, uint32_t rank, const Extent& index) {
  const Extent& extent = machine.grid.threads;
  const uint32_t count = extent.x * extent.y * extent.z, warps = (count + 31) / 32;
  block.group = &group;
  block.rank = rank;
  block.index = index;
  block.live = count;
  start_shared(block);
  block.threads.assign(count, Thread{});
  start_meetings(block);
  start_cluster(block);
  for (uint32_t i = 0; i < count; ++i) {
    Thread& thread = block.threads[i];
    thread.index = {i % extent.x, i / extent.x % extent.y, i / extent.x / extent.y};
    thread.number = i;
    thread.slot = block.place * count + i;
    thread.block = &block;
    thread.done = false;
    thread.clock.agent = kFirstThread + rank * warps * 32 + i;
    restamp(thread);
    machine.by_slot[thread.slot] = &thread;
    machine.fibers.start(thread.slot, entry);
    thread.stack = reinterpret_cast<uintptr_t>(machine.fibers.stack(thread.slot));
    for (const ThreadHooks& hooks : thread_hooks) hooks.started(thread.slot);
  }
}

void start_group(uint32_t cluster_index) {
  const Grid& grid = machine.grid;
  const uint32_t count = grid.threads.x * grid.threads.y * grid.threads.z;
  auto group = std::make_unique<Group>();
  group->number = machine.next_group++;
  group->first_async = kFirstThread + grid.cluster * ((count + 31) / 32) * 32;
  for (uint32_t rank = 0; rank < grid.cluster; ++rank) {
    Block& block = machine.blocks[machine.free_places.back()];
    machine.free_places.pop_back();
    group->blocks.push_back(&block);
    start_block(block, *group, rank, block_at(cluster_index * grid.cluster + rank));
  }
  machine.groups.push_back(std::move(group));
}

void end_group(Group& group) {
  for (Block* block : group.blocks) machine.free_places.push_back(block->place);
}

bool can_run(Thread& thread) {
  return !thread.done && (thread.watched == nullptr || *thread.watched != thread.unlike);
}

// One turn for the threads of a block, some left out. Returns how many went on and were not
// polling.
uint32_t sweep(Block& block, bool& ran) {
  const size_t count = block.threads.size();
  const size_t first = machine.next_random() % count;
  uint32_t moved = 0;
  for (size_t i = 0; i < count; ++i) {
    Thread& thread = block.threads[first + i < count ? first + i : first + i - count];
    if (!can_run(thread)) continue;
    if (ran && machine.next_random() % 8 == 0) continue;  // let some lag
    thread.polled = false;
    machine.now = &thread;
    machine.run_length = 0;
    machine.fibers.resume(thread.slot);
    machine.now = nullptr;
    ++machine.report.switches;
    ran = true;
    if (!thread.polled) ++moved;
    if (thread.done && --block.live == 0 && machine.options.hazards) end_cluster_block(block);
  }
  return moved;
}

// Copies whose time has come; with `idle`, the next one's time has come.
bool let_pending_happen(bool idle) {
  std::vector<Pending>& all = machine.pending;
  if (all.empty()) return false;
  if (idle)
    machine.tick = std::max(
        machine.tick,
        std::min_element(all.begin(), all.end(), [](auto& a, auto& b) { return a.at < b.at; })->at);
  bool happened = false;
  for (size_t i = 0; i < all.size();) {
    if (all[i].at > machine.tick) {
      ++i;
      continue;
    }
    const Pending pending = std::move(all[i]);
    all[i] = std::move(all.back());
    all.pop_back();
    pending.happen();
    happened = true;
  }
  return happened;
}

void report_deadlock(bool polling) {
  std::string text = "deadlock";
  if (polling) text += " (threads poll flags that nobody sets)";
  // Of the first that is stuck: the others wait for it or for the like.
  for (const Block* block : machine.groups.front()->blocks)
    if (block->live > 0)
      text += " in block " + std::to_string(block->index.x) + ":" + describe_waits(*block);
  problem(text, "deadlock");
}

// All groups of the grid, `resident` at a time.
void run_grid(const std::vector<uint32_t>& order, uint32_t resident) {
  const uint32_t most = kPlaces / machine.grid.cluster;
  size_t next = 0;
  int idle_polls = 0;
  while (machine.report.count < kStop) {
    while (machine.groups.size() < resident && next < order.size()) start_group(order[next++]);
    if (machine.groups.empty()) return;
    bool ran = false;
    uint32_t moved = 0;
    for (size_t g = 0; g < machine.groups.size(); ++g)
      for (Block* block : machine.groups[g]->blocks) moved += sweep(*block, ran);
    machine.tick += 4;
    const bool happened = let_pending_happen(!ran);
    idle_polls = moved > 0 || happened ? 0 : idle_polls + 1;
    if ((!ran && !happened && machine.pending.empty()) || idle_polls > kIdlePolls) {
      if (machine.groups.size() < most && next < order.size()) {
        ++resident;  // they may be waiting for a block that has not started
        idle_polls = 0;
        continue;
      }
      return report_deadlock(ran);
    }
    for (size_t g = 0; g < machine.groups.size();) {
      Group& group = *machine.groups[g];
      if (std::any_of(group.blocks.begin(), group.blocks.end(),
                      [](Block* b) { return b->live > 0; })) {
        ++g;
        continue;
      }
      end_group(group);
      machine.groups.erase(machine.groups.begin() + static_cast<ptrdiff_t>(g));
    }
  }
}

std::vector<uint32_t> shuffled(uint32_t count) {
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  for (uint32_t i = count; i > 1; --i) std::swap(order[i - 1], order[machine.next_random() % i]);
  return order;
}

std::string refuse(const Registered& kernel, const Grid& grid) {
  const uint64_t threads = uint64_t{grid.threads.x} * grid.threads.y * grid.threads.z;
  if (kernel.params_bytes > sizeof machine.params)
    return std::to_string(kernel.params_bytes) + " bytes of parameters, at most " +
           std::to_string(sizeof machine.params);
  if (grid.shared_bytes > kSharedMax)
    return "shared memory: " + std::to_string(grid.shared_bytes) + " bytes are more than 227 KB";
  if (threads == 0 || threads > kernel.threads)
    return std::to_string(threads) + " threads a block, the kernel is compiled for at most " +
           std::to_string(kernel.threads);
  if (grid.cluster == 0 || grid.cluster > 16 || grid.blocks.x % grid.cluster != 0)
    return "clusters of " + std::to_string(grid.cluster) + " blocks in a grid " +
           std::to_string(grid.blocks.x) + " wide";
  return "";
}

void prepare(const Registered& kernel, const Grid& grid, const void* params,
             const Options& options) {
  watch_for_crashes();
  machine.kernel = &kernel;
  // Where a GPU has them: at a place of their own, aligned as tensor maps want it.
  std::memcpy(machine.params, params, std::min(kernel.params_bytes, sizeof machine.params));
  machine.grid = grid;
  machine.options = options;
  machine.report = {};
  machine.random = options.seed * 0x9e3779b97f4a7c15u | 1;
  for (int i = 0; i < 4; ++i) machine.next_random();
  machine.tick = 0;
  machine.waited_for_previous = false;
  machine.groups.clear();
  machine.pending.clear();
  machine.readers.clear();
  start_atomics();
  start_copies();
  if (!grid.dependent) machine.chain_group = machine.next_group;
  machine.first_group = machine.next_group;
  if (machine.blocks.empty()) {
    machine.blocks = std::vector<Block>(kPlaces);
    for (uint32_t i = 0; i < kPlaces; ++i) machine.blocks[i].place = i;
  }
  machine.free_places.clear();
  for (uint32_t i = kPlaces; i > 0; --i) machine.free_places.push_back(i - 1);
  machine.by_slot.assign(kPlaces * grid.threads.x * grid.threads.y * grid.threads.z, nullptr);
}

}  // namespace

Report run(const Registered& kernel, const Grid& grid, const void* params, const Options& options) {
  prepare(kernel, grid, params, options);
  if (const std::string reason = refuse(kernel, grid); !reason.empty()) {
    problem(reason, reason.c_str());
    return machine.report;
  }
  const uint64_t blocks = uint64_t{grid.blocks.x} * grid.blocks.y * grid.blocks.z;
  if (machine.next_group + blocks >= kMaxGroups) {
    problem("more blocks in one process than the emulator can number", "groups");
    return machine.report;
  }
  const uint32_t most = kPlaces / grid.cluster;
  const uint32_t resident = options.resident > 0
                                ? options.resident
                                : 1 + static_cast<uint32_t>(machine.next_random() % 3);
  run_grid(shuffled(static_cast<uint32_t>(blocks / grid.cluster)), std::min(resident, most));
  // One block that waits keeps the grid from ending before the one before it.
  if (grid.dependent && options.hazards && !machine.waited_for_previous)
    problem("a dependent launch ended without wait_for_previous_kernel: the next kernel may start "
            "before the previous one has ended", "no wait");
  machine.groups.clear();
  machine.pending.clear();
  end_lint();
  return machine.report;
}

void settle() {
  machine.chain_group = machine.next_group;
}

Options& options() {
  return launch_options;
}

void add_report(const Report& report) {
  all_reports.count += report.count;
  all_reports.switches += report.switches;
  all_reports.accesses += report.accesses;
  for (const std::string& text : report.problems)
    if (all_reports.problems.size() < 8) all_reports.problems.push_back(text);
}

Report take_report() {
  Report taken;
  std::swap(taken, all_reports);
  return taken;
}

void add_thread_hooks(const ThreadHooks& hooks) {
  thread_hooks.push_back(hooks);
}
uint32_t max_slots() {
  return kPlaces * 1024;
}

void after_ticks(uint64_t ticks, std::function<void()> happen) {
  machine.pending.push_back({machine.tick + ticks, std::move(happen)});
}

}  // namespace hadal::simt
