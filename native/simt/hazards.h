// What the emulator's other parts (tensor cores, copy engine, barriers in memory) tell the hazard
// model, and what they ask of the scheduler. All of it is said on behalf of the thread that runs
// now.
//
// Order is kept in two clocks a thread: what it knows has happened, and the part of it that is
// published to the asynchronous proxy by fence.proxy.async. Agents are threads, barriers in memory,
// warps' tensor-core streams and threads' bulk-copy streams.
#pragma once

#include <string>

#include "simt/simt.h"

namespace hadal::simt {

// The thread that runs now.
struct Self {
  uint32_t slot;        // of its fiber: unique among all threads alive, below max_slots()
  uint32_t thread;      // in its block, x fastest
  uint32_t warp, lane;  // in its block
  uint32_t rank;        // of its block in the cluster
  uint32_t threads;     // of its block
};
Self self();
uint32_t max_slots();

// Shared addresses are 32-bit: an offset in the block's own memory, or, from map_shared(), (rank +
// 1) << 24 and an offset in that of a block of the cluster. The pointer may be past the end: check
// with async_* first.
uint8_t* shared_pointer(uint32_t address);

// The 32 lanes of a warp meet (`.sync.aligned`), memory is ordered among them, and lanes that meet
// in another call or line, or have exited, are reported. `call` names the wrapper in reports.
void converge(const char* call, Site site);

// A load or store through the generic proxy that the compiler's instrumentation does not see, as
// ldmatrix and stmatrix do: bounds, alignment to `bytes` if `aligned`, races.
void generic_read(const void* address, uint32_t bytes, bool aligned, const char* call, Site site);
void generic_write(const void* address, uint32_t bytes, bool aligned, const char* call, Site site);

// The tensor cores' reads of shared memory (wgmma descriptors), as the stream of the running
// thread's warp. `ticket` grows by commit group, from 1. Until async_read_done(ticket) whoever
// writes these bytes without having heard of it from this thread is reported ("while a wgmma may
// still read"). The read itself needs every write before it to be known, and an ordinary one to be
// published by fence.proxy.async. Returns whether the bytes lie in the block's shared memory.
bool async_read(uint32_t address, uint32_t bytes, uint32_t ticket, const char* call, Site site);
void async_read_done(uint32_t ticket);

// A mistake, with the thread, the call and the place. Same text at the same place is counted, not
// repeated.
void report_problem(const std::string& what, const char* call, Site site);

// Lets others run; the seeded generator that decides all order.
void yield_thread();
uint64_t random_bits();

// What a module does when threads start and end. `started` before a block's first thread runs, for
// each slot.
struct ThreadHooks {
  void (*started)(uint32_t slot);
  void (*ended)(
      uint32_t slot);  // on the thread itself: registers that are still in flight may be reported
};
void add_thread_hooks(const ThreadHooks& hooks);

}  // namespace hadal::simt
