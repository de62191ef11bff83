// What this machine lets this process use: instruction sets, cores, memory; containers' limits included.
#pragma once

#include <cstdint>
#include <string>

namespace hadal {

struct CpuInfo {
  std::string vendor;
  std::string model;
  std::string features;  // space separated, as CPUID names them; only those the system has enabled
  int32_t logical_cores = 1;
  int32_t physical_cores = 1;
  uint64_t memory_total = 0;      // bytes
  uint64_t memory_available = 0;  // bytes
};

CpuInfo cpu_info();
int32_t physical_cores();  // at least 1

}  // namespace hadal
