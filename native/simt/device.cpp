// What a running thread asks of the machine: who it is, where its shared memory lies, order beyond
// its block.
#include "simt/machine.h"

namespace hadal::simt {

const Extent& thread_index() {
  return machine.now->index;
}
const Extent& block_index() {
  return machine.now->block->index;
}
const Extent& block_extent() {
  return machine.grid.threads;
}
const Extent& grid_extent() {
  return machine.grid.blocks;
}

Self self() {
  const Thread& now = *machine.now;
  return {now.slot,   now.number,      now.warp(),
          now.lane(), now.block->rank, static_cast<uint32_t>(now.block->threads.size())};
}

uint8_t* shared_memory(size_t bytes) {
  if (bytes > machine.grid.shared_bytes)
    problem("shared memory: the kernel uses " + std::to_string(bytes) + " bytes, the launch gave " +
                std::to_string(machine.grid.shared_bytes),
            "shared bytes");
  return machine.now->block->shared;
}

uint32_t shared_offset(const void* pointer) {
  return static_cast<uint32_t>(static_cast<const uint8_t*>(pointer) - machine.now->block->shared);
}

uint8_t* shared_pointer(uint32_t address) {
  const uint32_t rank = address >> 24;
  const Block& self = *machine.now->block;
  if (rank == 0 || rank > self.group->blocks.size()) return self.shared + address;
  return self.group->blocks[rank - 1]->shared + (address & 0xffffff);
}

void yield_thread() {
  machine.fibers.yield();
}
uint64_t random_bits() {
  return machine.next_random();
}

void generic_read(const void* address, uint32_t bytes, bool aligned, const char* call, Site site) {
  enter(call, site);
  if (machine.options.hazards)
    access_memory(address, bytes, Access::kRead, aligned, place_of(call, site));
}

void generic_write(const void* address, uint32_t bytes, bool aligned, const char* call, Site site) {
  enter(call, site);
  if (machine.options.hazards)
    access_memory(address, bytes, Access::kWrite, aligned, place_of(call, site));
}

void report_misaligned(const void* address, uint32_t bytes, const char* call, Site site) {
  const auto past = reinterpret_cast<uintptr_t>(address) % bytes;
  report_problem("misaligned access: an address " + std::to_string(past) + " past a multiple of " +
                     std::to_string(bytes),
                 call, site);
}

void wait_for_previous_kernel(Site site) {
  enter("wait_for_previous_kernel", site);
  Thread& self = *machine.now;
  machine.waited_for_previous = true;
  learn(self, kPreviousKernel, 1);
}

void let_next_kernel_start(Site site) {
  enter("let_next_kernel_start", site);
}

}  // namespace hadal::simt
