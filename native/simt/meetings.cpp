// Where threads meet: warp collectives, barriers of the block, named barriers. A warp collective
// orders memory only where PTX says so (sync_warp and `.sync.aligned`, not shuffles and votes).
#include <algorithm>

#include "simt/machine.h"

namespace hadal::simt {

void enter(const char* call, Site site) {
  machine.now->call = call;
  machine.now->site = site;
}

void advance_time(Thread& thread) {
  Group& group = *thread.block->group;
  if (++thread.clock.time >= kMaxTime - 1) {
    problem("a thread released memory more than four million times: the emulator cannot count on",
            "time");
    thread.clock.time = 1;
  }
  group.time = std::max(group.time, thread.clock.time);
  restamp(thread);
}

void wait_while(const uint64_t* watched, uint64_t unlike) {
  Thread& self = *machine.now;
  while (*watched == unlike) {
    self.watched = watched;
    self.unlike = unlike;
    machine.fibers.yield();
  }
  self.watched = nullptr;
  self.waits_for.clear();
}

namespace {

bool same_place(Site a, Site b) {
  return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}

void collide(const Thread& self, const Meeting& meeting) {
  problem("divergent collectives: " + where(self) + " is in " + describe(self.call, self.site) +
              " while other lanes of its warp are in " + describe(meeting.call, meeting.site),
          "divergent", place_of(self.call, self.site), place_of(meeting.call, meeting.site));
}

// The lanes of the running thread's warp meet; `value` goes to all. With `order`, memory is ordered
// among them.
const Meeting& meet_warp(const char* call, Site site, uint64_t value, bool order) {
  enter(call, site);
  Thread& self = *machine.now;
  Block& block = *self.block;
  Meeting& warp = block.warps[self.warp()];
  const uint32_t full = block.threads.size() - self.warp() * 32 >= 32
                            ? ~0u
                            : (1u << (block.threads.size() - self.warp() * 32)) - 1;
  if (warp.lanes == 0) {
    warp.call = call;
    warp.site = site;
  } else if ((warp.call != call && std::strcmp(warp.call, call) != 0) ||
             !same_place(warp.site, site)) {
    collide(self, warp);
  }
  warp.lanes |= 1u << self.lane();
  warp.in[self.lane()] = value;
  if (order && machine.options.hazards)
    warp.gathered.add(self.clock, block.group->agents(), block.group->first_async);
  const uint64_t generation = warp.generation;
  if (warp.lanes != full) {
    wait_while(&warp.generation, generation);
  } else {
    if (full != ~0u)
      problem("missing lanes: the block's last warp has " +
                  std::to_string(block.threads.size() % 32) + " threads, and " +
                  describe(call, site) + " names all 32",
              "partial warp", place_of(call, site));
    warp.lanes = 0;
    ++warp.generation;
    std::copy_n(warp.in, 32, warp.out);
    std::swap(warp.given, warp.gathered);
    warp.gathered.clear();
    warp.time = ++block.group->time;
  }
  if (order && machine.options.hazards) {
    warp.given.give_member(self.clock);
    self.clock.time = warp.time;  // the same for all: later readers of a word share one cell
    restamp(self);
  }
  return warp;
}

// Whether all lanes of the warps that came have come.
bool whole_warps(const Block& block, const Barrier& barrier) {
  for (size_t w = 0; w < barrier.lanes.size(); ++w) {
    const size_t left = block.threads.size() - w * 32;
    const uint32_t full = left >= 32 ? ~0u : (1u << left) - 1;
    if (barrier.lanes[w] != 0 && barrier.lanes[w] != full) return false;
  }
  return true;
}

void check_barrier(const Thread& self, Barrier& barrier, int id, uint32_t threads, Site site) {
  const std::string name = id == 0 ? "sync_block" : "named barrier " + std::to_string(id);
  const Place place = place_of(self.call, site);
  if (barrier.arrived == 0) {
    barrier.expected = threads;
    barrier.site = site;
    barrier.lanes.assign(self.block->warps.size(), 0);
    barrier.sites.resize(self.block->warps.size());
    if (id != 0 && (threads % 32 != 0 || threads == 0 || threads > self.block->threads.size()))
      problem(name + ": a count of " + std::to_string(threads) +
                  " threads, which is no multiple of 32 up to " +
                  std::to_string(self.block->threads.size()) + " (" + describe(self.call, site) +
                  ")",
              "named count", place);
  } else if (barrier.expected != threads) {
    problem(name + ": " + where(self) + " brings a count of " + std::to_string(threads) + " at " +
                describe(self.call, site) + ", others one of " + std::to_string(barrier.expected) +
                " at " + describe("barrier", barrier.site),
            "named counts", place);
  }
  const uint32_t come = barrier.lanes[self.warp()];
  if (come == 0) {
    barrier.sites[self.warp()] = site;
  } else if (!same_place(barrier.sites[self.warp()], site)) {
    problem("divergent barrier: " + where(self) + " is at " + describe(self.call, site) +
                " while other lanes of its warp are at " +
                describe(self.call, barrier.sites[self.warp()]),
            "divergent barrier", place, place_of(self.call, barrier.sites[self.warp()]));
  }
  if ((come >> self.lane() & 1) != 0)
    problem(name + ": " + where(self) +
                " arrives a second time before the barrier is complete, at " +
                describe(self.call, site),
            "named twice", place);
}

void meet_block(const char* call, int id, uint32_t threads, bool wait, Site site) {
  enter(call, site);
  Thread& self = *machine.now;
  Block& block = *self.block;
  Barrier& barrier = block.barriers[id];
  check_barrier(self, barrier, id, threads, site);
  barrier.lanes[self.warp()] |= 1u << self.lane();
  const bool hazards = machine.options.hazards;
  if (hazards) barrier.gathered.add(self.clock, block.group->agents(), block.group->first_async);
  const uint64_t generation = barrier.generation;
  if (++barrier.arrived >= barrier.expected) {
    if (!whole_warps(block, barrier))
      problem(std::string(id == 0 ? "sync_block" : "named barrier") +
                  ": complete with some lanes of a warp missing, at " + describe(call, site),
              "partial barrier", place_of(call, site));
    barrier.arrived = 0;
    ++barrier.generation;
    std::swap(barrier.given, barrier.gathered);
    barrier.gathered.clear();
    barrier.time = ++block.group->time;
  } else if (wait) {
    wait_while(&barrier.generation, generation);
  }
  if (!hazards) return;
  if (!wait) return advance_time(self);
  barrier.given.give_member(self.clock);
  self.clock.time = barrier.time;
  restamp(self);
}

}  // namespace

void start_meetings(Block& block) {
  block.warps.assign((block.threads.size() + 31) / 32, Meeting{});
  for (Barrier& barrier : block.barriers) barrier = Barrier{};
}

void sync_block(Site site) {
  meet_block("sync_block", 0, static_cast<uint32_t>(machine.now->block->threads.size()), true,
             site);
}

void sync_named(int id, int threads, Site site) {
  if (id < 1 || id > 15)
    return report_problem("named barrier " + std::to_string(id) + ": there are 1 to 15",
                          "sync_named", site);
  meet_block("sync_named", id, static_cast<uint32_t>(threads), true, site);
}

void arrive_named(int id, int threads, Site site) {
  if (id < 1 || id > 15)
    return report_problem("named barrier " + std::to_string(id) + ": there are 1 to 15",
                          "arrive_named", site);
  meet_block("arrive_named", id, static_cast<uint32_t>(threads), false, site);
}

uint64_t shuffle(uint64_t value, int lane, Site site) {
  return meet_warp("shuffle", site, value, false).out[lane & 31];
}

void sync_warp(Site site) {
  meet_warp("sync_warp", site, 0, true);
}
void converge(const char* call, Site site) {
  meet_warp(call, site, 0, true);
}

uint32_t ballot(bool vote, Site site) {
  const Meeting& warp = meet_warp("ballot", site, vote, false);
  uint32_t bits = 0;
  for (int lane = 0; lane < 32; ++lane) bits |= static_cast<uint32_t>(warp.out[lane] & 1) << lane;
  return bits;
}

// One line for all that wait, with the lanes that a warp collective misses.
std::string describe_waits(const Block& block) {
  std::string text, last;
  for (const Thread& thread : block.threads) {
    if (thread.done) continue;
    std::string here = describe(thread.call, thread.site);
    if (!thread.waits_for.empty()) here += " (" + thread.waits_for + ")";
    if (here == last) continue;
    text += " [thread " + std::to_string(thread.number) + ".. in " + here + "]";
    last = here;
  }
  for (size_t w = 0; w < block.warps.size(); ++w) {
    const Meeting& warp = block.warps[w];
    if (warp.lanes == 0) continue;
    text += " [missing lanes in warp " + std::to_string(w) + ", " + describe(warp.call, warp.site) +
            ":";
    for (uint32_t lane = 0; lane < 32 && w * 32 + lane < block.threads.size(); ++lane)
      if ((warp.lanes >> lane & 1) == 0)
        text +=
            " " + std::to_string(lane) + (block.threads[w * 32 + lane].done ? " (has exited)" : "");
    text += "]";
  }
  for (int id = 0; id < 16; ++id)
    if (const Barrier& barrier = block.barriers[id]; barrier.arrived > 0)
      text += " [" + (id == 0 ? std::string("sync_block") : "named barrier " + std::to_string(id)) +
              ": " + std::to_string(barrier.arrived) + " of " + std::to_string(barrier.expected) +
              " threads have come]";
  text += describe_barriers(block);
  const auto exited = std::count_if(block.threads.begin(), block.threads.end(),
                                    [](const Thread& t) { return t.done; });
  if (exited > 0) text += " [" + std::to_string(exited) + " threads have exited]";
  return text;
}

}  // namespace hadal::simt
