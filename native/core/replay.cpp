// See replay.h.
#include "core/replay.h"

#include <new>

namespace hadal {

void Recording::check_not_cancelled(const volatile int32_t* cancel, size_t next) const {
  if (cancel != nullptr && *cancel != 0)
    fail(HADAL_ERROR_CANCELLED, "run: cancelled before op %zu of %zu", next, nodes.size());
}

void Recording::fail_in(size_t i) const {
  const char* name = nodes[i].op->name;
  try {
    throw;
  } catch (const Error& error) {
    check_faults();  // a vanished file is the better explanation of a strange value
    fail(error.status, "op %zu (%s): %s", i, name, error.what());
  } catch (const std::bad_alloc&) {
    fail(HADAL_ERROR_NO_MEMORY, "op %zu (%s): out of memory", i, name);
  } catch (const std::exception& error) {
    fail(HADAL_ERROR_INTERNAL, "op %zu (%s): %s", i, name, error.what());
  }
}

}  // namespace hadal
