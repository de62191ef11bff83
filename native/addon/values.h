// JavaScript values → C++ values with checks, and failures → JavaScript errors with a code.
// Helpers throw Failure; `entry` is the only place where exceptions meet Node, and none passes it.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>

#include "hadal/hadal.h"

namespace hadal::addon {

struct Failure {
  const char* code;  // 'ERR_HADAL_...', static storage
  std::string text;
};

[[noreturn]] void invalid(const char* format, ...) __attribute__((format(printf, 1, 2)));
[[noreturn]] void disposed(const char* what);
const char* code_of(hadal_status status);
// Throws the status with hadal_last_error() unless it is HADAL_OK.
void expect_ok(hadal_status status);

napi_value make_error(napi_env env, const char* code, const std::string& text);
void throw_error(napi_env env, const char* code, const std::string& text) noexcept;

const char* type_name(Napi::Value value);
// An integer of [min, max]; bounds are at most 2^53 - 1 in size.
int64_t integer(Napi::Value value, const char* name, int64_t min, int64_t max);
double finite(Napi::Value value, const char* name);
bool boolean(Napi::Value value, const char* name);
// UTF-8 without NUL, at most max_bytes long.
std::string text(Napi::Value value, const char* name, size_t max_bytes);
Napi::Array array(Napi::Value value, const char* name, uint32_t max_length);
void step_dims(Napi::Value value, const char* name, int64_t (&dims)[HADAL_STEP_DIMS]);

struct Bytes {
  void* data;
  size_t size;
};
// The bytes of a HostArray; valid until JavaScript runs again. Refuses shared and detached memory.
Bytes host_bytes(Napi::Value value, const char* name);

constexpr int64_t kMaxInteger = (int64_t{1} << 53) - 1;

// Reports whatever is in flight to JavaScript; call from a catch (...) block only.
void throw_current(napi_env env) noexcept;

using Function = Napi::Value (*)(const Napi::CallbackInfo&);

template <Function function>
napi_value entry(napi_env env, napi_callback_info raw) noexcept {
  try {
    const Napi::CallbackInfo info(env, raw);
    return function(info);
  } catch (...) {
    throw_current(env);
    return nullptr;
  }
}

}  // namespace hadal::addon
