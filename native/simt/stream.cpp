// See stream.h. A captured launch keeps copies of its parameters and attributes, as the driver does.
#include "simt/stream.h"

#include <atomic>
#include <cstring>
#include <functional>
#include <mutex>
#include <vector>

#include "simt/simt.h"

namespace hadal::simt {
namespace {

using namespace cuda;

constexpr DriverResult kCaptureUnsupported = 900;
constexpr DriverResult kCaptureInvalidated = 901;

using Work = std::vector<std::function<DriverResult()>>;

struct Stream {
  bool capturing = false;
  bool invalid = false;
  Work work;
};

// Parameters are aligned as tensor maps among them must be.
struct alignas(alignof(TensorMap)) ParamsLine {
  char bytes[alignof(TensorMap)];
};

Driver immediate;
thread_local int captures_of_thread = 0;  // what kCaptureThreadLocal forbids is forbidden to this thread
std::atomic<uint64_t> launches{0};
// The emulated machine is one: copies of one thread and launches of another take turns, and so do several devices.
std::mutex machine_mutex;

template <typename Work>
DriverResult exclusively(Work&& work) {
  const std::lock_guard<std::mutex> lock(machine_mutex);
  return work();
}

Stream* stream_of(DriverStream handle) { return reinterpret_cast<Stream*>(handle); }

// Runs `work`, or keeps it while the stream is captured.
DriverResult ordered(DriverStream handle, std::function<DriverResult()> work) {
  Stream* stream = stream_of(handle);
  if (stream == nullptr || !stream->capturing) return exclusively(work);
  stream->work.push_back(std::move(work));
  return 0;
}

DriverResult forbidden_in_capture(DriverStream handle) {
  Stream* stream = stream_of(handle);
  if (stream == nullptr || !stream->capturing) return 0;
  stream->invalid = true;
  return kCaptureUnsupported;
}

DriverResult stream_create(DriverStream* stream, uint32_t) {
  *stream = reinterpret_cast<DriverStream>(new Stream);
  return 0;
}
DriverResult stream_destroy(DriverStream stream) {
  delete stream_of(stream);
  return 0;
}
DriverResult stream_synchronize(DriverStream stream) {
  const DriverResult refused = forbidden_in_capture(stream);
  return refused != 0 ? refused : exclusively([&] { return immediate.stream_synchronize(stream); });
}
DriverResult stream_begin_capture(DriverStream handle, int) {
  Stream* stream = stream_of(handle);
  if (stream == nullptr || stream->capturing) return kCaptureUnsupported;
  *stream = Stream{true, false, {}};
  ++captures_of_thread;
  return 0;
}
DriverResult stream_end_capture(DriverStream handle, DriverGraph* graph) {
  Stream* stream = stream_of(handle);
  *graph = nullptr;
  if (stream == nullptr || !stream->capturing) return kDriverInvalidValue;
  --captures_of_thread;
  stream->capturing = false;
  if (stream->invalid) return kCaptureInvalidated;
  *graph = reinterpret_cast<DriverGraph>(new Work(std::move(stream->work)));
  return 0;
}
DriverResult graph_instantiate(DriverGraphExec* exec, DriverGraph graph, unsigned long long) {
  *exec = reinterpret_cast<DriverGraphExec>(new Work(*reinterpret_cast<Work*>(graph)));
  return 0;
}
DriverResult graph_launch(DriverGraphExec exec, DriverStream) {
  ++launches;
  for (const auto& work : *reinterpret_cast<Work*>(exec))
    if (const DriverResult result = exclusively(work); result != 0) return result;
  return 0;
}
DriverResult graph_destroy(DriverGraph graph) {
  delete reinterpret_cast<Work*>(graph);
  return 0;
}
DriverResult graph_exec_destroy(DriverGraphExec exec) {
  delete reinterpret_cast<Work*>(exec);
  return 0;
}

DriverResult memory_allocate(DevicePointer* pointer, size_t bytes) {
  if (captures_of_thread > 0) return kCaptureUnsupported;
  return exclusively([&] { return immediate.memory_allocate(pointer, bytes); });
}
DriverResult memory_free(DevicePointer pointer) {
  if (captures_of_thread > 0) return kCaptureUnsupported;
  return exclusively([&] { return immediate.memory_free(pointer); });
}
DriverResult copy_to_device(DevicePointer to, const void* from, size_t bytes, DriverStream stream) {
  return ordered(stream, [=] { return immediate.copy_to_device(to, from, bytes, stream); });
}
DriverResult copy_to_host(void* to, DevicePointer from, size_t bytes, DriverStream stream) {
  return ordered(stream, [=] { return immediate.copy_to_host(to, from, bytes, stream); });
}
DriverResult copy_on_device(DevicePointer to, DevicePointer from, size_t bytes, DriverStream stream) {
  return ordered(stream, [=] { return immediate.copy_on_device(to, from, bytes, stream); });
}
DriverResult fill_bytes(DevicePointer to, unsigned char value, size_t bytes, DriverStream stream) {
  return ordered(stream, [=] { return immediate.fill_bytes(to, value, bytes, stream); });
}
DriverResult event_record(DriverEvent event, DriverStream stream) {
  const DriverResult refused = forbidden_in_capture(stream);
  return refused != 0 ? refused : immediate.event_record(event, stream);
}

DriverResult launch(const LaunchConfig* config, DriverKernel kernel, void** params, void**) {
  const auto& registered = *reinterpret_cast<const Registered*>(kernel);
  std::vector<ParamsLine> kept((registered.params_bytes + sizeof(ParamsLine) - 1) / sizeof(ParamsLine));
  std::memcpy(kept.data(), params[0], registered.params_bytes);
  std::vector<LaunchAttribute> attributes(config->attributes, config->attributes + config->attribute_count);
  const LaunchConfig copy = *config;
  return ordered(config->stream, [copy, kernel, kept, attributes]() mutable {
    LaunchConfig again = copy;
    again.attributes = attributes.data();
    void* arguments[] = {kept.data()};
    return immediate.launch(&again, kernel, arguments, nullptr);
  });
}

}  // namespace

Driver with_streams(const Driver& functions) {
  immediate = functions;
  Driver driver = functions;
  driver.stream_create = stream_create;
  driver.stream_destroy = stream_destroy;
  driver.stream_synchronize = stream_synchronize;
  driver.stream_begin_capture = stream_begin_capture;
  driver.stream_end_capture = stream_end_capture;
  driver.graph_instantiate = graph_instantiate;
  driver.graph_launch = graph_launch;
  driver.graph_destroy = graph_destroy;
  driver.graph_exec_destroy = graph_exec_destroy;
  driver.memory_allocate = memory_allocate;
  driver.memory_free = memory_free;
  driver.copy_to_device = copy_to_device;
  driver.copy_to_host = copy_to_host;
  driver.copy_on_device = copy_on_device;
  driver.fill_bytes = fill_bytes;
  driver.event_record = event_record;
  driver.launch = launch;
  return driver;
}

uint64_t graph_launches() { return launches.load(); }

}  // namespace hadal::simt
