// The backend over the emulator, as a library that core opens under HADAL_CUDA_DRIVER=simt: for tests from
// TypeScript, shipped with nothing. What the emulator finds wrong fails the run, which waits for its stream last.
#include <cstring>

#include "cuda/backend.h"
#include "simt/driver.h"

namespace hadal::testing {
namespace {

std::string problem;

const cuda::Driver& strict_driver() {
  static const cuda::Driver driver = [] {
    cuda::Driver strict = simt::driver();
    strict.stream_synchronize = [](cuda::DriverStream stream) {
      const cuda::DriverResult result = simt::driver().stream_synchronize(stream);
      const simt::Report report = simt::take_report();
      if (report.count == 0) return result;
      problem = report.problems.empty() ? "a hazard" : report.problems.front();
      return static_cast<cuda::DriverResult>(cuda::kDriverLaunchFailed);
    };
    strict.error_string = [](cuda::DriverResult error, const char** text) {
      if (error != cuda::kDriverLaunchFailed) return simt::driver().error_string(error, text);
      *text = problem.c_str();
      return 0;
    };
    return strict;
  }();
  return driver;
}

}  // namespace
}  // namespace hadal::testing

extern "C" __attribute__((visibility("default"))) const hadal::BackendLibrary* hadal_backend(const char* interface) {
  using namespace hadal;
  static const BackendLibrary library = {
      cuda::op_names,
      [] { return cuda::facts(testing::strict_driver(), ""); },
      [] { return cuda::open(testing::strict_driver(), ""); },
  };
  return interface != nullptr && std::strcmp(interface, kBackendInterface) == 0 ? &library : nullptr;
}
