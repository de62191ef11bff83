// The emulated machine: blocks that live now, their threads, and who waits for what. Shared by the
// files of this folder only; one machine a process, and all of it on one OS thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "simt/clock.h"
#include "simt/fiber.h"
#include "simt/hazards.h"
#include "simt/run.h"
#include "simt/shadow.h"

namespace hadal::simt {

constexpr uint32_t kSharedMax = 227 * 1024;
// Address space of a block's shared memory; what lies around it is a mistake.
constexpr size_t kSharedWindow = 4 << 20;
constexpr size_t kSharedStart = 1 << 20;  // in the window
constexpr uint32_t kPlaces = 64;          // blocks that live at one time
constexpr uint32_t kLongRun = 1 << 16;   // accesses of a thread until others run: it may be spinning
constexpr uint32_t kPreviousKernel = 0;  // an agent: time 1 is known after wait_for_previous_kernel
constexpr uint32_t kFirstThread = 32;    // agents of threads: 32 · (1 + warp in the group) + lane

struct Block;
struct Group;

struct Thread {
  Extent index;
  uint32_t number = 0, slot = 0;  // in the block; of the fiber
  Block* block = nullptr;
  uintptr_t stack = 0;  // its lowest address
  bool done = true;
  // Cannot run while *watched == unlike.
  const uint64_t* watched = nullptr;
  uint64_t unlike = 0;
  bool polled = false;  // gave way because a flag in memory was not set yet
  const char* call = "its start";
  Site site{"", 0};
  Clock clock;
  Stamp stamp = 0;
  Elsewhere fenced;      // what a fence_device made ready for the relaxed atomics after it
  Elsewhere to_acquire;  // what relaxed atomics have seen, for the next fence_device
  bool cluster_arrived = false;
  uint64_t cluster_generation = 0;
  std::string waits_for;  // more about what it waits for, for a deadlock's report

  uint32_t warp() const { return number / 32; }
  uint32_t lane() const { return number % 32; }
};

// Lanes of a warp that wait for the others.
struct Meeting {
  uint64_t generation = 0;
  uint32_t lanes = 0;
  const char* call = "";
  Site site{"", 0};
  uint64_t in[32] = {}, out[32] = {};
  uint32_t time = 0;  // at which those that have met go on
  Gathered gathered, given;
};

// An mbarrier object.
struct MemoryBarrier {
  uint32_t offset = 0;
  uint32_t agent = 0;  // its phase is the agent's time: what copies that it counts have written
  uint32_t count = 0;
  int64_t pending = 0, bytes = 0;  // arrivals and bytes that the phase still waits for
  uint64_t phase = 0;
  uint32_t last_copy = 0;  // the agent's time that stands for the last copy that reports to it
  bool valid = true;
  bool published = false;  // its initialisation, to the asynchronous proxy
  uint32_t creator = 0;    // slot of the thread that initialised it
  Gathered gathered, given;
};

// A barrier of the block (named, with a count) or of a cluster.
struct Barrier {
  uint64_t generation = 0;
  uint32_t arrived = 0, expected = 0;
  Site site{"", 0};
  std::vector<uint32_t> lanes;  // by warp, who has come
  std::vector<Site> sites;      // by warp, from where
  uint32_t time = 0;
  Gathered gathered, given;
};

struct Block {
  Group* group = nullptr;
  uint32_t place = 0, rank = 0;
  Extent index;
  uint32_t live = 0;
  uint8_t* shared = nullptr;
  Shadow shadow;
  std::vector<Thread> threads;
  std::vector<Meeting> warps;
  Barrier barriers[16];
  std::deque<MemoryBarrier> memory_barriers;
  std::vector<uint32_t> tensor_streams;  // agents by warp; 0: none yet
  std::vector<uint32_t> registers;       // a thread's, by warp
  uint64_t registers_freed = 0;
  Gathered exits;  // what its threads knew when they ended
  // Agents of other blocks that reached into its memory, and when.
  std::map<uint32_t, uint32_t> visits;
};

// What an agent that is no thread is called in reports.
struct AsyncAgent {
  const char* reads;  // "a wgmma", "a bulk store"
  const char* writes;
  uint32_t owner;  // thread in the group or barrier's shared offset
};

// The blocks of one cluster, or one block.
struct Group {
  uint32_t number = 0;
  uint32_t time = 1;
  uint32_t first_async = 0;
  std::vector<AsyncAgent> async;
  std::vector<Block*> blocks;
  Barrier cluster;

  uint32_t agents() const { return first_async + static_cast<uint32_t>(async.size()); }
  uint32_t add_agent(const AsyncAgent& agent) {
    async.push_back(agent);
    return agents() - 1;
  }
};

// Something that happens by itself at a later tick: a copy, mostly.
struct Pending {
  uint64_t at;
  std::function<void()> happen;
};

struct Machine {
  Fibers fibers;
  const Registered* kernel = nullptr;
  alignas(128) char params[32764 / 4 * 4];
  Grid grid;
  Options options;
  Report report;
  std::vector<Block> blocks;                   // by place
  std::vector<std::unique_ptr<Group>> groups;  // that live
  std::vector<uint32_t> free_places;
  std::vector<Thread*> by_slot;
  Thread* now = nullptr;  // null outside kernels
  std::vector<Pending> pending;
  uint64_t tick = 0;
  uint32_t run_length = 0;  // accesses of the running thread since it was resumed
  bool waited_for_previous = false;  // a block of this launch
  uint64_t random = 1;
  uint32_t next_group = 1;   // numbers are never used again in a process
  uint32_t first_group = 1;  // of this launch
  uint32_t chain_group =
      1;  // first of the earliest launch that may still be running when this one starts
  Readers readers;

  uint64_t next_random() {
    random ^= random << 13;
    random ^= random >> 7;
    return random ^= random << 17;
  }
};
extern Machine machine;

// After its clock's time has changed.
inline void restamp(Thread& thread) {
  thread.stamp = make_stamp(thread.block->group->number, thread.clock.time, 0, thread.clock.agent);
}
// The running thread has released something: what it does from now on is later.
void advance_time(Thread& thread);
// The running thread gives way until *watched is no longer `unlike`.
void wait_while(const uint64_t* watched, uint64_t unlike);
void enter(const char* call, Site site);
void let_others_run();  // and says that this thread may be waiting for them
void after_ticks(uint64_t ticks, std::function<void()> happen);

// Whether the running thread knows of what the stamp says; `published`: and it reached the
// asynchronous proxy.
bool knows(const Thread& thread, Stamp stamp);
bool knows_published(const Thread& thread, Stamp stamp, bool shared);
// The running thread learns that an agent of its group has come so far.
void learn(Thread& thread, uint32_t agent, uint32_t time);

// atomic.cpp
void start_atomics();

// meetings.cpp
void start_meetings(Block& block);
std::string describe_waits(const Block& block);

// A place in a kernel's code: an address less the image's start, or a wrapper's call (top bit set).
using Place = uint32_t;
extern uintptr_t image_start;  // report.cpp
inline Place place_of(const void* code) {
  return static_cast<Place>(reinterpret_cast<uintptr_t>(code) - image_start);
}
Place place_of(const char* call, Site site);

// A piece of memory that is watched: a block's shared memory or an allocation.
struct Region {
  Shadow* shadow;
  bool shared;
  const uint8_t* start;  // what offsets count from
};

// barrier.cpp
MemoryBarrier* find_barrier(uint32_t address, const char* call, Site site, Block** owner = nullptr);
void complete_bytes(MemoryBarrier& barrier, Block& owner, int64_t bytes);
std::string describe_barriers(const Block& block);

// copy.cpp: bulk copies of a thread
void end_copies(Thread& thread);
void start_copies();

// cluster.cpp
void start_cluster(Block& block);
void end_cluster_thread(Thread& thread);
void end_cluster_block(Block& block);
void note_visit(Block& owner);  // of the running thread in another block's memory
bool check_alive(const Block& owner);

// cells.cpp: what the running thread does, at `place`, to `bytes` at `offset` of a region.
enum class Access { kRead, kWrite, kAtomic, kAtomicRead, kAtomicWrite };
constexpr bool writes(Access access) {
  return access != Access::kRead && access != Access::kAtomicRead;
}
constexpr bool reads(Access access) {
  return access != Access::kWrite && access != Access::kAtomicWrite;
}
constexpr bool atomic(Access access) {
  return access >= Access::kAtomic;
}
void touch(const Region& region, size_t offset, size_t bytes, Access access, Place place);
// The same through the asynchronous proxy: issued by the running thread, done by `agent` at its
// `time`.
void touch_async(const Region& region, size_t offset, size_t bytes, bool write, uint32_t agent,
                 uint32_t time, Place place);

// memory.cpp: the same by address, with bounds, alignment and what was never written.
void access_memory(const void* address, size_t bytes, Access access, bool aligned, Place place);
// The region of an address, or a report and false.
struct Found {
  Region region;
  size_t offset;
};
bool find_memory(const void* address, size_t bytes, bool write, Place place, Found* found);
void start_shared(Block& block);

// host.cpp: a report if the running thread may not touch it.
void check_host(const void* address, size_t bytes, Place place);

// report.cpp
std::string where(const Thread& thread);  // "thread 3 of block 1"
std::string describe(Place place);        // "rms_norm.cuh:45" or "tma_load at gemm.cuh:70"
std::string describe(const char* call, Site site);
// `kind` and the places tell one mistake from another: a second one is only counted.
void problem(const std::string& text, const char* kind, Place place = 0, Place other = 0);
void watch_for_crashes();

// lint.cpp
bool lint_by_environment();
void note_lint(const void* address, size_t bytes, bool shared, Place place);
void end_lint();

}  // namespace hadal::simt
