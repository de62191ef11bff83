// See values.h. JavaScript thread only.
#include "addon/values.h"

#include <cinttypes>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <exception>
#include <new>

namespace hadal::addon {

void invalid(const char* format, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer, sizeof(buffer), format, arguments);
  va_end(arguments);
  throw Failure{"ERR_HADAL_INVALID", buffer};
}

void disposed(const char* what) {
  throw Failure{"ERR_HADAL_DISPOSED", std::string(what) + ": already released"};
}

const char* code_of(hadal_status status) {
  switch (status) {
    case HADAL_ERROR_INVALID:
      return "ERR_HADAL_INVALID";
    case HADAL_ERROR_UNSUPPORTED:
      return "ERR_HADAL_UNSUPPORTED";
    case HADAL_ERROR_NO_MEMORY:
      return "ERR_HADAL_NO_MEMORY";
    case HADAL_ERROR_IO:
      return "ERR_HADAL_IO";
    case HADAL_ERROR_CANCELLED:
      return "ERR_HADAL_CANCELLED";
    case HADAL_ERROR_FILE_CHANGED:
      return "ERR_HADAL_FILE_CHANGED";
    default:
      return "ERR_HADAL_INTERNAL";
  }
}

void expect_ok(hadal_status status) {
  if (status != HADAL_OK) throw Failure{code_of(status), hadal_last_error()};
}

// Null when the environment is shutting down and makes no objects any more.
napi_value make_error(napi_env env, const char* code, const std::string& text) {
  napi_value code_value = nullptr, text_value = nullptr, error = nullptr;
  if (napi_create_string_utf8(env, code, NAPI_AUTO_LENGTH, &code_value) != napi_ok) return nullptr;
  if (napi_create_string_utf8(env, text.data(), text.size(), &text_value) != napi_ok)
    return nullptr;
  if (napi_create_error(env, code_value, text_value, &error) != napi_ok) return nullptr;
  return error;
}

void throw_error(napi_env env, const char* code, const std::string& text) noexcept {
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) != napi_ok || pending) return;
  napi_value error = make_error(env, code, text);
  if (error != nullptr) napi_throw(env, error);
}

void throw_current(napi_env env) noexcept {
  try {
    try {
      throw;
    } catch (const Failure& failure) {
      throw_error(env, failure.code, failure.text);
    } catch (const Napi::Error& error) {
      const napi_value value = error.Value();
      if (value != nullptr) napi_throw(env, value);
    } catch (const std::bad_alloc&) {
      throw_error(env, "ERR_HADAL_NO_MEMORY", "out of memory");
    } catch (const std::exception& error) {
      throw_error(env, "ERR_HADAL_INTERNAL", error.what());
    } catch (...) {
      throw_error(env, "ERR_HADAL_INTERNAL", "unknown exception");
    }
  } catch (...) {
    // Building the report failed: the environment is going away and nobody is left to read it.
  }
}

const char* type_name(Napi::Value value) {
  if (value.IsArray()) return "an array";
  switch (value.Type()) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_boolean:
      return "a boolean";
    case napi_number:
      return "a number";
    case napi_string:
      return "a string";
    case napi_symbol:
      return "a symbol";
    case napi_function:
      return "a function";
    case napi_bigint:
      return "a bigint";
    default:
      return "an object";
  }
}

int64_t integer(Napi::Value value, const char* name, int64_t min, int64_t max) {
  if (!value.IsNumber()) invalid("%s: expected an integer, got %s", name, type_name(value));
  const double number = value.As<Napi::Number>().DoubleValue();
  const bool inside =
      number >= static_cast<double>(min) && number <= static_cast<double>(max);  // false for NaN
  if (!inside || number != std::trunc(number))
    invalid("%s: expected an integer from %" PRId64 " to %" PRId64 ", got %.17g", name, min, max,
            number);
  return static_cast<int64_t>(number);
}

double finite(Napi::Value value, const char* name) {
  if (!value.IsNumber()) invalid("%s: expected a number, got %s", name, type_name(value));
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!std::isfinite(number)) invalid("%s: expected a finite number, got %g", name, number);
  return number;
}

bool boolean(Napi::Value value, const char* name) {
  if (!value.IsBoolean()) invalid("%s: expected a boolean, got %s", name, type_name(value));
  return value.As<Napi::Boolean>().Value();
}

std::string text(Napi::Value value, const char* name, size_t max_bytes) {
  if (!value.IsString()) invalid("%s: expected a string, got %s", name, type_name(value));
  size_t length = 0;
  const napi_status status =
      napi_get_value_string_utf8(value.Env(), value, nullptr, 0, &length);
  if (status != napi_ok) invalid("%s: unreadable string", name);
  if (length > max_bytes)
    invalid("%s: expected at most %zu bytes, got %zu", name, max_bytes, length);
  std::string result = value.As<Napi::String>().Utf8Value();
  if (result.find('\0') != std::string::npos) invalid("%s: contains a NUL character", name);
  return result;
}

Napi::Array array(Napi::Value value, const char* name, uint32_t max_length) {
  if (!value.IsArray()) invalid("%s: expected an array, got %s", name, type_name(value));
  const Napi::Array result = value.As<Napi::Array>();
  if (result.Length() > max_length)
    invalid("%s: expected at most %u elements, got %u", name, max_length, result.Length());
  return result;
}

void step_dims(Napi::Value value, const char* name, int64_t (&dims)[HADAL_STEP_DIMS]) {
  const Napi::Array values = array(value, name, HADAL_STEP_DIMS);
  if (values.Length() != HADAL_STEP_DIMS)
    invalid("%s: expected [T, S, N], got %u elements", name, values.Length());
  for (uint32_t i = 0; i < HADAL_STEP_DIMS; ++i)
    dims[i] = integer(values.Get(i), name, 0, kMaxInteger);
}

Bytes host_bytes(Napi::Value value, const char* name) {
  constexpr const char* kExpected =
      "a Float32Array, Int32Array, Uint32Array, Uint8Array, Uint16Array or Float64Array";
  if (!value.IsTypedArray()) invalid("%s: expected %s, got %s", name, kExpected, type_name(value));
  const napi_env env = value.Env();
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  napi_value memory = nullptr;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, &memory, nullptr) != napi_ok)
    invalid("%s: unreadable typed array", name);
  size_t element = 0;
  if (type == napi_uint8_array) element = 1;
  if (type == napi_uint16_array) element = 2;
  if (type == napi_int32_array || type == napi_uint32_array || type == napi_float32_array)
    element = 4;
  if (type == napi_float64_array) element = 8;
  if (element == 0) invalid("%s: expected %s, got another typed array", name, kExpected);
  bool plain = false, detached = false;
  if (napi_is_arraybuffer(env, memory, &plain) != napi_ok || !plain)
    invalid("%s: expected memory of its own, got a SharedArrayBuffer", name);
  if (napi_is_detached_arraybuffer(env, memory, &detached) != napi_ok || detached)
    invalid("%s: the array's buffer is detached", name);
  return {data, length * element};
}

}  // namespace hadal::addon
