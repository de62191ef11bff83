// One GPU as a device: its context, its loaded kernels, the stream that programs run on, and its memory. Buffers
// share the Gpu, so that it goes after the last of them.
#pragma once

#include <string>

#include "core/device.h"
#include "cuda/memory.h"
#include "cuda/queue.h"

namespace hadal::cuda {

// Which GPU, and what a driver and a GPU must be.
struct Found {
  DriverDevice device = 0;
  std::string name;
  int driver_version = 0;
  uint64_t memory_total = 0;
};
// The first Hopper. Throws UNSUPPORTED with one sentence: no device, another architecture, driver too old.
Found find_gpu(const Driver& driver);

class Gpu {
 public:
  // kernels: the bytes of the kernels' file; read while this lasts.
  Gpu(const Driver& driver, const Found& found, std::vector<char> kernels);
  ~Gpu();
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  const Driver& driver() const { return driver_; }
  const Found& found() const { return found_; }
  Transfers& transfers() { return *transfers_; }
  // These belong to the run that is under way.
  Queue& queue() { return *queue_; }
  DeviceArena& arena() { return *arena_; }

  // Makes the context this thread's: before any call of the driver.
  void enter() const;
  MemoryFacts memory() const;
  // For destructors: enters, waits for copies under way, runs `work` and drops what goes wrong.
  template <typename Work>
  void free_behind_copies(Work&& work) noexcept {
    try {
      enter();
      transfers_->finish();
      work();
    } catch (...) {
    }
  }

 private:
  void close() noexcept;

  const Driver& driver_;
  const Found found_;
  const std::vector<char> kernels_;
  DriverContext context_ = nullptr;
  std::vector<DriverLibrary> libraries_;
  DriverStream stream_ = nullptr;
  std::unique_ptr<Transfers> transfers_;
  std::unique_ptr<DeviceArena> arena_;
  std::unique_ptr<Queue> queue_;
};

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(std::shared_ptr<Gpu> gpu) : gpu_(std::move(gpu)) {}

  const char* kind() const override { return "cuda"; }
  std::string name() const override { return gpu_->found().name; }
  const char* isa() const override { return "sm_90a"; }
  int threads() const override { return 0; }
  MemoryFacts memory() const override { return gpu_->memory(); }
  std::vector<const char*> op_names() const override;
  const Op* find_op(const char* name) const override;
  std::shared_ptr<Buffer> allocate(uint64_t bytes) override;
  std::shared_ptr<Buffer> adopt(std::shared_ptr<Buffer> mapped_file) override;
  const void* space() const override { return gpu_.get(); }
  // There is no oracle of an op on a GPU: HADAL_REFERENCE is refused.
  std::unique_ptr<Replay> replay(hadal_precision precision) override;

 private:
  const std::shared_ptr<Gpu> gpu_;
};

}  // namespace hadal::cuda
