// Clocks and power from NVML, opened at run time: figures without them cannot be compared (a throttled GPU lies).
#include <dlfcn.h>

#include "bench/cuda/measure.h"

namespace hadal::bench {
namespace {

using NvmlDevice = struct NvmlDeviceHandle*;

// nvmlClockType_t: 1 is the SM clock, 2 the memory's.
struct Nvml {
  int (*handle)(unsigned index, NvmlDevice* device) = nullptr;
  int (*clock)(NvmlDevice device, int type, unsigned* mhz) = nullptr;
  int (*power)(NvmlDevice device, unsigned* milliwatts) = nullptr;
  bool usable = false;
};

Nvml open_nvml() {
  Nvml nvml;
  void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return nvml;
  const auto init = reinterpret_cast<int (*)()>(dlsym(library, "nvmlInit_v2"));
  nvml.handle =
      reinterpret_cast<decltype(nvml.handle)>(dlsym(library, "nvmlDeviceGetHandleByIndex_v2"));
  nvml.clock = reinterpret_cast<decltype(nvml.clock)>(dlsym(library, "nvmlDeviceGetClockInfo"));
  nvml.power = reinterpret_cast<decltype(nvml.power)>(dlsym(library, "nvmlDeviceGetPowerUsage"));
  nvml.usable = init != nullptr && nvml.handle != nullptr && nvml.clock != nullptr &&
                nvml.power != nullptr && init() == 0;
  return nvml;
}

}  // namespace

Clocks read_clocks(int device) {
  static const Nvml nvml = open_nvml();
  Clocks clocks;
  NvmlDevice handle = nullptr;
  if (!nvml.usable || nvml.handle(static_cast<unsigned>(device), &handle) != 0) return clocks;
  unsigned value = 0;
  if (nvml.clock(handle, 1, &value) == 0) clocks.sm_mhz = value;
  if (nvml.clock(handle, 2, &value) == 0) clocks.memory_mhz = value;
  if (nvml.power(handle, &value) == 0) clocks.watts = value / 1000;
  return clocks;
}

}  // namespace hadal::bench
