// See states.h.
#include "addon/states.h"

namespace hadal::addon {

void BufferState::release() {
  released = true;
  native.reset();
  if (reported != 0) {
    int64_t total = 0;
    napi_adjust_external_memory(env, -reported, &total);
    reported = 0;
  }
}

void ProgramState::release() {
  released = true;
  native.reset();
}

}  // namespace hadal::addon
