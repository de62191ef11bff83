// Barriers in shared memory (mbarrier): counts of arrivals and of bytes, phases, and the order that
// a phase brings.
#include "simt/async.h"
#include "simt/machine.h"

namespace hadal::simt {
namespace {

std::string barrier_name(const MemoryBarrier& barrier) {
  char text[48];
  std::snprintf(text, sizeof text, "mbarrier at shared+0x%x", barrier.offset);
  return text;
}

void complete_phase(MemoryBarrier& barrier, Block& owner) {
  if (barrier.pending != 0 || barrier.bytes != 0) return;
  ++barrier.phase;
  barrier.pending = barrier.count;
  if (!machine.options.hazards) return;
  Gathered& all = barrier.gathered;
  if (!all.known) all.known = Known::copy({}, owner.group->agents());
  all.known.set(barrier.agent, static_cast<uint32_t>(barrier.phase));
  std::swap(barrier.given, all);
  all.clear();
}

void arrive(uint32_t address, uint32_t count, uint32_t bytes, const char* call, Site site) {
  enter(call, site);
  Block* owner = nullptr;
  MemoryBarrier* barrier = find_barrier(address, call, site, &owner);
  if (barrier == nullptr) return;
  Thread& self = *machine.now;
  if (machine.options.hazards) {
    if (owner != self.block) note_visit(*owner);
    barrier->gathered.add(self.clock, owner->group->agents(), owner->group->first_async);
    advance_time(self);
  }
  barrier->bytes += bytes;
  barrier->pending -= count;
  if (barrier->pending < 0) {
    report_problem(barrier_name(*barrier) + ": more arrivals than it counts (" +
                       std::to_string(barrier->count) + ") in phase " +
                       std::to_string(barrier->phase),
                   call, site);
    barrier->pending = 0;
  }
  complete_phase(*barrier, *owner);
}

}  // namespace

MemoryBarrier* find_barrier(uint32_t address, const char* call, Site site, Block** owner) {
  Block* block = machine.now->block;
  if (const uint32_t rank = address >> 24; rank > 0) {
    if (rank > block->group->blocks.size()) {
      report_problem("no block " + std::to_string(rank - 1) + " in the cluster", call, site);
      return nullptr;
    }
    block = block->group->blocks[rank - 1];
  }
  const uint32_t offset = address & 0xffffff;
  if (owner != nullptr) *owner = block;
  for (MemoryBarrier& barrier : block->memory_barriers) {
    if (barrier.offset != offset || !barrier.valid) continue;
    if (machine.options.hazards)  // its initialisation must be known
      touch({&block->shadow, true, block->shared}, offset, 8, Access::kAtomicRead,
            place_of(call, site));
    return &barrier;
  }
  report_problem("mbarrier used before init (shared+" + std::to_string(offset) + ")", call, site);
  return nullptr;
}

void complete_bytes(MemoryBarrier& barrier, Block& owner, int64_t bytes) {
  barrier.bytes -= bytes;
  complete_phase(barrier, owner);
}

void barrier_init(uint32_t address, uint32_t count, Site site) {
  enter("barrier_init", site);
  Block& block = *machine.now->block;
  if (address % 8 != 0)
    report_problem("mbarrier at an address that is no multiple of 8", "barrier_init", site);
  if (count == 0 || count >= 1u << 20)
    report_problem("mbarrier with a count of " + std::to_string(count), "barrier_init", site);
  if (machine.options.hazards)
    access_memory(block.shared + address, 8, Access::kWrite, true, place_of("barrier_init", site));
  for (MemoryBarrier& barrier : block.memory_barriers)
    if (barrier.valid && barrier.offset == address) {
      report_problem(barrier_name(barrier) + " initialised a second time without invalidation",
                     "barrier_init", site);
      barrier.valid = false;
    }
  MemoryBarrier barrier;
  barrier.offset = address;
  barrier.count = count;
  barrier.pending = count;
  barrier.creator = machine.now->slot;
  barrier.agent = block.group->add_agent({"a copy", "a copy", address});
  block.memory_barriers.push_back(std::move(barrier));
}

void barrier_invalidate(uint32_t address, Site site) {
  enter("barrier_invalidate", site);
  MemoryBarrier* barrier = find_barrier(address, "barrier_invalidate", site);
  if (barrier == nullptr) return;
  if (barrier->bytes != 0)
    report_problem(barrier_name(*barrier) + " invalidated while it waits for " +
                       std::to_string(barrier->bytes) + " bytes",
                   "barrier_invalidate", site);
  barrier->valid = false;
  if (machine.options.hazards)
    access_memory(machine.now->block->shared + address, 8, Access::kWrite, true,
                  place_of("barrier_invalidate", site));
}

void barrier_arrive(uint32_t address, uint32_t count, uint32_t bytes, Site site) {
  arrive(address, count, bytes, bytes > 0 ? "barrier_arrive_expect" : "barrier_arrive", site);
}

void barrier_expect(uint32_t address, uint32_t bytes, Site site) {
  enter("barrier_expect", site);
  if (MemoryBarrier* barrier = find_barrier(address, "barrier_expect", site))
    barrier->bytes += bytes;
}

bool barrier_test(uint32_t address, uint32_t parity, Site site) {
  poll(site);
  enter("barrier_test", site);
  MemoryBarrier* barrier = find_barrier(address, "barrier_test", site);
  if (barrier == nullptr) return true;
  if ((barrier->phase & 1) == (parity & 1)) return false;
  if (machine.options.hazards) barrier->given.give(machine.now->clock);
  return true;
}

void barrier_wait(uint32_t address, uint32_t parity, Site site) {
  enter("barrier_wait", site);
  MemoryBarrier* barrier = find_barrier(address, "barrier_wait", site);
  if (barrier == nullptr) return;
  const uint64_t phase = barrier->phase;
  if ((phase & 1) == (parity & 1)) {
    machine.now->waits_for = barrier_name(*barrier) + ", phase " + std::to_string(phase);
    wait_while(&barrier->phase, phase);
    if (barrier->phase - phase > 1)
      report_problem(barrier_name(*barrier) + ": a waiter was lapped, the barrier went on by " +
                         std::to_string(barrier->phase - phase) + " phases before it was seen",
                     "barrier_wait", site);
  }
  if (machine.options.hazards) barrier->given.give(machine.now->clock);
}

namespace {

void publish_barriers(const Thread& self) {
  for (MemoryBarrier& barrier : self.block->memory_barriers)
    if (barrier.creator == self.slot) barrier.published = true;
}

}  // namespace

void fence_barrier_init(Site site) {
  enter("fence_barrier_init", site);
  publish_barriers(*machine.now);
}

void fence_proxy_async(bool global, Site site) {
  enter("fence_proxy_async", site);
  if (!machine.options.hazards) return;
  Thread& self = *machine.now;
  if (!global) publish_barriers(self);
  // What it knows is published with what it has done: a fence is cumulative.
  const uint32_t threads = self.block->group->first_async;
  Known published = Known::copy(self.clock.published, 2 * threads);
  for (uint32_t agent = 0; agent < threads; ++agent)
    published.set(global ? threads + agent : agent, self.clock.known[agent]);
  self.clock.published = published;
  (global ? self.clock.published_global_time : self.clock.published_time) = self.clock.time;
  advance_time(self);
}

std::string describe_barriers(const Block& block) {
  std::string text;
  for (const MemoryBarrier& barrier : block.memory_barriers)
    if (barrier.valid && (barrier.pending != barrier.count || barrier.bytes != 0))
      text += " [" + barrier_name(barrier) + ": phase " + std::to_string(barrier.phase) + ", " +
              std::to_string(barrier.pending) + " of " + std::to_string(barrier.count) +
              " arrivals missing, tx " + std::to_string(barrier.bytes) + "]";
  return text;
}

}  // namespace hadal::simt
