// macOS through sysctl; elsewhere what the standard library knows.
#if !defined(__linux__)

#include <algorithm>
#include <thread>

#include "core/machine.h"

#if defined(__APPLE__)
#include <mach/mach.h>
#include <sys/sysctl.h>
#endif

namespace hadal {

#if defined(__APPLE__)

namespace {

template <typename T>
T control(const char* name, T otherwise) {
  T value{};
  size_t size = sizeof(value);
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 ? value : otherwise;
}

}  // namespace

Cores usable_cores() {
  // Efficiency cores would hold up every parallel region: count the fast ones where there are two kinds.
  const int32_t physical = control<int32_t>("hw.physicalcpu", 1);
  return {control<int32_t>("hw.logicalcpu", 1),
          std::max(1, control<int32_t>("hw.perflevel0.physicalcpu", physical))};
}

Memory usable_memory() {
  Memory memory;
  memory.total = control<uint64_t>("hw.memsize", 0);
  vm_statistics64_data_t pages;
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  vm_size_t page = 4096;
  host_page_size(mach_host_self(), &page);
  auto* out = reinterpret_cast<host_info64_t>(&pages);
  if (host_statistics64(mach_host_self(), HOST_VM_INFO64, out, &count) == KERN_SUCCESS)
    memory.available = (uint64_t{pages.free_count} + pages.inactive_count) * page;
  return memory;
}

std::string machine_model() {
  char text[128] = "";
  size_t size = sizeof(text) - 1;
  return sysctlbyname("machdep.cpu.brand_string", text, &size, nullptr, 0) == 0 ? text : "";
}

#else

Cores usable_cores() {
  const auto cores = static_cast<int32_t>(std::max(1u, std::thread::hardware_concurrency()));
  return {cores, cores};
}

Memory usable_memory() { return {}; }

std::string machine_model() { return ""; }

#endif

}  // namespace hadal

#endif
