// Error text: formatting for exceptions and the thread-local message behind hadal_last_error().
// The message lives in a plain array, because a destructor per thread would tie the library's lifetime
// to threads of the host process.
#include "core/status.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "core/last_error.h"

namespace hadal {
namespace {
thread_local char last_error_text[1024];
}

void fail(hadal_status status, const char* format, ...) {
  char text[sizeof(last_error_text)];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  throw Error(status, text);
}

void set_last_error(const char* text) {
  const size_t length = strnlen(text, sizeof(last_error_text) - 1);
  std::memmove(last_error_text, text, length);
  last_error_text[length] = '\0';
}

const char* last_error() { return last_error_text; }

}  // namespace hadal
