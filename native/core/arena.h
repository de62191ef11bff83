// Scratch memory of a device: handed out by bumping a pointer, taken back all at once between two ops.
// Growth adds a chunk, so earlier pieces stay where they are; the next reset joins the chunks into one.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <vector>

namespace hadal {

struct Arena {
  void* allocate(size_t bytes);  // 64-byte aligned; throws NO_MEMORY
  void reset();                  // everything handed out becomes invalid
  size_t capacity() const;

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  struct Chunk {
    std::unique_ptr<char, Free> memory;
    size_t size;
  };
  void grow(size_t bytes);

  std::vector<Chunk> chunks_;
  size_t used_ = 0;  // of the last chunk
};

}  // namespace hadal
