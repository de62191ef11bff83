// See shadow.h.
#include "simt/shadow.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

namespace hadal::simt {

uint32_t Readers::add(const Reader& reader) {
  if (free_ == 0) {
    all_.push_back(reader);
    return static_cast<uint32_t>(all_.size() - 1);
  }
  const uint32_t index = free_;
  free_ = all_[index].next;
  all_[index] = reader;
  return index;
}

void Readers::drop(uint32_t& first) {
  while (first != 0) {
    const uint32_t next = all_[first].next;
    all_[first].next = free_;
    free_ = first;
    first = next;
  }
}

void Readers::clear() {
  all_.resize(1);
  free_ = 0;
}

void Shadow::map(size_t bytes) {
  mapped_ = ((bytes + 3) / 4 + 1) * sizeof(Cell);
  void* memory = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  cells_ = static_cast<Cell*>(memory);
}

void Shadow::unmap() {
  if (cells_ != nullptr) munmap(cells_, mapped_);
  cells_ = nullptr;
  splits_.clear();
  free_.clear();
}

void Shadow::clear(size_t bytes) {
  std::memset(cells_, 0, (bytes + 3) / 4 * sizeof(Cell));
  splits_.clear();
  free_.clear();
}

void Shadow::split(Cell& word) {
  uint32_t index = static_cast<uint32_t>(splits_.size());
  if (free_.empty()) {
    splits_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  // The readers' list stays with the first byte: a list may have one owner only, and the others
  // keep the latest readers and the writer.
  for (int i = 0; i < 4; ++i) {
    splits_[index][static_cast<size_t>(i)] = word;
    if (i > 0) splits_[index][static_cast<size_t>(i)].more = 0;
  }
  word.write = kSplit;
  word.more = index;
}

void Shadow::merge(size_t offset, size_t bytes) {
  const size_t last = (offset + bytes) / 4;
  for (size_t i = (offset + 3) / 4; i < last; ++i) {
    Cell& word = cells_[i];
    if (word.write != kSplit) continue;
    const uint32_t index = word.more;
    word = splits_[index][0];
    free_.push_back(index);
  }
}

}  // namespace hadal::simt
