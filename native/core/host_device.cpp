// See host_device.h.
#include "core/host_device.h"

#include <cstring>

#include "core/cpu_info.h"
#include "core/host_buffer.h"

namespace hadal {

HostDevice::HostDevice(const HostBackend& backend, int threads, const char* isa)
    : backend(backend),
      kernels(backend.kernels(isa)),
      pool(threads == 0 ? physical_cores() : threads) {}

std::string HostDevice::name() const { return cpu_info().model; }

MemoryFacts HostDevice::memory() const {
  const CpuInfo info = cpu_info();
  return {info.memory_total, info.memory_available};
}

std::vector<const char*> HostDevice::op_names() const {
  std::vector<const char*> names;
  for (const HostOp& op : backend.ops) names.push_back(op.name);
  return names;
}

const HostOp* HostDevice::find_op(const char* name) const {
  for (const HostOp& op : backend.ops)
    if (std::strcmp(op.name, name) == 0) return &op;
  return nullptr;
}

std::shared_ptr<Buffer> HostDevice::allocate(uint64_t bytes) { return HostBuffer::allocate(bytes); }

}  // namespace hadal
