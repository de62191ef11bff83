// Clusters: blocks that reach into each other's shared memory, and their common barrier; registers
// that warps hand to one another.
#include <algorithm>

#include "simt/async.h"
#include "simt/machine.h"

namespace hadal::simt {
namespace {

constexpr uint32_t kRegisters = 65536;  // of an SM

uint32_t threads_of(const Group& group) {
  uint32_t count = 0;
  for (const Block* block : group.blocks) count += static_cast<uint32_t>(block->threads.size());
  return count;
}

}  // namespace

uint32_t cluster_rank() {
  return machine.now->block->rank;
}
uint32_t cluster_size() {
  return static_cast<uint32_t>(machine.now->block->group->blocks.size());
}

void cluster_arrive(Site site) {
  enter("cluster_arrive", site);
  Thread& self = *machine.now;
  Group& group = *self.block->group;
  Barrier& barrier = group.cluster;
  if (self.cluster_arrived)
    return report_problem("arrives at the cluster's barrier a second time without waiting",
                          "cluster_arrive", site);
  self.cluster_arrived = true;
  self.cluster_generation = barrier.generation;
  if (machine.options.hazards) {
    barrier.gathered.add(self.clock, group.agents(), group.first_async);
    advance_time(self);
  }
  if (++barrier.arrived < threads_of(group)) return;
  barrier.arrived = 0;
  ++barrier.generation;
  std::swap(barrier.given, barrier.gathered);
  barrier.gathered.clear();
}

void cluster_wait(Site site) {
  enter("cluster_wait", site);
  Thread& self = *machine.now;
  Barrier& barrier = self.block->group->cluster;
  if (!self.cluster_arrived)
    return report_problem("waits at the cluster's barrier without having arrived", "cluster_wait",
                          site);
  self.waits_for = "the cluster's barrier";
  wait_while(&barrier.generation, self.cluster_generation);
  self.cluster_arrived = false;
  if (machine.options.hazards) barrier.given.give(self.clock);
}

uint32_t map_shared(uint32_t address, uint32_t rank, Site site) {
  if (rank >= cluster_size())
    report_problem(
        "block " + std::to_string(rank) + " of a cluster of " + std::to_string(cluster_size()),
        "map_shared", site);
  return (rank + 1) << 24 | (address & 0xffffff);
}

uint8_t* map_pointer(const void* pointer, uint32_t rank, Site site) {
  return shared_pointer(map_shared(shared_offset(pointer), rank, site));
}

void store_async(uint32_t to, const void* value, uint32_t bytes, uint32_t barrier_address,
                 Site site) {
  enter("store_async", site);
  Block *owner = nullptr, *target = machine.now->block;
  if (to >> 24 > 0 && to >> 24 <= target->group->blocks.size())
    target = target->group->blocks[(to >> 24) - 1];
  MemoryBarrier* barrier = find_barrier(barrier_address, "store_async", site, &owner);
  if (barrier == nullptr) return;
  if (owner != target)
    report_problem("the barrier lies in another block than the bytes", "store_async", site);
  const Place place = place_of("store_async", site);
  uint8_t* at = shared_pointer(to);
  if (machine.options.hazards) {
    Found found;
    if (!find_memory(at, bytes, true, place, &found)) return;
    if (!check_alive(*target)) return;
    barrier->last_copy = static_cast<uint32_t>(barrier->phase + 1);
    touch_async(found.region, found.offset, bytes, true, barrier->agent,
                static_cast<uint32_t>(barrier->phase + 1), place);
  }
  std::fill_n(at, bytes, uint8_t{0xff});
  uint64_t stored[2] = {};
  std::memcpy(stored, value, bytes);
  const uint64_t low = stored[0], high = stored[1];
  after_ticks(1 + machine.next_random() % 32, [=] {
    if (std::none_of(machine.groups.begin(), machine.groups.end(),
                     [&](auto& g) { return g.get() == target->group; }))
      return;
    const uint64_t both[2] = {low, high};
    std::memcpy(at, both, bytes);
    complete_bytes(*barrier, *owner, bytes);
  });
}

// A block must not end while another may still reach into its memory: when it does, it must know of
// all that did.
bool check_alive(const Block& owner) {
  const Thread& self = *machine.now;
  if (owner.live > 0) return true;
  report_problem("reaches into the shared memory of block " + std::to_string(owner.rank) +
                     " of the cluster, which has ended",
                 self.call, self.site);
  return false;
}

void note_visit(Block& owner) {
  Thread& self = *machine.now;
  if (!check_alive(owner)) return;
  uint32_t& time = owner.visits[self.clock.agent];
  time = std::max(time, self.clock.time);
}

void start_cluster(Block& block) {
  block.memory_barriers.clear();
  block.tensor_streams.clear();
  block.exits.clear();
  block.visits.clear();
  const uint32_t threads = static_cast<uint32_t>((block.threads.size() + 127) / 128 * 128);
  block.registers.assign((block.threads.size() + 31) / 32,
                         std::min(kRegisters / threads / 8 * 8, 248u));
}

void end_cluster_thread(Thread& thread) {
  Block& block = *thread.block;
  if (thread.cluster_arrived)
    report_problem("ends between its arrival at the cluster's barrier and the wait", thread.call,
                   thread.site);
  if (machine.options.hazards)
    block.exits.add(thread.clock, block.group->agents(), block.group->first_async);
}

void end_cluster_block(Block& block) {
  const std::string name = "block " + std::to_string(block.index.x);
  for (const MemoryBarrier& barrier : block.memory_barriers)
    if (barrier.last_copy > block.exits.known[barrier.agent])
      problem(
          name +
              " ends without having waited for a copy into its shared memory (mbarrier at shared+" +
              std::to_string(barrier.offset) + ", tx " + std::to_string(barrier.bytes) + ")",
          "ends during copies");
  for (size_t w = 0; w < block.registers.size(); ++w)
    if (block.registers[w] != block.registers[w / 4 * 4])
      return problem(name + ": the warps of warpgroup " + std::to_string(w / 4) +
                         " end with different counts of registers",
                     "registers");
  for (const auto& [agent, time] : block.visits)
    if (block.exits.known[agent] < time)
      return problem(name +
                         " ends while a peer of the cluster may still reach into its shared "
                         "memory: nothing orders the two",
                     "early exit");
}

void set_registers(uint32_t count, bool more, Site site) {
  const char* call = more ? "claim_registers" : "release_registers";
  converge(call, site);
  Thread& self = *machine.now;
  Block& block = *self.block;
  uint32_t& mine = block.registers[self.warp()];
  if (count % 8 != 0 || count < 24 || count > 256)
    return report_problem(
        std::to_string(count) + " registers: expected a multiple of 8 from 24 to 256", call, site);
  if (self.lane() != 0) return converge(call, site);  // once a warp
  if (more ? count < mine : count > mine)
    report_problem(
        std::to_string(count) + " registers from " + std::to_string(mine) + ": the wrong direction",
        call, site);
  const auto used = [&] {
    uint32_t sum = 0;
    for (const uint32_t warp : block.registers) sum += warp * 32;
    return sum;
  };
  while (more && used() + (count - mine) * 32 > kRegisters && count > mine) {
    self.waits_for = "registers: " + std::to_string(used()) + " of 65536 are in use";
    wait_while(&block.registers_freed, block.registers_freed);
  }
  mine = count;
  ++block.registers_freed;
  converge(call, site);
}

}  // namespace hadal::simt
