// The one function that hadal_cuda.so exports: the backend over libcuda.so.1 and the kernels beside it. The tests'
// library of the emulator has another (tests/cuda/simt_library.cpp).
#include <cstring>

#include "cuda/backend.h"
#include "cuda/kernels_file.h"

extern "C" __attribute__((visibility("default"))) const hadal::BackendLibrary* hadal_backend(const char* interface) {
  using namespace hadal;
  static const BackendLibrary library = {
      cuda::op_names,
      [] { return cuda::facts(cuda::system_driver(), cuda::kernels_beside()); },
      [] { return cuda::open(cuda::system_driver(), cuda::kernels_beside()); },
  };
  return interface != nullptr && std::strcmp(interface, kBackendInterface) == 0 ? &library : nullptr;
}
