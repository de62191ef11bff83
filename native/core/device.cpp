// See device.h.
#include "core/device.h"

#include <cstring>

#include "core/cpu_info.h"

namespace hadal {

Device::Device(const Backend& backend, int threads, const char* isa)
    : backend(backend),
      kernels(backend.kernels(isa)),
      pool(threads == 0 ? physical_cores() : threads) {}

const Op* Device::find_op(const char* name) const {
  for (const Op& op : backend.ops)
    if (std::strcmp(op.name, name) == 0) return &op;
  return nullptr;
}

}  // namespace hadal
