// Which addresses of the host a kernel may touch: its thread's stack, parameters and constants of the program, memory
// that the driver pinned. A pointer into the host's heap works here and faults on a GPU.
#include <algorithm>
#include <mutex>

#include "simt/machine.h"
#include "simt/memory.h"

#ifdef __linux__
#include <link.h>
#endif

namespace hadal::simt {
namespace {

struct Range {
  uintptr_t start, end;
  bool holds(uintptr_t at) const { return at >= start && at < end; }
};

#ifdef __linux__
int add_segments(dl_phdr_info* info, size_t, void* to) {
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& segment = info->dlpi_phdr[i];
    const uintptr_t start = info->dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD)
      static_cast<std::vector<Range>*>(to)->push_back({start, start + segment.p_memsz});
  }
  return 0;
}
#endif

// Of the program and its libraries; empty where nobody tells.
const std::vector<Range>& segments() {
  static const auto& all = *[] {
    auto* found = new std::vector<Range>;
#ifdef __linux__
    dl_iterate_phdr(add_segments, found);
#endif
    return found;
  }();
  return all;
}

std::mutex pinned_mutex;  // the host allocates on any thread
std::vector<Range>& pinned() {
  static auto& all = *new std::vector<Range>;
  return all;
}

bool in_one(const std::vector<Range>& ranges, uintptr_t at) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) { return range.holds(at); });
}

}  // namespace

void pin_host(void* start, size_t bytes) {
  const std::lock_guard<std::mutex> lock(pinned_mutex);
  const auto at = reinterpret_cast<uintptr_t>(start);
  pinned().push_back({at, at + bytes});
}

void unpin_host(const void* start) {
  const std::lock_guard<std::mutex> lock(pinned_mutex);
  const auto at = reinterpret_cast<uintptr_t>(start);
  std::erase_if(pinned(), [&](const Range& range) { return range.start == at; });
}

void check_host(const void* address, size_t bytes, Place place) {
  const auto at = reinterpret_cast<uintptr_t>(address);
  const Thread& self = *machine.now;
  if (at - self.stack < Fibers::kStackBytes) return;
  const auto threads = reinterpret_cast<uintptr_t>(self.block->threads.data());
  if (at - threads < self.block->threads.size() * sizeof(Thread)) return;  // threadIdx
  if (at - reinterpret_cast<uintptr_t>(self.block) < sizeof(Block)) return;  // blockIdx
  if (segments().empty() || in_one(segments(), at)) return;
  {
    const std::lock_guard<std::mutex> lock(pinned_mutex);
    if (in_one(pinned(), at)) return;
  }
  problem("not device memory: " + where(self) + " reaches for " + std::to_string(bytes) +
              " bytes at a host address at " + describe(place),
          "host", place);
}

}  // namespace hadal::simt
