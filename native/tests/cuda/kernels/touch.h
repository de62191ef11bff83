// test_touch: reads an array and writes it back, so that for the emulator a kernel has written it.
#pragma once

#include "cuda/queue.h"

namespace hadal::testing {

struct TouchParams {
  uint16_t* words;  // [count]
  int64_t count;
};

inline constexpr cuda::Kernel kTouch{"test_touch", sizeof(TouchParams), 32};

}  // namespace hadal::testing
