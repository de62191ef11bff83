// The module's entry. Nothing is kept per process or per environment: functions are stateless, and every
// state hangs on a handle, so any number of environments may load the addon.
#include <node_api.h>

#include "addon/bindings.h"

namespace {

bool define(napi_env env, napi_value exports, const hadal::addon::Binding& binding) {
  napi_property_descriptor property = {};
  property.utf8name = binding.name;
  property.method = binding.callback;
  property.attributes = napi_enumerable;
  return napi_define_properties(env, exports, 1, &property) == napi_ok;
}

}  // namespace

extern "C" NAPI_MODULE_INIT() {
  using namespace hadal::addon;
  for (const auto& bindings :
       {device_bindings(), buffer_bindings(), program_bindings(), grammar_bindings()})
    for (const Binding& binding : bindings)
      if (!define(env, exports, binding)) return nullptr;
  return exports;
}
