// The binding's functions, as packages/native/src/binding.ts declares them.
#pragma once

#include <napi.h>

#include <span>

#include "addon/values.h"

namespace hadal::addon {

struct Binding {
  const char* name;
  napi_callback callback;
};

std::span<const Binding> device_bindings();
std::span<const Binding> buffer_bindings();
std::span<const Binding> program_bindings();
std::span<const Binding> grammar_bindings();

}  // namespace hadal::addon
