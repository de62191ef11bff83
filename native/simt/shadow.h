// What the hazard model remembers of memory: for every four bytes who wrote them last and who has
// read them since. Words of which single bytes are accessed are split into four cells. 32 bytes a
// cell, so that one cache line serves eight bytes of memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace hadal::simt {

// A stamp says which agent of which group did something, and at what time of its own.
// group 24 bits | time 22 | flags 2 | agent 16
using Stamp = uint64_t;
enum StampFlag : uint64_t { kStampAtomic = 1u << 16, kStampAsync = 1u << 17 };
constexpr uint32_t kMaxGroups = 1u << 24, kMaxTime = 1u << 22;

constexpr Stamp make_stamp(uint32_t group, uint32_t time, uint64_t flags, uint32_t agent) {
  return static_cast<uint64_t>(group) << 40 | static_cast<uint64_t>(time) << 18 | flags | agent;
}
constexpr uint32_t group_of(Stamp stamp) {
  return static_cast<uint32_t>(stamp >> 40);
}
constexpr uint32_t time_of(Stamp stamp) {
  return static_cast<uint32_t>(stamp >> 18) & (kMaxTime - 1);
}
constexpr uint32_t agent_of(Stamp stamp) {
  return static_cast<uint32_t>(stamp & 0xffff);
}
// Readers are kept 32 agents (a warp) at a time, with a bit each.
constexpr Stamp warp_of(Stamp stamp) {
  return stamp & ~uint64_t{31};
}

struct Cell {
  Stamp write;  // 0: nothing that is remembered; kSplit: see `more`
  Stamp read;   // of a warp (agents rounded down to 32); 0: none since the write
  uint32_t write_place, read_place;  // code addresses, see places.h
  uint32_t lanes;                    // of `read`
  uint32_t more;                     // further readers (Readers), or the index of the split cells
};
constexpr Stamp kSplit = ~uint64_t{0};

// Further readers of a cell, in lists; also atomic writers that nothing orders.
struct Reader {
  Stamp stamp;
  uint32_t lanes, place, next;
};
class Readers {
 public:
  Reader& operator[](uint32_t index) { return all_[index]; }
  uint32_t add(const Reader& reader);
  void drop(uint32_t& first);  // the list
  void clear();

 private:
  std::vector<Reader> all_{1};
  uint32_t free_ = 0;
};

// Cells of one piece of memory, zero at first.
class Shadow {
 public:
  Shadow() = default;
  ~Shadow() { unmap(); }
  Shadow(const Shadow&) = delete;
  Shadow& operator=(const Shadow&) = delete;

  void map(size_t bytes);  // of memory; pages of cells come into being when they are touched
  void unmap();
  void clear(size_t bytes);
  bool mapped() const { return cells_ != nullptr; }

  // fn(cell, offset, bytes) for the cells of a range: whole words, and single bytes of split words.
  template <typename Fn>
  void visit(size_t offset, size_t bytes, const Fn& fn) {
    for (size_t end = offset + bytes; offset < end;) {
      const size_t in_word = offset % 4,
                   count = end - offset < 4 - in_word ? end - offset : 4 - in_word;
      Cell& word = cells_[offset / 4];
      if (count == 4 && word.write != kSplit) {
        fn(word, offset, 4);
      } else {
        if (word.write != kSplit) split(word);
        for (size_t i = 0; i < count; ++i) fn(splits_[word.more][in_word + i], offset + i, 1);
      }
      offset += count;
    }
  }
  // After a write of whole words that were split: one cell each again.
  void merge(size_t offset, size_t bytes);

 private:
  void split(Cell& word);

  Cell* cells_ = nullptr;
  size_t mapped_ = 0;
  std::vector<std::array<Cell, 4>> splits_;
  std::vector<uint32_t> free_;
};

}  // namespace hadal::simt
