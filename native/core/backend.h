// Backends that live in a shared library of their own, beside this one: found and opened at run time, so that
// nothing of Hadal needs what they need. There is one, hadal_cuda.so.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/device.h"

namespace hadal {

struct BackendFacts {
  std::string name;            // of the processor
  int32_t driver_version = 0;  // 13000 for CUDA 13.0
  uint64_t memory_total = 0;   // bytes
};

// What the library's one exported function returns. C++ and exceptions go through it: library and core are of one
// build, which kBackendInterface says.
struct BackendLibrary {
  std::vector<const char*> (*op_names)();
  // Both throw UNSUPPORTED with one sentence that says what this machine lacks. facts() leaves nothing open.
  BackendFacts (*facts)();
  std::shared_ptr<Device> (*open)();
};

// Change the number with any class that both sides know.
inline constexpr char kBackendInterface[] = "hadal " HADAL_VERSION " backend 1";
inline constexpr char kBackendEntry[] = "hadal_backend";
// nullptr: made for another interface.
using BackendEntry = const BackendLibrary* (*)(const char* interface);

// Opened at the first call and kept. Throws UNSUPPORTED: not there, cannot be loaded, of another version.
const BackendLibrary& cuda_backend();

struct DeviceChoice {
  std::string kind = "cpu";  // "auto", "cpu", "cuda"
  int threads = 0;
  std::string isa;
};

struct OpenedDevice {
  std::shared_ptr<Device> device;
  std::string note;  // why "auto" did not take a GPU; else empty
};

// "auto": the GPU if it can be opened and has every op of the CPU.
OpenedDevice open_device(const DeviceChoice& choice);

}  // namespace hadal
