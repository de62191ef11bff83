// See driver.h. Device pointers are host pointers; handles are addresses of small objects. Streams: stream.cpp.
#include "simt/driver.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "simt/memory.h"
#include "simt/stream.h"
#include "simt/tensor_map.h"

namespace hadal::simt {

void add_report(const Report& report);  // run.cpp

namespace {

using namespace cuda;
using Clock = std::chrono::steady_clock;

std::string last_error = "emulated";  // why a call was refused

DriverResult refuse(const std::string& why) {
  last_error = why;
  return kDriverInvalidValue;
}

DriverResult init(uint32_t) { return 0; }
DriverResult driver_version(int* version) { return *version = 13000, 0; }
DriverResult error_name(DriverResult, const char** name) { return *name = "emulated", 0; }
DriverResult error_string(DriverResult error, const char** text) {
  *text = error == kDriverNotFound ? "no kernel of this name is compiled in" : last_error.c_str();
  return 0;
}
DriverResult device_count(int* count) { return *count = 1, 0; }
DriverResult device_get(DriverDevice* device, int ordinal) {
  *device = 0;
  return ordinal == 0 ? 0 : kDriverInvalidValue;
}
DriverResult device_name(char* name, int bytes, DriverDevice) {
  std::snprintf(name, static_cast<size_t>(bytes), "emulated Hopper");
  return 0;
}
DriverResult device_attribute(int* value, int attribute, DriverDevice) {
  switch (attribute) {
    case kDeviceMultiprocessorCount: *value = 132; return 0;
    case kDeviceL2CacheBytes: *value = 50 << 20; return 0;
    case kDeviceComputeMajor: *value = 9; return 0;
    case kDeviceComputeMinor: *value = 0; return 0;
    default: return kDriverInvalidValue;
  }
}
DriverResult device_memory(size_t* bytes, DriverDevice) { return *bytes = size_t{4} << 30, 0; }
DriverResult context_retain(DriverContext* context, DriverDevice) { return *context = nullptr, 0; }
DriverResult context_release(DriverDevice) { return 0; }
DriverResult context_set_current(DriverContext) { return 0; }
DriverResult library_load(DriverLibrary* library, const void*, void*, void*, uint32_t, void*, void*,
                          uint32_t) {
  return *library = nullptr, 0;
}
DriverResult library_unload(DriverLibrary) { return 0; }
DriverResult library_kernel(DriverKernel* kernel, DriverLibrary, const char* name) {
  const Registered* found = Registered::find(name);
  *kernel = reinterpret_cast<DriverKernel>(const_cast<Registered*>(found));
  return found != nullptr ? 0 : kDriverNotFound;
}
DriverResult kernel_set_attribute(int, int, DriverKernel, DriverDevice) { return 0; }
DriverResult memory_info(size_t* free, size_t* total) {
  return *free = *total = size_t{4} << 30, 0;
}
DriverResult memory_allocate(DevicePointer* pointer, size_t bytes) {
  if (bytes == 0) return refuse("an allocation of 0 bytes");
  void* memory = allocate_global(bytes);
  *pointer = reinterpret_cast<DevicePointer>(memory);
  return memory != nullptr ? 0 : kDriverOutOfMemory;
}
DriverResult memory_free(DevicePointer pointer) {
  settle();
  return free_global(reinterpret_cast<void*>(pointer)) ? 0 : refuse("not the start of an allocation");
}
DriverResult host_allocate(void** pointer, size_t bytes, uint32_t) {
  *pointer = std::malloc(bytes);
  if (*pointer == nullptr) return kDriverOutOfMemory;
  return pin_host(*pointer, bytes), 0;
}
DriverResult host_free(void* pointer) {
  unpin_host(pointer);
  return std::free(pointer), 0;
}
// Copies and fills also end what was launched before them.
DriverResult check_range(const char* call, DevicePointer start, size_t bytes) {
  settle();
  const char* wrong = check_global(reinterpret_cast<const void*>(start), bytes);
  return *wrong == 0 ? 0 : refuse(std::string(call) + " of " + std::to_string(bytes) + " bytes: " + wrong);
}
DriverResult copy_to_device(DevicePointer to, const void* from, size_t bytes, DriverStream) {
  if (const DriverResult wrong = check_range("copy to the device", to, bytes)) return wrong;
  std::memcpy(reinterpret_cast<void*>(to), from, bytes);
  mark_written(reinterpret_cast<void*>(to), bytes);
  return 0;
}
DriverResult copy_to_host(void* to, DevicePointer from, size_t bytes, DriverStream) {
  if (const DriverResult wrong = check_range("copy to the host", from, bytes)) return wrong;
  std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
  return 0;
}
DriverResult copy_on_device(DevicePointer to, DevicePointer from, size_t bytes, DriverStream) {
  if (const DriverResult wrong = check_range("copy on the device, target", to, bytes)) return wrong;
  if (const DriverResult wrong = check_range("copy on the device, source", from, bytes)) return wrong;
  std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
  copy_written(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
  return 0;
}
DriverResult fill_bytes(DevicePointer to, unsigned char value, size_t bytes, DriverStream) {
  if (const DriverResult wrong = check_range("fill", to, bytes)) return wrong;
  std::memset(reinterpret_cast<void*>(to), value, bytes);
  mark_written(reinterpret_cast<void*>(to), bytes);
  return 0;
}
DriverResult stream_create(DriverStream* stream, uint32_t) { return *stream = nullptr, 0; }
DriverResult stream_destroy(DriverStream) { return 0; }
DriverResult stream_synchronize(DriverStream) { return settle(), 0; }
// stream.cpp stands before these.
constexpr auto stream_begin_capture = nullptr;
constexpr auto stream_end_capture = nullptr;
constexpr auto graph_instantiate = nullptr;
constexpr auto graph_launch = nullptr;
constexpr auto graph_destroy = nullptr;
constexpr auto graph_exec_destroy = nullptr;
DriverResult event_create(DriverEvent* event, uint32_t) {
  *event = reinterpret_cast<DriverEvent>(new Clock::time_point);
  return 0;
}
DriverResult event_destroy(DriverEvent event) {
  delete reinterpret_cast<Clock::time_point*>(event);
  return 0;
}
DriverResult event_record(DriverEvent event, DriverStream) {
  *reinterpret_cast<Clock::time_point*>(event) = Clock::now();
  return 0;
}
DriverResult event_synchronize(DriverEvent) { return 0; }
DriverResult event_elapsed(float* milliseconds, DriverEvent from, DriverEvent to) {
  *milliseconds = std::chrono::duration<float, std::milli>(
                      *reinterpret_cast<Clock::time_point*>(to) -
                      *reinterpret_cast<Clock::time_point*>(from)).count();
  return 0;
}
DriverResult stream_wait_event(DriverStream, DriverEvent, uint32_t) { return 0; }

DriverResult launch(const LaunchConfig* config, DriverKernel handle, void** params, void**) {
  const auto& kernel = *reinterpret_cast<const Registered*>(handle);
  Grid grid;
  grid.blocks = {config->grid_x, config->grid_y, config->grid_z};
  grid.threads = {config->block_x, config->block_y, config->block_z};
  grid.shared_bytes = config->shared_bytes;
  for (uint32_t i = 0; i < config->attribute_count; ++i) {
    const LaunchAttribute& attribute = config->attributes[i];
    if (attribute.id == kLaunchClusterDimension) grid.cluster = attribute.value.cluster.x;
    if (attribute.id == kLaunchProgrammaticSerialization)
      grid.dependent = attribute.value.programmatic_serialization != 0;
  }
  add_report(run(kernel, grid, params[0], options()));
  return 0;
}

DriverResult encode_tensor_map(TensorMap* map, TensorMapType type, uint32_t rank, void* address,
                               const uint64_t* extents, const uint64_t* strides, const uint32_t* box,
                               const uint32_t* element_strides, int interleave, TensorMapSwizzle swizzle,
                               TensorMapPromotion, int fill) {
  const std::string wrong = encode_map(map, type, rank, address, extents, strides, box, element_strides,
                                       interleave, swizzle, fill);
  return wrong.empty() ? 0 : refuse("a tensor map: expected " + wrong);
}

}  // namespace

const Driver& driver() {
  static const Driver functions = with_streams({
      "simt",
#define HADAL_DRIVER_NAME(member, symbol, arguments) member,
      HADAL_DRIVER_FUNCTIONS(HADAL_DRIVER_NAME)
#undef HADAL_DRIVER_NAME
  });
  return functions;
}

}  // namespace hadal::simt
