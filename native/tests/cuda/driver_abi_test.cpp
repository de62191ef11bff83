// Our declarations of the driver's interface (cuda/driver_api.h) against the toolkit's cuda.h, where CMake found
// one: sizes, offsets, numbers, and that each function of the table has the type of the driver's of that name.
#include "cuda/driver_api.h"
#include "tests/case.h"

#if __has_include(<cuda.h>)
#include <cuda.h>
#define HADAL_HAS_CUDA_H
#endif

using namespace hadal;
using namespace hadal::testing;

#ifdef HADAL_HAS_CUDA_H
namespace {

using namespace hadal::cuda;

// Handles are pointers and enumerations ints: parameters match when each has the size and kind of the other.
template <typename A, typename B>
constexpr bool same_word() {
  using X = std::remove_cvref_t<A>;
  using Y = std::remove_cvref_t<B>;
  constexpr bool pointers = std::is_pointer_v<X> && std::is_pointer_v<Y>;
  constexpr bool numbers = (std::is_enum_v<X> || std::is_integral_v<X>) && (std::is_enum_v<Y> || std::is_integral_v<Y>);
  return sizeof(X) == sizeof(Y) && (pointers || numbers);
}
template <typename R, typename... A, typename S, typename... B>
constexpr bool same_call(R (*)(A...), S (*)(B...)) {
  if constexpr (sizeof...(A) == sizeof...(B)) return same_word<R, S>() && (same_word<A, B>() && ...);
  return false;
}

#define SAME(ours, theirs) static_assert(static_cast<long>(ours) == static_cast<long>(theirs))
SAME(kDriverInvalidValue, CUDA_ERROR_INVALID_VALUE);
SAME(kDriverOutOfMemory, CUDA_ERROR_OUT_OF_MEMORY);
SAME(kDriverNoDevice, CUDA_ERROR_NO_DEVICE);
SAME(kDriverNotFound, CUDA_ERROR_NOT_FOUND);
SAME(kDriverLaunchFailed, CUDA_ERROR_LAUNCH_FAILED);
SAME(kDeviceMultiprocessorCount, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
SAME(kDeviceL2CacheBytes, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
SAME(kDeviceComputeMajor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
SAME(kDeviceComputeMinor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
SAME(kKernelMaxDynamicShared, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
SAME(kKernelNonPortableCluster, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED);
SAME(kLaunchClusterDimension, CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION);
SAME(kLaunchProgrammaticSerialization, CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
SAME(kStreamNonBlocking, CU_STREAM_NON_BLOCKING);
SAME(kEventDisableTiming, CU_EVENT_DISABLE_TIMING);
SAME(kCaptureThreadLocal, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
SAME(TensorMapType::kU8, CU_TENSOR_MAP_DATA_TYPE_UINT8);
SAME(TensorMapType::kU16, CU_TENSOR_MAP_DATA_TYPE_UINT16);
SAME(TensorMapType::kU32, CU_TENSOR_MAP_DATA_TYPE_UINT32);
SAME(TensorMapType::kI32, CU_TENSOR_MAP_DATA_TYPE_INT32);
SAME(TensorMapType::kF16, CU_TENSOR_MAP_DATA_TYPE_FLOAT16);
SAME(TensorMapType::kF32, CU_TENSOR_MAP_DATA_TYPE_FLOAT32);
SAME(TensorMapType::kBF16, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16);
SAME(TensorMapSwizzle::kNone, CU_TENSOR_MAP_SWIZZLE_NONE);
SAME(TensorMapSwizzle::k32, CU_TENSOR_MAP_SWIZZLE_32B);
SAME(TensorMapSwizzle::k64, CU_TENSOR_MAP_SWIZZLE_64B);
SAME(TensorMapSwizzle::k128, CU_TENSOR_MAP_SWIZZLE_128B);
SAME(TensorMapPromotion::kNone, CU_TENSOR_MAP_L2_PROMOTION_NONE);
SAME(TensorMapPromotion::k256, CU_TENSOR_MAP_L2_PROMOTION_L2_256B);

SAME(sizeof(TensorMap), sizeof(CUtensorMap));
SAME(alignof(TensorMap), alignof(CUtensorMap));
SAME(sizeof(LaunchConfig), sizeof(CUlaunchConfig));
SAME(offsetof(LaunchConfig, shared_bytes), offsetof(CUlaunchConfig, sharedMemBytes));
SAME(offsetof(LaunchConfig, stream), offsetof(CUlaunchConfig, hStream));
SAME(offsetof(LaunchConfig, attributes), offsetof(CUlaunchConfig, attrs));
SAME(offsetof(LaunchConfig, attribute_count), offsetof(CUlaunchConfig, numAttrs));
SAME(sizeof(LaunchAttribute), sizeof(CUlaunchAttribute));
SAME(offsetof(LaunchAttribute, value), offsetof(CUlaunchAttribute, value));
SAME(offsetof(LaunchValue, cluster.z), offsetof(CUlaunchAttributeValue, clusterDim.z));
SAME(offsetof(LaunchValue, programmatic_serialization),
     offsetof(CUlaunchAttributeValue, programmaticStreamSerializationAllowed));

// cuda.h renames functions to their newest form, so `cuMemAlloc` and its symbol "cuMemAlloc_v2" are one.
#define SAME_CALL(member, theirs) static_assert(same_call(decltype(Driver::member){}, decltype(&theirs){}))
SAME_CALL(init, cuInit);
SAME_CALL(driver_version, cuDriverGetVersion);
SAME_CALL(error_name, cuGetErrorName);
SAME_CALL(error_string, cuGetErrorString);
SAME_CALL(device_count, cuDeviceGetCount);
SAME_CALL(device_get, cuDeviceGet);
SAME_CALL(device_name, cuDeviceGetName);
SAME_CALL(device_attribute, cuDeviceGetAttribute);
SAME_CALL(device_memory, cuDeviceTotalMem);
SAME_CALL(context_retain, cuDevicePrimaryCtxRetain);
SAME_CALL(context_release, cuDevicePrimaryCtxRelease);
SAME_CALL(context_set_current, cuCtxSetCurrent);
SAME_CALL(library_load, cuLibraryLoadData);
SAME_CALL(library_unload, cuLibraryUnload);
SAME_CALL(library_kernel, cuLibraryGetKernel);
SAME_CALL(kernel_set_attribute, cuKernelSetAttribute);
SAME_CALL(memory_info, cuMemGetInfo);
SAME_CALL(memory_allocate, cuMemAlloc);
SAME_CALL(memory_free, cuMemFree);
SAME_CALL(host_allocate, cuMemHostAlloc);
SAME_CALL(host_free, cuMemFreeHost);
SAME_CALL(copy_to_device, cuMemcpyHtoDAsync);
SAME_CALL(copy_to_host, cuMemcpyDtoHAsync);
SAME_CALL(copy_on_device, cuMemcpyDtoDAsync);
SAME_CALL(fill_bytes, cuMemsetD8Async);
SAME_CALL(stream_create, cuStreamCreate);
SAME_CALL(stream_destroy, cuStreamDestroy);
SAME_CALL(stream_synchronize, cuStreamSynchronize);
SAME_CALL(stream_begin_capture, cuStreamBeginCapture);
SAME_CALL(stream_end_capture, cuStreamEndCapture);
SAME_CALL(graph_instantiate, cuGraphInstantiateWithFlags);
SAME_CALL(graph_launch, cuGraphLaunch);
SAME_CALL(graph_destroy, cuGraphDestroy);
SAME_CALL(graph_exec_destroy, cuGraphExecDestroy);
SAME_CALL(event_create, cuEventCreate);
SAME_CALL(event_destroy, cuEventDestroy);
SAME_CALL(event_record, cuEventRecord);
SAME_CALL(event_synchronize, cuEventSynchronize);
SAME_CALL(event_elapsed, cuEventElapsedTime);
SAME_CALL(stream_wait_event, cuStreamWaitEvent);
SAME_CALL(launch, cuLaunchKernelEx);
SAME_CALL(encode_tensor_map, cuTensorMapEncodeTiled);

#define QUOTE(name) #name
#define EXPANDED(name) QUOTE(name)
bool exports(const char* symbol, const char* current) {
  if (std::strcmp(symbol, current) == 0) return true;
  std::printf("  the table asks for %s, cuda.h calls %s\n", symbol, current);
  return false;
}

}  // namespace
#endif

int main() {
#ifdef HADAL_HAS_CUDA_H
  test("layouts, numbers and types of calls are those of cuda.h", [] { CHECK(CUDA_VERSION >= 12040); });
  test("symbols of calls that cuda.h has renamed are the ones it calls", [] {
    CHECK(exports("cuMemAlloc_v2", EXPANDED(cuMemAlloc)));
    CHECK(exports("cuMemFree_v2", EXPANDED(cuMemFree)));
    CHECK(exports("cuMemGetInfo_v2", EXPANDED(cuMemGetInfo)));
    CHECK(exports("cuDeviceTotalMem_v2", EXPANDED(cuDeviceTotalMem)));
    CHECK(exports("cuDevicePrimaryCtxRelease_v2", EXPANDED(cuDevicePrimaryCtxRelease)));
    CHECK(exports("cuMemcpyHtoDAsync_v2", EXPANDED(cuMemcpyHtoDAsync)));
    CHECK(exports("cuMemcpyDtoHAsync_v2", EXPANDED(cuMemcpyDtoHAsync)));
    CHECK(exports("cuMemcpyDtoDAsync_v2", EXPANDED(cuMemcpyDtoDAsync)));
    CHECK(exports("cuStreamDestroy_v2", EXPANDED(cuStreamDestroy)));
    CHECK(exports("cuStreamBeginCapture_v2", EXPANDED(cuStreamBeginCapture)));
    CHECK(exports("cuEventDestroy_v2", EXPANDED(cuEventDestroy)));
    CHECK(exports("cuMemsetD8Async", EXPANDED(cuMemsetD8Async)));
    CHECK(exports("cuGraphInstantiateWithFlags", EXPANDED(cuGraphInstantiateWithFlags)));
    CHECK(exports("cuLaunchKernelEx", EXPANDED(cuLaunchKernelEx)));
  });
  return finish();
#else
  std::printf("no cuda.h on this machine\n0 passed, 0 failed, 2 skipped\n");
  return 0;
#endif
}
