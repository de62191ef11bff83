// See touch.h. It waits first, so that kernels one behind the other stay one chain of dependent launches.
#include "cuda/device/dependent.cuh"
#include "tests/cuda/kernels/touch.h"

HADAL_KERNEL(test_touch, hadal::testing::TouchParams, 32, 1) {
  hadal::device::wait_for_previous_kernel();
  for (int64_t i = threadIdx.x; i < p.count; i += 32) {
    const volatile uint16_t value = p.words[i];
    p.words[i] = value;
  }
}
