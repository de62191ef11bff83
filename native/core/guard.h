// What every function of the C ABI is wrapped in: exceptions become a status and this thread's error text.
#pragma once

#include <exception>
#include <new>

#include "core/last_error.h"
#include "core/status.h"

namespace hadal {

template <typename Body>
hadal_status guard(Body&& body) noexcept {
  try {
    body();
    return HADAL_OK;
  } catch (const Error& error) {
    set_last_error(error.what());
    return error.status;
  } catch (const std::bad_alloc&) {
    set_last_error("out of memory");
    return HADAL_ERROR_NO_MEMORY;
  } catch (const std::exception& error) {
    set_last_error(error.what());
    return HADAL_ERROR_INTERNAL;
  } catch (...) {
    set_last_error("unknown exception");
    return HADAL_ERROR_INTERNAL;
  }
}

inline void expect_pointer(const void* pointer, const char* name) {
  HADAL_EXPECT(pointer != nullptr, "%s: expected a pointer, got NULL", name);
}

}  // namespace hadal
