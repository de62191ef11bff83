// Questions to the operating system about cores and memory.
#pragma once

#include <cstdint>
#include <string>

namespace hadal {

struct Cores {
  int32_t logical = 1;   // in this process's affinity mask
  int32_t physical = 1;  // distinct cores of those, and no more than the container's quota
};

struct Memory {
  uint64_t total = 0;      // bytes; the container's limit where lower
  uint64_t available = 0;  // bytes that can be had without swapping
};

Cores usable_cores();
Memory usable_memory();
std::string machine_model();  // empty when the system does not say

}  // namespace hadal
