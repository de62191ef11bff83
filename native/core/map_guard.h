// Keeps the process alive when a mapped file is truncated: touching a page beyond the new end raises
// SIGBUS, whose handler puts zero pages there and marks the mapping. Runs look at the mark and fail.
// The registry is lock-free and never freed, because the handler may run at any instruction.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace hadal {

struct GuardedMap {
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};
  std::atomic<bool> faulted{false};
  std::atomic<bool> taken{false};
};

// Registers [address, address + bytes); installs the handler the first time. Throws NO_MEMORY.
GuardedMap* guard_map(const void* address, size_t bytes);
// Call before munmap.
void unguard_map(GuardedMap* map);
// Faults that the handler has mended in this process so far; cheap to compare between ops.
uint64_t mended_faults();

}  // namespace hadal
