// The host as a device: a pool of threads, scratch memory, and the kernels chosen for this CPU. Its buffers
// belong to the process, so that any host device's programs may name them.
#pragma once

#include "core/arena.h"
#include "core/device.h"
#include "core/host.h"
#include "core/thread_pool.h"

namespace hadal {

class HostDevice final : public Device {
 public:
  // threads 0: the physical cores that this process may use. isa "": the best there is.
  HostDevice(const HostBackend& backend, int threads, const char* isa);

  const char* kind() const override { return backend.name; }
  std::string name() const override;
  const char* isa() const override { return backend.isa_name(kernels); }
  int threads() const override { return pool.threads(); }
  MemoryFacts memory() const override;
  std::vector<const char*> op_names() const override;
  const HostOp* find_op(const char* name) const override;
  std::shared_ptr<Buffer> allocate(uint64_t bytes) override;
  std::shared_ptr<Buffer> adopt(std::shared_ptr<Buffer> mapped_file) override { return mapped_file; }
  std::unique_ptr<Replay> replay(hadal_precision precision) override;

  // Used by the run that holds run_mutex.
  const HostBackend& backend;
  const void* kernels;
  ThreadPool pool;
  Arena arena;
};

}  // namespace hadal
