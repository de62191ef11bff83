// The table of kernels against what is compiled in: a kernel that is missing from one of the two would be found
// only by the step that needs it, and one whose block is smaller than its launch bounds promise never.
#include "cuda/table.h"

#include <set>
#include <string>

#include "simt/simt.h"
#include "tests/case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

// Kernels of tests/cuda/kernels: for the emulator and for conformance, never shipped.
bool is_tests_own(const std::string& name) {
  return name.starts_with("hadal_emulator_") || name.starts_with("hadal_conformance_") ||
         name.starts_with("hadal_test_");
}

}  // namespace

int main() {
  test("every kernel of the table is compiled in, with the same threads and parameters", [] {
    for (const cuda::Kernel* kernel : cuda::all_kernels()) {
      const simt::Registered* found = simt::Registered::find((std::string("hadal_") + kernel->name).c_str());
      if (found == nullptr) std::printf("  %s: no HADAL_KERNEL\n", kernel->name);
      CHECK(found != nullptr);
      if (found == nullptr) continue;
      if (found->threads != kernel->threads || found->params_bytes != kernel->params_bytes)
        std::printf("  %s: table %u threads, %u bytes; HADAL_KERNEL %u threads, %zu bytes\n", kernel->name,
                    kernel->threads, kernel->params_bytes, found->threads, found->params_bytes);
      CHECK(found->threads == kernel->threads && found->params_bytes == kernel->params_bytes);
    }
  });
  test("every kernel that is compiled in is in the table, once", [] {
    std::set<std::string> names;
    for (const cuda::Kernel* kernel : cuda::all_kernels()) CHECK(names.insert(std::string("hadal_") + kernel->name).second);
    for (const simt::Registered* kernel = simt::Registered::first(); kernel != nullptr; kernel = kernel->next) {
      if (is_tests_own(kernel->name)) continue;
      if (!names.contains(kernel->name)) std::printf("  %s is not in table.cpp\n", kernel->name);
      CHECK(names.contains(kernel->name));
    }
  });
  return finish();
}
