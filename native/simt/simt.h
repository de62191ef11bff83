// The emulator as the device wrappers see it: what runs when g++ compiles a kernel. One fiber is
// one CUDA thread; a scheduler, seeded, decides who runs next. All of it on one OS thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace hadal::simt {

// Where in the kernel's source a wrapper was called, for reports.
struct Site {
  const char* file;
  int line;
  Site(const char* f = __builtin_FILE(), int l = __builtin_LINE()) : file(f), line(l) {}
};

struct Extent {
  uint32_t x = 1, y = 1, z = 1;
};

const Extent& thread_index();
const Extent& block_index();
const Extent& block_extent();
const Extent& grid_extent();

// The block's shared memory, at least so many bytes of it (else a report).
uint8_t* shared_memory(size_t bytes);

void sync_block(Site site);
void sync_named(int id, int threads, Site site);
void sync_warp(Site site);
// Every lane gives a value and gets that of `lane`.
uint64_t shuffle(uint64_t value, int lane, Site site);
uint32_t ballot(bool vote, Site site);
// A thread comes to a named barrier and does not wait there.
void arrive_named(int id, int threads, Site site);

// Shared addresses as 32-bit numbers: see hazards.h.
uint32_t shared_offset(const void* pointer);

// A load and a store that the instrumentation of kernels does not see, for wrappers that have said
// it already.
template <typename T>
__attribute__((no_sanitize("thread"))) T unseen_load(const T* address) {
  return *const_cast<const volatile T*>(address);
}
template <typename T>
__attribute__((no_sanitize("thread"))) void unseen_store(T* address, T value) {
  *const_cast<volatile T*>(address) = value;
}

void report_misaligned(const void* address, uint32_t bytes, const char* call, Site site);

// Before an atomic operation: `write` and `read` say what it does to the word.
enum class Order { kRelaxed, kAcquire, kRelease, kAcquireRelease };
struct AtomicUse {
  bool read, write;
};
void atomic_access(const void* address, size_t bytes, AtomicUse use, Order order, Site site);
// Before a load that is repeated until somebody else has stored: lets others run.
void poll(Site site);
void fence_device(Site site);
void wait_for_previous_kernel(Site site);
void let_next_kernel_start(Site site);

template <typename T>
uint64_t to_bits(T value) {
  static_assert(sizeof(T) <= 8);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}
template <typename T>
T from_bits(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// HADAL_KERNEL makes one of these per kernel before main; the driver finds kernels by name.
struct Registered {
  const char* name;
  size_t params_bytes;
  uint32_t threads;
  void (*body)(const void* params);
  const Registered* next;

  Registered(const char* name, size_t params_bytes, uint32_t threads, void (*body)(const void*));
  static const Registered* first();
  static const Registered* find(const char* name);
};

}  // namespace hadal::simt
