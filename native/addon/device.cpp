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

Napi::Value name_list(const Info& info, const char* name) {
  const Napi::Array names = Napi::Array::New(info.Env());
  for (uint32_t i = 0; *name != '\0'; name += std::strlen(name) + 1)
    names.Set(i++, Napi::String::New(info.Env(), name));
  return names;
}

Napi::Value op_list(const Info& info) { return name_list(info, hadal_op_list()); }
Napi::Value cuda_op_list(const Info& info) { return name_list(info, hadal_cuda_op_list()); }

Napi::Value cuda(const Info& info) {
  hadal_cuda_info facts = {};
  facts.struct_size = sizeof(facts);
  expect_ok(hadal_cuda(&facts));
  const Napi::Object result = Napi::Object::New(info.Env());
  result.Set("problem", facts.problem);
  result.Set("name", facts.name);
  result.Set("driverVersion", facts.driver_version);
  result.Set("memoryTotal", static_cast<double>(facts.memory_total));
  return result;
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
  const std::string kind = text(given.Get("device"), "options.device", 32);
  options.device = kind.c_str();
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

template <const char* (*question)(const hadal_device*)>
Napi::Value device_text(const Info& info) {
  const auto device = live<DeviceState>(info[0], "device");
  return Napi::String::New(info.Env(), question(device->native.get()));
}

Napi::Value device_memory(const Info& info) {
  const auto device = live<DeviceState>(info[0], "device");
  uint64_t total = 0, available = 0;
  expect_ok(hadal_device_memory(device->native.get(), &total, &available));
  const Napi::Object result = Napi::Object::New(info.Env());
  result.Set("total", static_cast<double>(total));
  result.Set("available", static_cast<double>(available));
  return result;
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
      {"cuda", entry<cuda>},
      {"cudaOpList", entry<cuda_op_list>},
      {"deviceCreate", entry<device_create>},
      {"deviceThreads", entry<device_threads>},
      {"deviceIsa", entry<device_text<hadal_device_isa>>},
      {"deviceKind", entry<device_text<hadal_device_kind>>},
      {"deviceName", entry<device_text<hadal_device_name>>},
      {"deviceNote", entry<device_text<hadal_device_note>>},
      {"deviceMemory", entry<device_memory>},
      {"deviceRelease", entry<device_release>},
  };
  return kBindings;
}

}  // namespace hadal::addon
