// Kernels are compiled with -fsanitize=thread and linked without its library: these are its entry points, so
// that every ordinary load and store of a kernel is seen here without a wrapper in its source.
#include "simt/machine.h"
#include "simt/wgmma.h"

namespace {

using hadal::simt::Access;
using hadal::simt::machine;

inline void see(void* address, size_t bytes, Access access, bool aligned, void* code) {
  if (machine.now == nullptr || !machine.options.hazards) return;
  const hadal::simt::Place place = hadal::simt::place_of(code);
  if (hadal::simt::wgmma_arrays_in_flight != 0)
    hadal::simt::check_registers_in_flight(address, bytes, place);
  // Most are of a thread's own variables.
  if (reinterpret_cast<uintptr_t>(address) - machine.now->stack < hadal::simt::Fibers::kStackBytes) return;
  ++machine.report.accesses;
  if (++machine.run_length > hadal::simt::kLongRun) hadal::simt::let_others_run();
  hadal::simt::access_memory(address, bytes, access, aligned, place);
}

}  // namespace

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

#define HADAL_TSAN_ACCESS(bytes)                                                     \
  void __tsan_read##bytes(void* p) {                                                 \
    see(p, bytes, Access::kRead, true, __builtin_return_address(0));                 \
  }                                                                                  \
  void __tsan_write##bytes(void* p) {                                                \
    see(p, bytes, Access::kWrite, true, __builtin_return_address(0));                \
  }                                                                                  \
  void __tsan_unaligned_read##bytes(void* p) {                                       \
    see(p, bytes, Access::kRead, true, __builtin_return_address(0));                 \
  }                                                                                  \
  void __tsan_unaligned_write##bytes(void* p) {                                      \
    see(p, bytes, Access::kWrite, true, __builtin_return_address(0));                \
  }
HADAL_TSAN_ACCESS(1)
HADAL_TSAN_ACCESS(2)
HADAL_TSAN_ACCESS(4)
HADAL_TSAN_ACCESS(8)
HADAL_TSAN_ACCESS(16)
#undef HADAL_TSAN_ACCESS

// Structs of other sizes: their members are moved one by one, each aligned by its type.
void __tsan_read_range(void* p, long bytes) {
  see(p, static_cast<size_t>(bytes), Access::kRead, false, __builtin_return_address(0));
}
void __tsan_write_range(void* p, long bytes) {
  see(p, static_cast<size_t>(bytes), Access::kWrite, false, __builtin_return_address(0));
}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

}  // extern "C"
