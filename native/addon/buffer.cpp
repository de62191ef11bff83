// Buffers. Data is copied between JavaScript's memory and ours; no ArrayBuffer ever points at a buffer,
// so releasing one cannot leave a view dangling, and runtimes without external buffers work the same.
#include <algorithm>

#include "addon/bindings.h"
#include "addon/states.h"

namespace hadal::addon {
namespace {

using Info = Napi::CallbackInfo;

// Enough for the collector to notice handles that were dropped, too little for it to panic over weights.
constexpr int64_t kMostReported = 32 << 20;

Napi::Value make_buffer(Napi::Env env, hadal_buffer* buffer, int64_t reported) {
  auto state = std::make_shared<BufferState>();
  state->native.reset(buffer, hadal_buffer_release);
  state->env = env;
  int64_t total = 0;
  if (reported > 0 && napi_adjust_external_memory(env, reported, &total) == napi_ok)
    state->reported = reported;
  return make_handle(env, std::move(state));
}

Napi::Value buffer_allocate(const Info& info) {
  const auto device = live<DeviceState>(info[0], "device");
  const int64_t bytes = integer(info[1], "bytes", 0, kMaxInteger);
  hadal_buffer* buffer = nullptr;
  expect_ok(hadal_buffer_allocate(&buffer, device->native.get(), static_cast<uint64_t>(bytes)));
  return make_buffer(info.Env(), buffer, std::min(bytes, kMostReported));
}

Napi::Value buffer_map(const Info& info) {
  const auto device = live<DeviceState>(info[0], "device");
  const std::string path = text(info[1], "path", 1 << 16);
  const int64_t size = integer(info[2], "size", 0, kMaxInteger);
  if (!info[3].IsBigInt())
    invalid("mtimeNs: expected a bigint, got %s", type_name(info[3]));
  bool lossless = false;
  const int64_t mtime = info[3].As<Napi::BigInt>().Int64Value(&lossless);
  if (!lossless) invalid("mtimeNs: expected a bigint of 64 bits");
  hadal_buffer* buffer = nullptr;
  expect_ok(hadal_buffer_map(&buffer, device->native.get(), path.c_str(),
                             static_cast<uint64_t>(size), mtime));
  return make_buffer(info.Env(), buffer, 0);
}

Napi::Value buffer_release(const Info& info) {
  state_of<BufferState>(info[0], "buffer")->release();
  return info.Env().Undefined();
}

Napi::Value buffer_size(const Info& info) {
  const auto buffer = live<BufferState>(info[0], "buffer");
  const auto size = static_cast<double>(hadal_buffer_size(buffer->native.get()));
  return Napi::Number::New(info.Env(), size);
}

Napi::Value buffer_write(const Info& info) {
  const auto buffer = live<BufferState>(info[0], "buffer");
  const int64_t offset = integer(info[1], "byteOffset", 0, kMaxInteger);
  const Bytes bytes = host_bytes(info[2], "data");
  expect_ok(hadal_buffer_write(buffer->native.get(), static_cast<uint64_t>(offset), bytes.data,
                               bytes.size));
  return info.Env().Undefined();
}

Napi::Value buffer_read(const Info& info) {
  const auto buffer = live<BufferState>(info[0], "buffer");
  const int64_t offset = integer(info[1], "byteOffset", 0, kMaxInteger);
  const Bytes bytes = host_bytes(info[2], "into");
  expect_ok(hadal_buffer_read(buffer->native.get(), static_cast<uint64_t>(offset), bytes.data,
                              bytes.size));
  return info.Env().Undefined();
}

Napi::Value buffer_discard(const Info& info) {
  const auto buffer = live<BufferState>(info[0], "buffer");
  const int64_t offset = integer(info[1], "byteOffset", 0, kMaxInteger);
  const int64_t bytes = integer(info[2], "bytes", 0, kMaxInteger);
  expect_ok(hadal_buffer_discard(buffer->native.get(), static_cast<uint64_t>(offset),
                                 static_cast<uint64_t>(bytes)));
  return info.Env().Undefined();
}

}  // namespace

std::span<const Binding> buffer_bindings() {
  static constexpr Binding kBindings[] = {
      {"bufferAllocate", entry<buffer_allocate>}, {"bufferMap", entry<buffer_map>},
      {"bufferRelease", entry<buffer_release>},   {"bufferSize", entry<buffer_size>},
      {"bufferWrite", entry<buffer_write>},       {"bufferRead", entry<buffer_read>},
      {"bufferDiscard", entry<buffer_discard>},
  };
  return kBindings;
}

}  // namespace hadal::addon
