// See host_buffer.h. An empty buffer (0 bytes) is legal and maps nothing.
#include "core/host_buffer.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstring>

#include "core/status.h"

namespace hadal {
namespace {

uint64_t page_size() {
  static const auto size = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return size;
}

int64_t modified_ns(const struct stat& info) {
#if defined(__APPLE__)
  const struct timespec& time = info.st_mtimespec;
#else
  const struct timespec& time = info.st_mtim;
#endif
  return static_cast<int64_t>(time.tv_sec) * 1000000000 + time.tv_nsec;
}

[[noreturn]] void fail_errno(const char* path, const char* what) {
  const int code = errno;
  const bool memory = code == ENOMEM;
  fail(memory ? HADAL_ERROR_NO_MEMORY : HADAL_ERROR_IO, "%s: %s failed: %s", path, what,
       std::strerror(code));
}

}  // namespace

std::shared_ptr<HostBuffer> HostBuffer::allocate(uint64_t bytes) {
  std::shared_ptr<HostBuffer> buffer(new HostBuffer);
  if (bytes == 0) return buffer;
  if (bytes > (uint64_t{1} << 47))
    fail(HADAL_ERROR_NO_MEMORY, "buffer: %" PRIu64 " bytes are more than an address space", bytes);
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#if defined(MAP_NORESERVE)
  flags |= MAP_NORESERVE;
#endif
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (memory == MAP_FAILED)
    fail(HADAL_ERROR_NO_MEMORY, "buffer: the system refused %" PRIu64 " bytes: %s", bytes,
         std::strerror(errno));
  buffer->data_ = static_cast<char*>(memory);
  buffer->size_ = bytes;
  return buffer;
}

std::shared_ptr<HostBuffer> HostBuffer::map(const char* path, uint64_t size, int64_t mtime_ns) {
  std::shared_ptr<HostBuffer> buffer(new HostBuffer);
  buffer->path_ = path;
  // O_NONBLOCK: opening a FIFO must not wait for a writer before the type check below.
  do {
    buffer->fd_ = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (buffer->fd_ < 0 && errno == EINTR);
  if (buffer->fd_ < 0) fail_errno(path, "open");
  struct stat info;
  if (fstat(buffer->fd_, &info) != 0) fail_errno(path, "fstat");
  if (!S_ISREG(info.st_mode)) fail(HADAL_ERROR_IO, "%s: expected a regular file", path);
  buffer->size_ = size;
  buffer->mtime_ns_ = mtime_ns;
  buffer->check_file();
  if (size == 0) return buffer;
  void* memory = mmap(nullptr, size, PROT_READ, MAP_SHARED, buffer->fd_, 0);
  if (memory == MAP_FAILED) fail_errno(path, "mmap");
  buffer->data_ = static_cast<char*>(memory);
  buffer->guard_ = guard_map(memory, size);
  return buffer;
}

HostBuffer::~HostBuffer() {
  if (guard_ != nullptr) unguard_map(guard_);
  if (data_ != nullptr) munmap(data_, size_);
  if (fd_ >= 0) close(fd_);
}

void HostBuffer::store(uint64_t offset, const void* data, uint64_t bytes) {
  std::memcpy(data_ + offset, data, bytes);
}

void HostBuffer::load(uint64_t offset, void* data, uint64_t bytes) const {
  std::memcpy(data, data_ + offset, bytes);
}

// Whole pages go back to the system; the ragged ends are cleared by hand, so that all reads as zero.
void HostBuffer::clear(uint64_t offset, uint64_t bytes) {
  const uint64_t page = page_size();
  const uint64_t end = offset + bytes;
  const uint64_t first = (offset + page - 1) / page * page;
  // The last page of the buffer is ours to its end.
  const uint64_t last = end == size_ ? (end + page - 1) / page * page : end / page * page;
  if (first >= last) {
    std::memset(data_ + offset, 0, bytes);
    return;
  }
  std::memset(data_ + offset, 0, first - offset);
  if (end > last) std::memset(data_ + last, 0, end - last);
#if defined(__linux__)
  if (madvise(data_ + first, last - first, MADV_DONTNEED) == 0) return;
#endif
  // Elsewhere MADV_DONTNEED is only advice: fresh pages over the old ones do what it promises here.
  void* fresh = mmap(data_ + first, last - first, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (fresh == MAP_FAILED)
    fail(HADAL_ERROR_NO_MEMORY, "discard: %s", std::strerror(errno));
}

void HostBuffer::check_faults() const {
  if (guard_ != nullptr && guard_->faulted.load())
    fail(HADAL_ERROR_FILE_CHANGED, "%s: truncated or unreadable while in use", path_.c_str());
}

void HostBuffer::check_file() const {
  struct stat info;
  if (fstat(fd_, &info) != 0) fail_errno(path_.c_str(), "fstat");
  if (static_cast<uint64_t>(info.st_size) != size_)
    fail(HADAL_ERROR_FILE_CHANGED, "%s: changed: expected %" PRIu64 " bytes, got %" PRIu64,
         path_.c_str(), size_, static_cast<uint64_t>(info.st_size));
  if (modified_ns(info) != mtime_ns_)
    fail(HADAL_ERROR_FILE_CHANGED,
         "%s: changed: expected modification time %" PRId64 " ns, got %" PRId64, path_.c_str(),
         mtime_ns_, modified_ns(info));
}

void HostBuffer::check_unchanged() const {
  check_faults();
  if (fd_ >= 0) check_file();
}

}  // namespace hadal
