// CPUID and the vendor's strings; a feature whose registers the system does not save is not listed.
#include "core/cpu_info.h"

#include "core/machine.h"

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstring>
#endif

namespace hadal {
namespace {

#if defined(__x86_64__)

struct Registers {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  Registers r;
  if (__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx) == 0) return {};
  return r;
}

uint64_t enabled_states() {
  if ((cpuid(1).ecx & (1u << 27)) == 0) return 0;  // OSXSAVE
  uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

constexpr uint64_t kYmm = 0x6;        // SSE and AVX state
constexpr uint64_t kZmm = 0xE6;       // and opmask, ZMM
constexpr uint64_t kTiles = 0x60000;  // AMX

struct Feature {
  const char* name;
  uint32_t leaf, subleaf;
  uint32_t Registers::*word;
  int bit;
  uint64_t states;
};

constexpr Feature kFeatures[] = {
    {"sse4_2", 1, 0, &Registers::ecx, 20, 0},
    {"popcnt", 1, 0, &Registers::ecx, 23, 0},
    {"avx", 1, 0, &Registers::ecx, 28, kYmm},
    {"fma", 1, 0, &Registers::ecx, 12, kYmm},
    {"f16c", 1, 0, &Registers::ecx, 29, kYmm},
    {"bmi2", 7, 0, &Registers::ebx, 8, 0},
    {"avx2", 7, 0, &Registers::ebx, 5, kYmm},
    {"avx512f", 7, 0, &Registers::ebx, 16, kZmm},
    {"avx512dq", 7, 0, &Registers::ebx, 17, kZmm},
    {"avx512bw", 7, 0, &Registers::ebx, 30, kZmm},
    {"avx512vl", 7, 0, &Registers::ebx, 31, kZmm},
    {"avx512_vbmi", 7, 0, &Registers::ecx, 1, kZmm},
    {"avx512_vnni", 7, 0, &Registers::ecx, 11, kZmm},
    {"avx_vnni", 7, 1, &Registers::eax, 4, kYmm},
    {"avx512_bf16", 7, 1, &Registers::eax, 5, kZmm},
    {"avx512_fp16", 7, 0, &Registers::edx, 23, kZmm},
    {"amx_bf16", 7, 0, &Registers::edx, 22, kTiles},
    {"amx_tile", 7, 0, &Registers::edx, 24, kTiles},
    {"amx_int8", 7, 0, &Registers::edx, 25, kTiles},
};

std::string trimmed(const char* text, size_t length) {
  std::string result(text, strnlen(text, length));
  result.erase(0, result.find_first_not_of(' '));
  result.erase(result.find_last_not_of(' ') + 1);
  return result;
}

void identify(CpuInfo& info) {
  const Registers zero = cpuid(0);
  char vendor[12];
  std::memcpy(vendor, &zero.ebx, 4);
  std::memcpy(vendor + 4, &zero.edx, 4);
  std::memcpy(vendor + 8, &zero.ecx, 4);
  info.vendor = trimmed(vendor, sizeof(vendor));
  if (__get_cpuid_max(0x80000000, nullptr) >= 0x80000004) {
    char brand[48];
    for (uint32_t i = 0; i < 3; ++i) {
      const Registers part = cpuid(0x80000002 + i);
      std::memcpy(brand + 16 * i, &part, 16);
    }
    info.model = trimmed(brand, sizeof(brand));
  }
  const uint64_t states = enabled_states();
  for (const Feature& feature : kFeatures) {
    const Registers words = cpuid(feature.leaf, feature.subleaf);
    const bool has = (words.*feature.word >> feature.bit & 1) != 0;
    if (!has || (states & feature.states) != feature.states) continue;
    if (!info.features.empty()) info.features += ' ';
    info.features += feature.name;
  }
}

#else

void identify(CpuInfo& info) {
#if defined(__aarch64__)
  info.features = "neon";
#endif
  info.model = machine_model();
}

#endif

}  // namespace

CpuInfo cpu_info() {
  CpuInfo info;
  identify(info);
  const Cores cores = usable_cores();
  info.logical_cores = cores.logical;
  info.physical_cores = cores.physical;
  const Memory memory = usable_memory();
  info.memory_total = memory.total;
  info.memory_available = memory.available;
  return info;
}

int32_t physical_cores() { return usable_cores().physical; }

}  // namespace hadal
