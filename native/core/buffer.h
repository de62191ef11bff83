// Memory that tensors lie in, of whatever device. Shared by handles and programs through std::shared_ptr; may
// be used from any thread. What is refused, and how that reads, is decided here for all devices.
#pragma once

#include <cstdint>

namespace hadal {

class Buffer {
 public:
  virtual ~Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  uint64_t size() const { return size_; }
  // The file behind it, which makes it read-only; nullptr for allocated memory.
  virtual const char* file() const { return nullptr; }
  bool read_only() const { return file() != nullptr; }
  // Whose programs may name it: buffers of one space are interchangeable. The host is nullptr.
  virtual const void* space() const { return nullptr; }
  // Where an op finds a range that lies inside; a file's is brought to the device now. nullptr: there are no bytes.
  virtual char* locate(uint64_t offset, uint64_t bytes) = 0;

  void write(uint64_t offset, const void* data, uint64_t bytes);
  void read(uint64_t offset, void* data, uint64_t bytes) const;
  // The range reads as zero after.
  void discard(uint64_t offset, uint64_t bytes);

  // Throws FILE_CHANGED naming the file if a fault was mended in it.
  virtual void check_faults() const {}
  // The same, and asks the system whether size or time of the file differ from those at mapping.
  virtual void check_unchanged() const {}

 protected:
  Buffer() = default;
  // Called with a range of at least one byte that lies inside, of a buffer that may be written.
  virtual void store(uint64_t offset, const void* data, uint64_t bytes) = 0;
  virtual void load(uint64_t offset, void* data, uint64_t bytes) const = 0;
  virtual void clear(uint64_t offset, uint64_t bytes) = 0;

  uint64_t size_ = 0;

 private:
  void check_range(const char* what, uint64_t offset, uint64_t bytes) const;
  void check_writable(const char* what) const;
};

}  // namespace hadal
