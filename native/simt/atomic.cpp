// Atomic operations, and what acquire and release of a word or a fence on both sides of it order.
#include <unordered_map>

#include "simt/machine.h"

namespace hadal::simt {
namespace {

// By address: what was released there in this launch.
std::unordered_map<uintptr_t, Elsewhere> released;

Elsewhere all_known(const Thread& thread) {
  Known mine = Known::copy(thread.clock.known, thread.block->group->agents());
  mine.set(thread.clock.agent, thread.clock.time);
  auto groups = thread.clock.elsewhere != nullptr
                    ? std::make_shared<Groups>(*thread.clock.elsewhere)
                    : std::make_shared<Groups>();
  (*groups)[thread.block->group->number] = mine;
  return groups;
}

void learn(Thread& thread, const Elsewhere& what) {
  if (what == nullptr) return;
  const auto mine = what->find(thread.block->group->number);
  if (mine != what->end()) thread.clock.known = Known::united(thread.clock.known, mine->second);
  if (what->size() > (mine != what->end() ? 1u : 0u))
    thread.clock.elsewhere = united(thread.clock.elsewhere, what);
}

}  // namespace

void start_atomics() {
  released.clear();
}

void atomic_access(const void* address, size_t bytes, AtomicUse use, Order order, Site site) {
  enter("atomic", site);
  if (!machine.options.hazards) return;
  Thread& self = *machine.now;
  const Place place = place_of("atomic", site);
  access_memory(address, bytes,
                !use.write ? Access::kAtomicRead
                : use.read ? Access::kAtomic
                           : Access::kAtomicWrite,
                true, place);
  Elsewhere* word = nullptr;
  const auto at = reinterpret_cast<uintptr_t>(address);
  if (const auto found = released.find(at); found != released.end()) word = &found->second;
  if (use.read && word != nullptr) {
    if (order == Order::kAcquire || order == Order::kAcquireRelease) {
      learn(self, *word);
    } else {
      self.to_acquire = united(self.to_acquire, *word);
    }
  }
  if (!use.write) return;
  if (order == Order::kRelease || order == Order::kAcquireRelease) {
    Elsewhere& to = released[at];
    to = united(to, all_known(self));
    advance_time(self);
  } else if (self.fenced != nullptr) {
    Elsewhere& to = released[at];
    to = united(to, self.fenced);
  }
}

void let_others_run() {
  machine.now->polled = true;
  machine.fibers.yield();
}

void poll(Site site) {
  enter("load_acquire", site);
  let_others_run();
}

void fence_device(Site site) {
  enter("fence_device", site);
  if (!machine.options.hazards) return;
  Thread& self = *machine.now;
  learn(self, self.to_acquire);
  self.to_acquire = nullptr;
  self.fenced = all_known(self);
  advance_time(self);
}

}  // namespace hadal::simt
