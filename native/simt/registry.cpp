// The kernels that were compiled in, in a list that is complete before main.
#include "simt/simt.h"

namespace hadal::simt {
namespace {

const Registered*& head() {
  static const Registered* first = nullptr;
  return first;
}

}  // namespace

Registered::Registered(const char* name, size_t params_bytes, uint32_t threads,
                       void (*body)(const void*))
    : name(name), params_bytes(params_bytes), threads(threads), body(body), next(head()) {
  head() = this;
}

const Registered* Registered::first() { return head(); }

const Registered* Registered::find(const char* name) {
  for (const Registered* kernel = head(); kernel != nullptr; kernel = kernel->next)
    if (std::strcmp(kernel->name, name) == 0) return kernel;
  return nullptr;
}

}  // namespace hadal::simt
