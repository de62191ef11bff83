// Kernels are compiled with -fsanitize=thread and linked without its library: these are its entry points, so
// that every ordinary load and store of a kernel is seen here without a wrapper in its source.
#include <cstddef>

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

#define HADAL_TSAN_ACCESS(bytes)                \
  void __tsan_read##bytes(void*) {}             \
  void __tsan_write##bytes(void*) {}            \
  void __tsan_unaligned_read##bytes(void*) {}   \
  void __tsan_unaligned_write##bytes(void*) {}
HADAL_TSAN_ACCESS(1)
HADAL_TSAN_ACCESS(2)
HADAL_TSAN_ACCESS(4)
HADAL_TSAN_ACCESS(8)
HADAL_TSAN_ACCESS(16)
#undef HADAL_TSAN_ACCESS

void __tsan_read_range(void*, long) {}
void __tsan_write_range(void*, long) {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

}  // extern "C"
