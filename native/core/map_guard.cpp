// See map_guard.h. Everything that the handler touches is atomic and of static or leaked storage.
#include "core/map_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>

#include "core/status.h"

namespace hadal {
namespace {

constexpr int kSlab = 256;
struct Slab {
  GuardedMap maps[kSlab];
  std::atomic<Slab*> next{nullptr};
};

Slab first_slab;
std::atomic<uint64_t> faults{0};
struct sigaction previous;
uintptr_t page_size = 4096;

// A slot may be rewritten while it is read: `end` is zero during that time, and `begin` read twice
// tells a slot that changed hands.
GuardedMap* find(uintptr_t address) {
  for (Slab* slab = &first_slab; slab != nullptr; slab = slab->next.load()) {
    for (GuardedMap& map : slab->maps) {
      const uintptr_t begin = map.begin.load();
      const uintptr_t end = map.end.load();
      if (address >= begin && address < end && map.begin.load() == begin) return &map;
    }
  }
  return nullptr;
}

// Pages after the faulting one are beyond the new end as well; one mapping for all of them stays far
// from the system's limit on mappings. What is read there no longer matters: the run fails.
bool mend(uintptr_t address) {
  GuardedMap* map = find(address);
  if (map == nullptr) return false;
  const uintptr_t page = address / page_size * page_size;
  const uintptr_t end = (map->end.load() + page_size - 1) / page_size * page_size;
  void* mapped = mmap(reinterpret_cast<void*>(page), end - page, PROT_READ,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (mapped == MAP_FAILED) return false;
  map->faulted.store(true);
  faults.fetch_add(1);
  return true;
}

void call_previous(int signal, siginfo_t* info, void* context) {
  if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != nullptr) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else {
    // Returning repeats the access, which now ends the process as it would have without us.
    struct sigaction action = {};
    action.sa_handler = SIG_DFL;
    sigaction(signal, &action, nullptr);
  }
}

void on_fault(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  const bool kernel_fault = info != nullptr && info->si_code > 0;  // not kill() or sigqueue()
  const bool mended = kernel_fault && mend(reinterpret_cast<uintptr_t>(info->si_addr));
  if (!mended) call_previous(signal, info, context);
  errno = saved;
}

// macOS reports an access beyond the end of a file as SIGBUS too.
void install() {
  static std::once_flag once;
  std::call_once(once, [] {
    page_size = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, &previous) != 0)
      fail(HADAL_ERROR_INTERNAL, "SIGBUS handler: %s", std::strerror(errno));
  });
}

GuardedMap* take_slot() {
  for (Slab* slab = &first_slab;;) {
    for (GuardedMap& map : slab->maps)
      if (!map.taken.exchange(true)) return &map;
    Slab* next = slab->next.load();
    if (next == nullptr) {
      Slab* fresh = new Slab;
      if (slab->next.compare_exchange_strong(next, fresh)) {
        next = fresh;
      } else {
        delete fresh;
      }
    }
    slab = next;
  }
}

}  // namespace

GuardedMap* guard_map(const void* address, size_t bytes) {
  install();
  GuardedMap* map = take_slot();
  const auto begin = reinterpret_cast<uintptr_t>(address);
  map->faulted.store(false);
  map->begin.store(begin);
  map->end.store(begin + bytes);
  return map;
}

void unguard_map(GuardedMap* map) {
  map->end.store(0);
  map->begin.store(0);
  map->taken.store(false);
}

uint64_t mended_faults() { return faults.load(std::memory_order_relaxed); }

}  // namespace hadal
