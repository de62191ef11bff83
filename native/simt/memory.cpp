// See memory.h; also the way from an address that a kernel touches to the rules in cells.cpp.
#include "simt/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "simt/machine.h"

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

namespace hadal::simt {
namespace {

constexpr size_t kSpace = size_t{1} << 40,
                 kLeastSpace = size_t{1} << 32;  // address space, not memory
constexpr size_t kPage = 4096;
constexpr size_t kRedZone = 16 * kPage;  // between two allocations

struct Allocation {
  uint8_t* start = nullptr;
  size_t bytes = 0;
  uint32_t number = 0;
  bool freed = false;
  Shadow shadow;
  uint16_t* written = nullptr;  // a bit a byte
  size_t written_bytes = 0;
};

// Usable all of it: an access that was reported happens nevertheless. As much as there is, from
// `least`.
uint8_t* reserve(size_t& bytes, size_t least) {
  for (;; bytes /= 2) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED) return static_cast<uint8_t*>(memory);
    if (bytes / 2 < least) std::abort();
  }
}

struct Space {
  size_t size = kSpace;
  uint8_t* start = reserve(size, kLeastSpace);
  size_t used = kRedZone;
  std::vector<std::unique_ptr<Allocation>> all;  // by address
  Allocation* last = nullptr;

  // The allocation that starts at or before the address.
  Allocation* find(const void* address) {
    const auto* byte = static_cast<const uint8_t*>(address);
    if (last != nullptr && byte >= last->start && byte < last->start + last->bytes) return last;
    const auto above = std::upper_bound(
        all.begin(), all.end(), byte,
        [](const uint8_t* a, const std::unique_ptr<Allocation>& b) { return a < b->start; });
    if (above == all.begin()) return nullptr;
    return last = std::prev(above)->get();
  }
};

Space& the_space = *new Space;
Space& space() { return the_space; }

size_t shared_size = kPlaces * kSharedWindow;
uint8_t* const shared_start = reserve(shared_size, shared_size);

void set_written(Allocation& to, size_t offset, size_t bytes) {
  for (const size_t end = offset + bytes; offset < end;) {
    if (offset % 16 == 0 && end - offset >= 16) {
      const size_t words = (end - offset) / 16;
      std::memset(to.written + offset / 16, 0xff, words * 2);
      offset += words * 16;
      continue;
    }
    const size_t count = std::min(end - offset, 16 - offset % 16);
    to.written[offset / 16] |= static_cast<uint16_t>(((1u << count) - 1) << offset % 16);
    offset += count;
  }
}

bool all_written(const Allocation& in, size_t offset, size_t bytes) {
  for (const size_t end = offset + bytes; offset < end;) {
    const size_t count = std::min(end - offset, 16 - offset % 16);
    const uint32_t mask = ((1u << count) - 1) << offset % 16;
    if ((in.written[offset / 16] & mask) != mask) return false;
    offset += count;
  }
  return true;
}

std::string span_text(size_t bytes, ptrdiff_t offset, const Allocation& in) {
  return std::to_string(bytes) + " bytes at " + std::to_string(offset) + " of allocation " +
         std::to_string(in.number) + " (" + std::to_string(in.bytes) + " bytes)";
}

void global_problem(const char* kind, bool write, size_t bytes, const void* address,
                    const Allocation* in, Place place) {
  std::string text =
      std::string(kind) + ": " + where(*machine.now) + (write ? " writes " : " reads ");
  if (in == nullptr) {
    text += std::to_string(bytes) + " bytes outside of every allocation";
  } else {
    text += span_text(bytes, static_cast<const uint8_t*>(address) - in->start, *in);
  }
  problem(text + " at " + describe(place), kind, place);
}

bool find_global(const void* address, size_t bytes, bool write, Place place, Allocation** found) {
  Allocation* in = space().find(address);
  const auto* byte = static_cast<const uint8_t*>(address);
  if (in == nullptr || in->freed || byte + bytes > in->start + in->bytes) {
    // Before an allocation is nearer to it than after the one below.
    if (in != nullptr && !in->freed && byte > in->start + in->bytes + kRedZone / 2) {
      const auto above = std::upper_bound(
          space().all.begin(), space().all.end(), byte,
          [](const uint8_t* a, const std::unique_ptr<Allocation>& b) { return a < b->start; });
      if (above != space().all.end()) in = above->get();
    }
    global_problem(
        in != nullptr && in->freed ? "use of freed global memory" : "global memory out of bounds",
        write, bytes, address, in, place);
    return false;
  }
  *found = in;
  return true;
}

bool find_shared(const void* address, size_t bytes, bool write, Place place, Found* found) {
  const size_t at =
      static_cast<size_t>(static_cast<const uint8_t*>(address) - shared_start);
  const Thread& thread = *machine.now;
  Block& block = machine.blocks[std::min(at / kSharedWindow, machine.blocks.size() - 1)];
  const size_t in_window = at - block.place * kSharedWindow;
  const bool live = block.group == thread.block->group;
  if (!live || in_window < kSharedStart ||
      in_window + bytes > kSharedStart + machine.grid.shared_bytes) {
    const auto offset = static_cast<const uint8_t*>(address) - thread.block->shared;
    problem("shared memory out of bounds: " + where(thread) + (write ? " writes " : " reads ") +
                std::to_string(bytes) + " bytes at " + std::to_string(offset) + " of " +
                std::to_string(machine.grid.shared_bytes) + " at " + describe(place),
            "shared memory out of bounds", place);
    return false;
  }
  *found = {{&block.shadow, true, block.shared}, in_window - kSharedStart};
  return true;
}

bool is_global(const void* address) {
  return static_cast<size_t>(static_cast<const uint8_t*>(address) - space().start) < space().size;
}
bool is_shared(const void* address) {
  return static_cast<size_t>(static_cast<const uint8_t*>(address) - shared_start) <
         kPlaces * kSharedWindow;
}

// A load or store of its own moves 1, 2, 4, 8 or 16 bytes.
void report_alignment(const void* address, size_t bytes, Access access, Place place) {
  problem("misaligned access: " + where(*machine.now) + (writes(access) ? " writes " : " reads ") +
              std::to_string(bytes) + " bytes at an address that is " +
              std::to_string(reinterpret_cast<uintptr_t>(address) % bytes) +
              " past a multiple of " + std::to_string(bytes) + ", at " + describe(place),
          "misaligned", place);
}

}  // namespace

void* allocate_global(size_t bytes) {
  Space& all = space();
  const size_t pages = (std::max<size_t>(bytes, 1) + kPage - 1) / kPage * kPage;
  if (all.used + pages + kRedZone > all.size) return nullptr;
  uint8_t* start = all.start + all.used;
  all.used += pages + kRedZone;
  std::memset(start, 0xff, bytes);
  auto made = std::make_unique<Allocation>();
  made->start = start;
  made->bytes = bytes;
  made->number = static_cast<uint32_t>(all.all.size() + 1);
  made->shadow.map(bytes);
  made->written_bytes = (bytes / 16 + 1) * 2;
  made->written = reinterpret_cast<uint16_t*>(reserve(made->written_bytes, made->written_bytes));
  all.all.push_back(std::move(made));
  return start;
}

bool free_global(void* start) {
  if (start == nullptr) return true;
  Allocation* in = space().find(start);
  if (in == nullptr || in->start != start || in->freed) return false;
  in->freed = true;
  in->shadow.unmap();
  munmap(in->written, in->written_bytes);
  const size_t pages = (std::max<size_t>(in->bytes, 1) + kPage - 1) / kPage * kPage;
  madvise(start, pages, MADV_DONTNEED);
  return true;
}

const char* check_global(const void* start, size_t bytes) {
  if (bytes == 0) return "";
  if (!is_global(start)) return "not an address of device memory";
  const Allocation* in = space().find(start);
  if (in == nullptr) return "outside of every allocation";
  if (in->freed) return "memory that was freed";
  const auto* byte = static_cast<const uint8_t*>(start);
  return byte + bytes > in->start + in->bytes ? "past the end of the allocation" : "";
}

void mark_written(void* start, size_t bytes) {
  if (bytes == 0) return;
  Allocation& in = *space().find(start);
  set_written(in, static_cast<size_t>(static_cast<uint8_t*>(start) - in.start), bytes);
}

void copy_written(void* to, const void* from, size_t bytes) {
  if (bytes == 0) return;
  Allocation &target = *space().find(to), &source = *space().find(from);
  const auto at = static_cast<size_t>(static_cast<uint8_t*>(to) - target.start);
  const auto of = static_cast<size_t>(static_cast<const uint8_t*>(from) - source.start);
  if (all_written(source, of, bytes)) return set_written(target, at, bytes);
  for (size_t i = 0; i < bytes; ++i)
    if (all_written(source, of + i, 1)) set_written(target, at + i, 1);
}

namespace {

bool find_written(const void* address, size_t bytes, bool write, Place place, Found* found) {
  Allocation* in = nullptr;
  if (!find_global(address, bytes, write, place, &in)) return false;
  const auto offset = static_cast<size_t>(static_cast<const uint8_t*>(address) - in->start);
  if (write) {
    set_written(*in, offset, bytes);
  } else if (!all_written(*in, offset, bytes)) {
    global_problem("read of global memory that nothing wrote", false, bytes, address, in, place);
  }
  *found = {{&in->shadow, false, in->start}, offset};
  return true;
}

void note_peer(const Region& region) {
  for (Block* block : machine.now->block->group->blocks)
    if (block->shared == region.start) note_visit(*block);
}

}  // namespace

bool find_memory(const void* address, size_t bytes, bool write, Place place, Found* found) {
  if (is_shared(address)) return find_shared(address, bytes, write, place, found);
  if (is_global(address)) return find_written(address, bytes, write, place, found);
  problem("not device memory: " + where(*machine.now) + " reaches for a host address at " +
              describe(place),
          "host", place);
  return false;
}

void access_memory(const void* address, size_t bytes, Access access, bool aligned, Place place) {
  const bool shared = is_shared(address);
  if (!shared && !is_global(address)) return check_host(address, bytes, place);
  if (aligned && reinterpret_cast<uintptr_t>(address) % bytes != 0)
    report_alignment(address, bytes, access, place);
  Found found;
  if (shared) {
    if (!find_shared(address, bytes, writes(access), place, &found)) return;
    if (found.region.start != machine.now->block->shared) note_peer(found.region);
  } else {
    // An update reads first.
    if (access == Access::kAtomic && !find_written(address, bytes, false, place, &found)) return;
    if (!find_written(address, bytes, writes(access), place, &found)) return;
  }
  if (machine.options.lint) note_lint(address, bytes, shared, place);
  touch(found.region, found.offset, bytes, access, place);
}

void start_shared(Block& block) {
  block.shared = shared_start + block.place * kSharedWindow + kSharedStart;
  if (!block.shadow.mapped()) block.shadow.map(kSharedMax);
  std::memset(block.shared, 0xff, machine.grid.shared_bytes);
}

}  // namespace hadal::simt
