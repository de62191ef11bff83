// The rules of the hazard model, cell by cell. A read must know of the last write; a write must
// know of the last write and of every read since. Atomic accesses need no order among themselves.
// Through the asynchronous proxy the same holds, and an ordinary write must also have been
// published by fence.proxy.async.
#include <cstdio>

#include "simt/machine.h"

namespace hadal::simt {

bool knows(const Thread& thread, Stamp stamp) {
  const uint32_t group = group_of(stamp), agent = agent_of(stamp);
  if (group == thread.block->group->number)
    return agent == thread.clock.agent || thread.clock.known[agent] >= time_of(stamp);
  if (group < machine.first_group) return true;
  if (thread.clock.elsewhere == nullptr) return false;
  const auto found = thread.clock.elsewhere->find(group);
  return found != thread.clock.elsewhere->end() && found->second[agent] >= time_of(stamp);
}

bool knows_published(const Thread& thread, Stamp stamp, bool shared) {
  const Group& group = *thread.block->group;
  if (group_of(stamp) != group.number) return true;
  const uint32_t agent = agent_of(stamp);
  if (agent == thread.clock.agent)
    return (shared ? thread.clock.published_time : thread.clock.published_global_time) >=
           time_of(stamp);
  return thread.clock.published[shared ? agent : group.first_async + agent] >= time_of(stamp);
}

void learn(Thread& thread, uint32_t agent, uint32_t time) {
  if (thread.clock.known[agent] >= time) return;
  Known known = Known::copy(thread.clock.known, thread.block->group->agents());
  known.set(agent, time);
  thread.clock.known = known;
}

namespace {

struct Now {
  const Region& region;
  Thread& thread;
  Access access;
  Place place;
  size_t offset, bytes;
};

std::string memory_name(const Region& region, size_t offset) {
  char text[64];
  if (region.shared) {
    std::snprintf(text, sizeof text, "shared+0x%zx", offset);
  } else {
    std::snprintf(text, sizeof text, "global memory (byte %zu of the allocation)", offset);
  }
  return text;
}

// Who a stamp speaks of.
std::string agent_name(Stamp stamp, bool wrote) {
  const uint32_t number = group_of(stamp), agent = agent_of(stamp);
  if (number < machine.first_group) return "the previous kernel";
  for (const auto& group : machine.groups) {
    if (group->number != number) continue;
    if (agent >= group->first_async) {
      const AsyncAgent& async = group->async[agent - group->first_async];
      return wrote ? async.writes : async.reads;
    }
    for (const Block* block : group->blocks)
      for (const Thread& thread : block->threads)
        if (thread.clock.agent == agent) return where(thread);
  }
  return "a thread of another block";
}

void race(const Now& now, const char* kind, const char* verb, Stamp other, bool other_wrote,
          Place other_place, const char* rest) {
  problem(std::string(kind) + ": " + where(now.thread) + " " + verb + " " +
              memory_name(now.region, now.offset) + " at " + describe(now.place) + ", " +
              agent_name(other, other_wrote) + (other_wrote ? " wrote it at " : " reads it at ") +
              describe(other_place) + rest,
          kind, now.place, other_place);
}

bool is_async_agent(Stamp stamp) {
  for (const auto& group : machine.groups)
    if (group->number == group_of(stamp)) return agent_of(stamp) >= group->first_async;
  return false;
}

// What an earlier launch left, that may still be running (programmatic dependent launch).
bool not_ready(const Now& now, Stamp stamp) {
  const Thread& thread = now.thread;
  const uint32_t group = group_of(stamp);
  return !now.region.shared && group != 0 && group < machine.first_group &&
         group >= machine.chain_group && machine.grid.dependent &&
         thread.clock.known[kPreviousKernel] == 0;
}

const char* verb_of(Access access) {
  return !writes(access) ? "reads" : !reads(access) ? "writes" : "updates";
}

void check_last_write(const Now& now, const Cell& cell) {
  const Stamp write = cell.write;
  if (not_ready(now, write))
    return race(now, "access before wait_for_previous_kernel", verb_of(now.access), write, true,
                cell.write_place, "");
  if (now.region.shared && group_of(write) != now.thread.block->group->number) {
    if (reads(now.access))
      problem("read of shared memory that nothing wrote: " + where(now.thread) + " reads " +
                  memory_name(now.region, now.offset) + " at " + describe(now.place),
              "uninitialised", now.place);
    return;
  }
  if (write == 0 || knows(now.thread, write)) return;
  if (atomic(now.access) && (write & kStampAtomic) != 0) return;
  if ((write & kStampAsync) != 0)
    return race(now,
                !writes(now.access) ? "read before the copy has completed"
                                    : "write before the copy has completed",
                verb_of(now.access), write, true, cell.write_place, "");
  race(now, !writes(now.access) ? "read/write race" : "write/write race", verb_of(now.access),
       write, true, cell.write_place, ", and nothing orders them");
}

void check_reader(const Now& now, Stamp stamp, uint32_t lanes, Place place) {
  if (not_ready(now, stamp))
    return race(now, "write before wait_for_previous_kernel", "writes", stamp, false, place, "");
  if (group_of(stamp) < machine.first_group) return;
  for (uint32_t left = lanes; left != 0; left &= left - 1) {
    const Stamp reader = stamp | static_cast<uint32_t>(__builtin_ctz(left));
    if (knows(now.thread, reader)) continue;
    const bool update = (stamp & kStampAtomic) != 0;
    if (update && atomic(now.access)) continue;
    if (update)
      return race(now, !writes(now.access) ? "read/write race" : "write/write race",
                  verb_of(now.access), reader, true, place, ", and nothing orders them");
    if (is_async_agent(reader))
      return race(now, "write while an asynchronous read may still be going on",
                  verb_of(now.access), reader, false, place, "");
    return race(now, "read/write race", verb_of(now.access), reader, false, place,
                ", and nothing orders them");
  }
}

bool fresh(Stamp read) {
  return group_of(read) >= machine.first_group;
}

void check_readers(const Now& now, const Cell& cell, bool atomic_only) {
  if (cell.read == 0) return;
  if (!atomic_only || (cell.read & kStampAtomic) != 0)
    check_reader(now, cell.read, cell.lanes, cell.read_place);
  if (!fresh(cell.read)) return;
  for (uint32_t i = cell.more; i != 0;) {
    const Reader reader = machine.readers[i];
    if (!atomic_only || (reader.stamp & kStampAtomic) != 0)
      check_reader(now, reader.stamp, reader.lanes, reader.place);
    i = reader.next;
  }
}

void forget_readers(Cell& cell) {
  if (cell.more != 0) {
    if (fresh(cell.read)) machine.readers.drop(cell.more);
    cell.more = 0;
  }
  cell.read = 0;
}

// Shared memory serves one group after another.
void forget_other_group(const Now& now, Cell& cell) {
  if (now.region.shared && cell.read != 0 && group_of(cell.read) != group_of(now.thread.stamp))
    forget_readers(cell);
}

bool all_known(const Thread& thread, Stamp stamp, uint32_t lanes) {
  for (; lanes != 0; lanes &= lanes - 1)
    if (!knows(thread, stamp | static_cast<uint32_t>(__builtin_ctz(lanes)))) return false;
  return true;
}

constexpr int kMostReaders = 48;  // of a cell; the oldest are forgotten

void trim(uint32_t first) {
  for (int left = kMostReaders; first != 0; first = machine.readers[first].next)
    if (--left == 0) return machine.readers.drop(machine.readers[first].next);
}

void add_reader(const Thread& thread, Cell& cell, Stamp stamp, uint32_t lanes, Place place) {
  if (cell.read == stamp) {
    cell.lanes |= lanes;
    return;
  }
  if (cell.read != 0 && !fresh(cell.read)) cell.more = 0;  // the list was of an earlier launch
  if (cell.read != 0 && fresh(cell.read)) {
    if (all_known(thread, cell.read, cell.lanes)) {
      // Ordered before this one: who is ordered after this one is ordered after that one, too.
      for (uint32_t i = cell.more; i != 0; i = machine.readers[i].next)
        if (!all_known(thread, machine.readers[i].stamp, machine.readers[i].lanes)) goto keep;
      machine.readers.drop(cell.more);
    } else {
    keep:
      for (uint32_t i = cell.more; i != 0; i = machine.readers[i].next) {
        Reader& reader = machine.readers[i];
        if (reader.stamp != stamp) continue;
        reader.lanes |= lanes;
        return;
      }
      // Of other groups one reader is enough: weights are read by all.
      if (group_of(cell.read) != group_of(stamp)) machine.readers.drop(cell.more);
      cell.more = machine.readers.add({cell.read, cell.lanes, cell.read_place, cell.more});
      trim(cell.more);
    }
  }
  cell.read = stamp;
  cell.lanes = lanes;
  cell.read_place = place;
}

void read_cell(const Now& now, Cell& cell) {
  const Stamp warp = warp_of(now.thread.stamp);
  const uint32_t lane = 1u << (now.thread.clock.agent & 31);
  if (cell.read == warp && (cell.lanes & lane) != 0) return;  // read since it was written
  forget_other_group(now, cell);
  check_last_write(now, cell);
  if ((cell.write & kStampAtomic) != 0) check_readers(now, cell, true);
  if (group_of(cell.write) != group_of(warp) && now.region.shared) {
    forget_readers(cell);
    cell.write = make_stamp(group_of(warp), 0, 0, 0);  // reported once
  }
  add_reader(now.thread, cell, warp, lane, now.place);
}

void write_cell(const Now& now, Cell& cell) {
  const Stamp stamp = now.thread.stamp;
  if (cell.write == stamp && cell.read == 0) return;
  forget_other_group(now, cell);
  check_last_write(now, cell);
  check_readers(now, cell, false);
  forget_readers(cell);
  cell.write = stamp;
  cell.write_place = now.place;
}

void atomic_cell(const Now& now, Cell& cell) {
  const Stamp stamp = now.thread.stamp | kStampAtomic, before = cell.write;
  if (before == stamp && cell.read == 0) return;
  forget_other_group(now, cell);
  check_last_write(now, cell);
  check_readers(now, cell, false);
  const bool concurrent = (before & kStampAtomic) != 0 && before != stamp &&
                          group_of(before) >= machine.first_group && !knows(now.thread, before);
  const Place before_place = cell.write_place;
  if (!concurrent && (before & kStampAtomic) == 0) forget_readers(cell);
  cell.write = stamp;
  cell.write_place = now.place;
  // Who reads plainly must know of all the updates that nothing orders, not of the last alone.
  if (concurrent)
    add_reader(now.thread, cell, warp_of(before), 1u << (agent_of(before) & 31), before_place);
}

}  // namespace

namespace {

template <typename Rule>
void each_cell(const Region& region, size_t offset, size_t bytes, Access access, Place place,
               const Rule& rule) {
  region.shadow->visit(offset, bytes, [&](Cell& cell, size_t at, size_t count) {
    rule(Now{region, *machine.now, access, place, at, count}, cell);
  });
}

}  // namespace

void touch(const Region& region, size_t offset, size_t bytes, Access access, Place place) {
  switch (access) {
    case Access::kRead:
      return each_cell(region, offset, bytes, access, place, read_cell);
    case Access::kAtomicRead:
      return each_cell(region, offset, bytes, access, place, [](const Now& now, Cell& cell) {
        forget_other_group(now, cell);
        check_last_write(now, cell);
      });
    case Access::kWrite:
      each_cell(region, offset, bytes, access, place, write_cell);
      break;
    default:
      each_cell(region, offset, bytes, access, place, atomic_cell);
  }
  region.shadow->merge(offset, bytes);
}

namespace {

// Whether the running thread may let the asynchronous proxy read or overwrite what was written
// last.
bool check_published(const Now& now, const Cell& cell) {
  const Stamp write = cell.write;
  if (not_ready(now, write)) return check_last_write(now, cell), false;
  const bool ours = group_of(write) >= machine.first_group;
  if (now.region.shared ? group_of(write) != now.thread.block->group->number : !ours) {
    if (now.region.shared && !writes(now.access)) return check_last_write(now, cell), false;
    return true;
  }
  if (!knows(now.thread, write)) return check_last_write(now, cell), false;
  if ((write & kStampAsync) != 0 || knows_published(now.thread, write, now.region.shared))
    return true;
  race(now, "missing fence_proxy_async", verb_of(now.access), write, true, cell.write_place,
       " through the generic proxy");
  return false;
}

}  // namespace

void touch_async(const Region& region, size_t offset, size_t bytes, bool write, uint32_t agent,
                 uint32_t time, Place place) {
  Thread& thread = *machine.now;
  const Stamp stamp = make_stamp(thread.block->group->number, time, kStampAsync, agent);
  region.shadow->visit(offset, bytes, [&](Cell& cell, size_t at, size_t count) {
    const Now now{region, thread, write ? Access::kWrite : Access::kRead, place, at, count};
    forget_other_group(now, cell);
    check_published(now, cell);
    if (!write) return add_reader(thread, cell, warp_of(stamp), 1u << (agent & 31), place);
    check_readers(now, cell, false);
    forget_readers(cell);
    cell.write = stamp;
    cell.write_place = place;
  });
  if (write) region.shadow->merge(offset, bytes);
}

}  // namespace hadal::simt
