// The part of the CUDA driver's C interface that Hadal calls, declared by itself so that the CUDA backend
// builds where no toolkit is. Layouts and numbers are the driver's ABI; tests/cuda/driver_abi_test.cpp holds them
// against cuda.h where there is one. Which library stands behind the functions is driver.h's business.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hadal::cuda {

using DriverResult = int;  // CUresult; 0 is success
using DriverDevice = int;
using DevicePointer = uint64_t;  // CUdeviceptr
using DriverContext = struct DriverContextHandle*;
using DriverStream = struct DriverStreamHandle*;
using DriverEvent = struct DriverEventHandle*;
using DriverLibrary = struct DriverLibraryHandle*;
using DriverKernel = struct DriverKernelHandle*;
using DriverGraph = struct DriverGraphHandle*;
using DriverGraphExec = struct DriverGraphExecHandle*;

enum : int {
  kDriverInvalidValue = 1,
  kDriverOutOfMemory = 2,
  kDriverNoDevice = 100,
  kDriverNotFound = 500,
  kDriverLaunchFailed = 719,

  kDeviceMultiprocessorCount = 16,
  kDeviceL2CacheBytes = 38,
  kDeviceComputeMajor = 75,
  kDeviceComputeMinor = 76,

  kKernelMaxDynamicShared = 8,
  kKernelNonPortableCluster = 14,

  kLaunchClusterDimension = 4,
  kLaunchProgrammaticSerialization = 6,

  kStreamNonBlocking = 1,
  kEventDisableTiming = 2,
  kCaptureThreadLocal = 1,
};

union LaunchValue {
  char pad[64];
  struct {
    uint32_t x, y, z;
  } cluster;
  int programmatic_serialization;
};

struct LaunchAttribute {
  uint32_t id;
  uint32_t pad;
  LaunchValue value;
};

struct LaunchConfig {
  uint32_t grid_x, grid_y, grid_z;
  uint32_t block_x, block_y, block_z;
  uint32_t shared_bytes;
  DriverStream stream;
  LaunchAttribute* attributes;
  uint32_t attribute_count;
};

// 128 opaque bytes on a GPU; what the emulator writes into them is its own (simt/tensor_map.h).
// Aligned as cuda.h of CUDA 13 has it; the hardware asks for 64.
struct alignas(128) TensorMap {
  uint64_t opaque[16];
};

// Values of CUtensorMapDataType, ...Swizzle and so on that the kernels use.
enum class TensorMapType : int { kU8 = 0, kU16 = 1, kU32 = 2, kI32 = 3, kF16 = 6, kF32 = 7, kBF16 = 9 };
enum class TensorMapSwizzle : int { kNone = 0, k32 = 1, k64 = 2, k128 = 3 };
enum class TensorMapPromotion : int { kNone = 0, k64 = 1, k128 = 2, k256 = 3 };

// X(member, exported symbol, arguments)
#define HADAL_DRIVER_FUNCTIONS(X)                                                               \
  X(init, "cuInit", (uint32_t flags))                                                           \
  X(driver_version, "cuDriverGetVersion", (int* version))                                       \
  X(error_name, "cuGetErrorName", (DriverResult error, const char** name))                      \
  X(error_string, "cuGetErrorString", (DriverResult error, const char** text))                  \
  X(device_count, "cuDeviceGetCount", (int* count))                                             \
  X(device_get, "cuDeviceGet", (DriverDevice * device, int ordinal))                            \
  X(device_name, "cuDeviceGetName", (char* name, int bytes, DriverDevice device))               \
  X(device_attribute, "cuDeviceGetAttribute", (int* value, int attribute, DriverDevice device)) \
  X(device_memory, "cuDeviceTotalMem_v2", (size_t * bytes, DriverDevice device))                \
  X(context_retain, "cuDevicePrimaryCtxRetain", (DriverContext * context, DriverDevice device)) \
  X(context_release, "cuDevicePrimaryCtxRelease_v2", (DriverDevice device))                     \
  X(context_set_current, "cuCtxSetCurrent", (DriverContext context))                            \
  X(library_load, "cuLibraryLoadData",                                                          \
    (DriverLibrary * library, const void* image, void* jit, void* jit_values, uint32_t jit_count, \
     void* options, void* values, uint32_t count))                                              \
  X(library_unload, "cuLibraryUnload", (DriverLibrary library))                                 \
  X(library_kernel, "cuLibraryGetKernel",                                                       \
    (DriverKernel * kernel, DriverLibrary library, const char* name))                           \
  X(kernel_set_attribute, "cuKernelSetAttribute",                                               \
    (int attribute, int value, DriverKernel kernel, DriverDevice device))                       \
  X(memory_info, "cuMemGetInfo_v2", (size_t * free, size_t* total))                             \
  X(memory_allocate, "cuMemAlloc_v2", (DevicePointer * pointer, size_t bytes))                  \
  X(memory_free, "cuMemFree_v2", (DevicePointer pointer))                                       \
  X(host_allocate, "cuMemHostAlloc", (void** pointer, size_t bytes, uint32_t flags))            \
  X(host_free, "cuMemFreeHost", (void* pointer))                                                \
  X(copy_to_device, "cuMemcpyHtoDAsync_v2",                                                     \
    (DevicePointer to, const void* from, size_t bytes, DriverStream stream))                    \
  X(copy_to_host, "cuMemcpyDtoHAsync_v2",                                                       \
    (void* to, DevicePointer from, size_t bytes, DriverStream stream))                          \
  X(copy_on_device, "cuMemcpyDtoDAsync_v2",                                                     \
    (DevicePointer to, DevicePointer from, size_t bytes, DriverStream stream))                  \
  X(fill_bytes, "cuMemsetD8Async",                                                              \
    (DevicePointer to, unsigned char value, size_t bytes, DriverStream stream))                 \
  X(stream_create, "cuStreamCreate", (DriverStream * stream, uint32_t flags))                   \
  X(stream_destroy, "cuStreamDestroy_v2", (DriverStream stream))                                \
  X(stream_synchronize, "cuStreamSynchronize", (DriverStream stream))                           \
  X(stream_begin_capture, "cuStreamBeginCapture_v2", (DriverStream stream, int mode))           \
  X(stream_end_capture, "cuStreamEndCapture", (DriverStream stream, DriverGraph * graph))       \
  X(graph_instantiate, "cuGraphInstantiateWithFlags",                                           \
    (DriverGraphExec * exec, DriverGraph graph, unsigned long long flags))                      \
  X(graph_launch, "cuGraphLaunch", (DriverGraphExec exec, DriverStream stream))                 \
  X(graph_destroy, "cuGraphDestroy", (DriverGraph graph))                                       \
  X(graph_exec_destroy, "cuGraphExecDestroy", (DriverGraphExec exec))                           \
  X(event_create, "cuEventCreate", (DriverEvent * event, uint32_t flags))                       \
  X(event_destroy, "cuEventDestroy_v2", (DriverEvent event))                                    \
  X(event_record, "cuEventRecord", (DriverEvent event, DriverStream stream))                    \
  X(event_synchronize, "cuEventSynchronize", (DriverEvent event))                               \
  X(event_elapsed, "cuEventElapsedTime", (float* milliseconds, DriverEvent from, DriverEvent to)) \
  X(stream_wait_event, "cuStreamWaitEvent", (DriverStream stream, DriverEvent event, uint32_t flags)) \
  X(launch, "cuLaunchKernelEx",                                                                 \
    (const LaunchConfig* config, DriverKernel kernel, void** params, void** extra))             \
  X(encode_tensor_map, "cuTensorMapEncodeTiled",                                                \
    (TensorMap * map, TensorMapType type, uint32_t rank, void* address, const uint64_t* extents, \
     const uint64_t* strides, const uint32_t* box, const uint32_t* element_strides,             \
     int interleave, TensorMapSwizzle swizzle, TensorMapPromotion promotion, int fill))

// One library's functions: libcuda's (driver.h) or the emulator's (simt/driver.h).
struct Driver {
  const char* kind;  // "cuda" or "simt"
#define HADAL_DRIVER_MEMBER(member, symbol, arguments) DriverResult(*member) arguments;
  HADAL_DRIVER_FUNCTIONS(HADAL_DRIVER_MEMBER)
#undef HADAL_DRIVER_MEMBER
};

}  // namespace hadal::cuda
