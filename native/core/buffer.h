// Memory that tensors lie in: zero-filled anonymous pages, or a whole file mapped read-only.
// Shared by handles and programs through std::shared_ptr; may be used from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/map_guard.h"

namespace hadal {

class Buffer {
 public:
  static std::shared_ptr<Buffer> allocate(uint64_t bytes);
  // Throws IO, or FILE_CHANGED when size or time differ from what the caller read the header with.
  static std::shared_ptr<Buffer> map(const char* path, uint64_t size, int64_t mtime_ns);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  char* data() const { return data_; }
  uint64_t size() const { return size_; }
  bool read_only() const { return guard_ != nullptr || fd_ >= 0; }

  void write(uint64_t offset, const void* data, uint64_t bytes);
  void read(uint64_t offset, void* data, uint64_t bytes) const;
  void discard(uint64_t offset, uint64_t bytes);

  // Throws FILE_CHANGED naming the file if a fault was mended in it.
  void check_faults() const;
  // The same, and asks the system whether size or time of the file differ from those at mapping.
  void check_unchanged() const;

 private:
  Buffer() = default;
  void check_range(const char* what, uint64_t offset, uint64_t bytes) const;
  void check_file() const;

  char* data_ = nullptr;
  uint64_t size_ = 0;
  GuardedMap* guard_ = nullptr;
  int fd_ = -1;  // kept open: the way to see a change of the file
  int64_t mtime_ns_ = 0;
  std::string path_;
};

}  // namespace hadal
