// Library facts and devices.
#include <cstring>

#include "addon/bindings.h"
#include "addon/states.h"

namespace hadal::addon {
namespace {

using Info = Napi::CallbackInfo;

Napi::Value abi_version(const Info& info) {
  return Napi::Number::New(info.Env(), hadal_abi_version());
}

Napi::Value version(const Info& info) { return Napi::String::New(info.Env(), hadal_version()); }

Napi::Value op_list(const Info& info) {
  const Napi::Array names = Napi::Array::New(info.Env());
  uint32_t i = 0;
  for (const char* name = hadal_op_list(); *name != '\0'; name += std::strlen(name) + 1)
    names.Set(i++, Napi::String::New(info.Env(), name));
  return names;
}

Napi::Value cpu(const Info& info) {
  hadal_cpu_info facts = {};
  facts.struct_size = sizeof(facts);
  expect_ok(hadal_cpu(&facts));
  const Napi::Object result = Napi::Object::New(info.Env());
  result.Set("vendor", facts.vendor);
  result.Set("model", facts.model);
  result.Set("isa", facts.isa);
  result.Set("features", facts.features);
  result.Set("logicalCores", facts.logical_cores);
  result.Set("physicalCores", facts.physical_cores);
  result.Set("memoryTotal", static_cast<double>(facts.memory_total));
  result.Set("memoryAvailable", static_cast<double>(facts.memory_available));
  return result;
}

Napi::Value device_create(const Info& info) {
  if (info[0].Type() != napi_object || info[0].IsArray())
    invalid("options: expected an object, got %s", type_name(info[0]));
  const Napi::Object given = info[0].As<Napi::Object>();
  hadal_device_options options = {};
  options.struct_size = sizeof(options);
  options.threads =
      static_cast<int32_t>(integer(given.Get("threads"), "options.threads", 0, 4096));
  const Napi::Value isa_value = given.Get("isa");
  std::string isa;
  if (!isa_value.IsNull()) {
    isa = text(isa_value, "options.isa", 32);
    options.isa = isa.c_str();
  }
  hadal_device* device = nullptr;
  expect_ok(hadal_device_create(&device, &options));
  auto state = std::make_shared<DeviceState>();
  state->native.reset(device, hadal_device_release);
  state->runner = Runner::create(info.Env());
  return make_handle(info.Env(), std::move(state));
}

Napi::Value device_threads(const Info& info) {
  const auto device = live<DeviceState>(info[0], "device");
  return Napi::Number::New(info.Env(), hadal_device_threads(device->native.get()));
}

Napi::Value device_isa(const Info& info) {
  const auto device = live<DeviceState>(info[0], "device");
  return Napi::String::New(info.Env(), hadal_device_isa(device->native.get()));
}

// The device's programs go with it, and with them their hold on buffers; buffers stay as they are.
Napi::Value device_release(const Info& info) {
  const auto device = state_of<DeviceState>(info[0], "device");
  device->released = true;
  const napi_value closed = device->runner->close();
  for (const auto& weak : device->programs)
    if (const auto program = weak.lock()) program->release();
  device->programs.clear();
  device->native.reset();
  return Napi::Value(info.Env(), closed);
}

}  // namespace

std::span<const Binding> device_bindings() {
  static constexpr Binding kBindings[] = {
      {"abiVersion", entry<abi_version>},
      {"version", entry<version>},
      {"opList", entry<op_list>},
      {"cpu", entry<cpu>},
      {"deviceCreate", entry<device_create>},
      {"deviceThreads", entry<device_threads>},
      {"deviceIsa", entry<device_isa>},
      {"deviceRelease", entry<device_release>},
  };
  return kBindings;
}

}  // namespace hadal::addon
