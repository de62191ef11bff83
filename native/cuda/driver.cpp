// See driver.h.
#include "cuda/driver.h"

#include <dlfcn.h>

namespace hadal::cuda {
namespace {

void* find(void* library, const char* symbol) {
  void* found = dlsym(library, symbol);
  if (found == nullptr)
    fail(HADAL_ERROR_UNSUPPORTED, "CUDA: the driver is too old: it has no %s, expected one for CUDA 12.4 or newer",
         symbol);
  return found;
}

}  // namespace

Driver open_driver(const char* file) {
  void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) fail(HADAL_ERROR_UNSUPPORTED, "CUDA: no driver on this machine (%s was not found)", file);
  Driver driver{};
  driver.kind = "cuda";
#define HADAL_DRIVER_FIND(member, symbol, arguments) \
  driver.member = reinterpret_cast<DriverResult(*) arguments>(find(library, symbol));
  HADAL_DRIVER_FUNCTIONS(HADAL_DRIVER_FIND)
#undef HADAL_DRIVER_FIND
  return driver;
}

const Driver& system_driver() {
  static const Driver driver = open_driver("libcuda.so.1");  // a throw leaves it to the next call to try again
  return driver;
}

void expect_success(const Driver& driver, DriverResult result, const char* what) {
  if (result == 0) return;
  const char* name = nullptr;
  const char* text = nullptr;
  driver.error_name(result, &name);
  driver.error_string(result, &text);
  fail(result == kDriverOutOfMemory ? HADAL_ERROR_NO_MEMORY : HADAL_ERROR_INTERNAL,
       "CUDA: %s failed: %s (%s)", what, text ? text : "no text", name ? name : "unknown error");
}

}  // namespace hadal::cuda
