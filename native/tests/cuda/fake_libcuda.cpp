// A libcuda.so.1 without a GPU behind it, for tests that run the whole program with LD_LIBRARY_PATH: it answers the
// questions that come before the first context, as HADAL_FAKE_CUDA says (old, none, broken, a6000, hopper), and fails
// at everything after.
#include <cstdlib>
#include <cstring>

namespace {

bool is(const char* what) {
  const char* value = std::getenv("HADAL_FAKE_CUDA");
  return value != nullptr && std::strcmp(value, what) == 0;
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default"))) int
#define FAILS(name) EXPORT name() { return 999; }

EXPORT cuInit(unsigned) { return is("none") ? 100 : is("broken") ? 803 : 0; }
EXPORT cuDriverGetVersion(int* version) { return *version = is("old") ? 11080 : 13000, 0; }
EXPORT cuGetErrorName(int, const char** name) { return *name = "CUDA_ERROR_FAKE", 0; }
EXPORT cuGetErrorString(int, const char** text) { return *text = "a fake driver does nothing", 0; }
EXPORT cuDeviceGetCount(int* count) { return *count = 1, 0; }
EXPORT cuDeviceGet(int* device, int) { return *device = 0, 0; }
EXPORT cuDeviceGetName(char* name, int, int) {
  std::strcpy(name, is("a6000") ? "NVIDIA RTX A6000" : "NVIDIA H100 80GB HBM3");
  return 0;
}
EXPORT cuDeviceGetAttribute(int* value, int attribute, int) {
  const bool major = attribute == 75;
  *value = is("a6000") ? (major ? 8 : 6) : (major ? 9 : 0);
  return 0;
}
EXPORT cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = size_t{80} << 30, 0; }

FAILS(cuDevicePrimaryCtxRetain)
FAILS(cuDevicePrimaryCtxRelease_v2)
FAILS(cuCtxSetCurrent)
FAILS(cuLibraryLoadData)
FAILS(cuLibraryUnload)
FAILS(cuLibraryGetKernel)
FAILS(cuKernelSetAttribute)
FAILS(cuMemGetInfo_v2)
FAILS(cuMemAlloc_v2)
FAILS(cuMemFree_v2)
FAILS(cuMemHostAlloc)
FAILS(cuMemFreeHost)
FAILS(cuMemcpyHtoDAsync_v2)
FAILS(cuMemcpyDtoHAsync_v2)
FAILS(cuMemcpyDtoDAsync_v2)
FAILS(cuMemsetD8Async)
FAILS(cuStreamCreate)
FAILS(cuStreamDestroy_v2)
FAILS(cuStreamSynchronize)
FAILS(cuStreamBeginCapture_v2)
FAILS(cuStreamEndCapture)
FAILS(cuGraphInstantiateWithFlags)
FAILS(cuGraphLaunch)
FAILS(cuGraphDestroy)
FAILS(cuGraphExecDestroy)
FAILS(cuEventCreate)
FAILS(cuEventDestroy_v2)
FAILS(cuEventRecord)
FAILS(cuEventSynchronize)
FAILS(cuEventElapsedTime)
FAILS(cuStreamWaitEvent)
FAILS(cuLaunchKernelEx)
FAILS(cuTensorMapEncodeTiled)
