// See arena.h. Used from the thread that runs the program only.
#include "core/arena.h"

#include <algorithm>

#include "core/host.h"
#include "core/status.h"

namespace hadal {
namespace {
constexpr size_t kAlign = 64;
constexpr size_t kFirst = size_t{1} << 16;
}  // namespace

void Arena::grow(size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, kAlign, bytes) != 0)
    fail(HADAL_ERROR_NO_MEMORY, "scratch memory: the system refused %zu bytes", bytes);
  chunks_.push_back({std::unique_ptr<char, Free>(static_cast<char*>(memory)), bytes});
  used_ = 0;
}

void* Arena::allocate(size_t bytes) {
  if (bytes > SIZE_MAX / 4)
    fail(HADAL_ERROR_NO_MEMORY, "scratch memory: %zu bytes are more than an address space", bytes);
  const size_t rounded = (std::max<size_t>(bytes, 1) + kAlign - 1) / kAlign * kAlign;
  if (chunks_.empty() || chunks_.back().size - used_ < rounded)
    grow(std::max({rounded, kFirst, capacity()}));
  char* piece = chunks_.back().memory.get() + used_;
  used_ += rounded;
  return piece;
}

void Arena::reset() {
  used_ = 0;
  if (chunks_.size() <= 1) return;
  const size_t total = capacity();
  chunks_.clear();
  grow(total);
}

size_t Arena::capacity() const {
  size_t total = 0;
  for (const Chunk& chunk : chunks_) total += chunk.size;
  return total;
}

void* Context::scratch(size_t bytes) { return arena.allocate(bytes); }

}  // namespace hadal
