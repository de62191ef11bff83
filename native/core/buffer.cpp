// See buffer.h.
#include "core/buffer.h"

#include <cinttypes>

#include "core/status.h"

namespace hadal {

void Buffer::check_range(const char* what, uint64_t offset, uint64_t bytes) const {
  if (offset > size_ || bytes > size_ - offset)
    fail(HADAL_ERROR_INVALID,
         "%s: %" PRIu64 " bytes at offset %" PRIu64 " leave the buffer of %" PRIu64 " bytes", what,
         bytes, offset, size_);
}

void Buffer::check_writable(const char* what) const {
  if (read_only()) fail(HADAL_ERROR_INVALID, "%s: %s is mapped read-only", what, file());
}

void Buffer::write(uint64_t offset, const void* data, uint64_t bytes) {
  check_writable("write");
  check_range("write", offset, bytes);
  if (bytes > 0) store(offset, data, bytes);
}

void Buffer::read(uint64_t offset, void* data, uint64_t bytes) const {
  check_range("read", offset, bytes);
  if (bytes > 0) load(offset, data, bytes);
  check_faults();
}

void Buffer::discard(uint64_t offset, uint64_t bytes) {
  check_writable("discard");
  check_range("discard", offset, bytes);
  if (bytes > 0) clear(offset, bytes);
}

}  // namespace hadal
