// Errors inside the core are exceptions; the ABI turns them into a status and a thread-local text.
#pragma once

#include <stdexcept>
#include <string>

#include "hadal/hadal.h"

namespace hadal {

struct Error : std::runtime_error {
  Error(hadal_status status, const std::string& message) : std::runtime_error(message), status(status) {}
  hadal_status status;
};

// printf-style; the message says expected, got, where.
[[noreturn]] void fail(hadal_status status, const char* format, ...) __attribute__((format(printf, 2, 3)));

#define HADAL_EXPECT(condition, ...)                                          \
  do {                                                                        \
    if (!(condition)) ::hadal::fail(HADAL_ERROR_INVALID, __VA_ARGS__);        \
  } while (0)

}  // namespace hadal
