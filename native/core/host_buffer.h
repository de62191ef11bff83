// Host memory: zero-filled anonymous pages, or a whole file mapped read-only.
#pragma once

#include <memory>
#include <string>

#include "core/buffer.h"
#include "core/map_guard.h"

namespace hadal {

class HostBuffer final : public Buffer {
 public:
  static std::shared_ptr<HostBuffer> allocate(uint64_t bytes);
  // Throws IO, or FILE_CHANGED when size or time differ from what the caller read the header with.
  static std::shared_ptr<HostBuffer> map(const char* path, uint64_t size, int64_t mtime_ns);
  ~HostBuffer() override;

  char* data() const { return data_; }
  const char* file() const override { return fd_ >= 0 ? path_.c_str() : nullptr; }
  char* locate(uint64_t offset, uint64_t) override {
    // Without pages of its own an empty buffer has no address.
    return data_ == nullptr ? nullptr : data_ + offset;
  }
  void check_faults() const override;
  void check_unchanged() const override;

 private:
  HostBuffer() = default;
  void store(uint64_t offset, const void* data, uint64_t bytes) override;
  void load(uint64_t offset, void* data, uint64_t bytes) const override;
  // Pages go back to the system.
  void clear(uint64_t offset, uint64_t bytes) override;
  void check_file() const;

  char* data_ = nullptr;
  GuardedMap* guard_ = nullptr;
  int fd_ = -1;  // kept open: the way to see a change of the file
  int64_t mtime_ns_ = 0;
  std::string path_;
};

}  // namespace hadal
