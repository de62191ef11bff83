// Memory of one GPU and the way to it. Copies go through two pinned halves, one filled while the other is on its
// way, on a stream of their own; a run starts behind whatever was handed over before it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "core/buffer.h"
#include "cuda/driver.h"

namespace hadal::cuda {

class Gpu;

// Host ↔ device. From any thread, with the GPU's context current.
class Transfers {
 public:
  explicit Transfers(const Driver& driver);
  ~Transfers();
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  // Returns when `from` has been read.
  void upload(DevicePointer to, const void* from, uint64_t bytes);
  void clear(DevicePointer to, uint64_t bytes);
  // Returns when `to` is filled.
  void download(void* to, DevicePointer from, uint64_t bytes);
  // Waits for all that was handed over.
  void finish();
  // What `stream` does next comes after all that was handed over so far.
  void order_before(DriverStream stream);

  static constexpr uint64_t kHalf = 8 << 20;

 private:
  struct Half {
    char* memory = nullptr;
    DriverEvent sent = nullptr;  // recorded behind its last copy
    bool in_flight = false;
  };
  void flip();
  void free_all();

  const Driver& driver_;
  std::mutex mutex_;
  DriverStream stream_ = nullptr;
  DriverEvent handed_over_ = nullptr;
  Half halves_[2];
  int current_ = 0;
  uint64_t used_ = 0;  // of the current half
};

// Scratch of the ops: pieces of 256 bytes' alignment, taken back all at once between two ops (streams run in
// order, so the next op's kernels come after). Chunks stay until the end: graphs hold their addresses.
class DeviceArena {
 public:
  explicit DeviceArena(const Driver& driver) : driver_(driver) {}
  ~DeviceArena();
  DeviceArena(const DeviceArena&) = delete;
  DeviceArena& operator=(const DeviceArena&) = delete;

  void* allocate(uint64_t bytes);
  void reset() { used_ = 0; }
  uint64_t capacity() const;

 private:
  struct Chunk {
    DevicePointer memory;
    uint64_t size;
  };
  const Driver& driver_;
  std::vector<Chunk> chunks_;  // the last is the largest
  uint64_t used_ = 0;          // of the last
};

// Zero-filled device memory.
class DeviceBuffer final : public Buffer {
 public:
  DeviceBuffer(std::shared_ptr<Gpu> gpu, uint64_t bytes);
  ~DeviceBuffer() override;
  const void* space() const override { return gpu_.get(); }
  char* locate(uint64_t offset, uint64_t bytes) override;

 private:
  void store(uint64_t offset, const void* data, uint64_t bytes) override;
  void load(uint64_t offset, void* data, uint64_t bytes) const override;
  void clear(uint64_t offset, uint64_t bytes) override;

  const std::shared_ptr<Gpu> gpu_;
  DevicePointer memory_ = 0;
};

// A mapped file of which the ranges that programs name are copied to the device, each once, when they are
// recorded. After that the file may go: runs do not look at it.
class DeviceFile final : public Buffer {
 public:
  DeviceFile(std::shared_ptr<Gpu> gpu, std::shared_ptr<Buffer> mapped);
  ~DeviceFile() override;
  const void* space() const override { return gpu_.get(); }
  const char* file() const override { return mapped_->file(); }
  // Throws FILE_CHANGED as the host's runs do.
  char* locate(uint64_t offset, uint64_t bytes) override;

 private:
  struct Range {
    uint64_t end;
    DevicePointer memory;
  };
  void store(uint64_t, const void*, uint64_t) override {}
  void load(uint64_t offset, void* data, uint64_t bytes) const override { mapped_->read(offset, data, bytes); }
  void clear(uint64_t, uint64_t) override {}
  DevicePointer place(uint64_t bytes);

  const std::shared_ptr<Gpu> gpu_;
  const std::shared_ptr<Buffer> mapped_;
  std::mutex mutex_;
  std::map<uint64_t, Range> ranges_;  // by their first byte
  std::vector<DevicePointer> slabs_;
  DevicePointer free_ = 0;  // in the last slab
  uint64_t left_ = 0;
};

}  // namespace hadal::cuda
