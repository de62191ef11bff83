// What programs run on: memory, ops, and a way to run a recording. The host's is host_device.h; others come from
// backends with a library of their own (backend.h). Programs share it; `run_mutex` serialises their runs.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/replay.h"

namespace hadal {

struct MemoryFacts {
  uint64_t total = 0;      // bytes
  uint64_t available = 0;  // bytes
};

class Device {
 public:
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  virtual const char* kind() const = 0;  // "cpu", "cuda"
  virtual std::string name() const = 0;  // of the processor
  virtual const char* isa() const = 0;   // what its kernels were compiled for
  virtual int threads() const = 0;       // of the host that compute; 0 where none does
  virtual MemoryFacts memory() const = 0;
  virtual std::vector<const char*> op_names() const = 0;
  virtual const Op* find_op(const char* name) const = 0;  // nullptr when there is none

  // Zero-filled. Throws NO_MEMORY.
  virtual std::shared_ptr<Buffer> allocate(uint64_t bytes) = 0;
  // A mapped file as programs of this device see it.
  virtual std::shared_ptr<Buffer> adopt(std::shared_ptr<Buffer> mapped_file) = 0;
  // Buffers of this space may be named by its programs; see Buffer::space().
  virtual const void* space() const { return nullptr; }
  virtual std::unique_ptr<Replay> replay(hadal_precision precision) = 0;  // one per program

  std::mutex run_mutex;

 protected:
  Device() = default;
};

}  // namespace hadal
