// Functions that a GPU computes approximately in one instruction. The emulator computes them with libm, so
// results differ in the last bits: tests compare with the tolerance that each states.
#pragma once

#include "cuda/device/kernel.cuh"

#ifndef __CUDACC__
#include <cmath>
#endif

namespace hadal::device {

#ifdef __CUDACC__
HADAL_DEVICE float exp_fast(float x) { return __expf(x); }            // 2 ulp + |x|·2^-21.4 relative
HADAL_DEVICE float exp2_fast(float x) {  // 2 ulp; 0 below 2^-126
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
HADAL_DEVICE float log_fast(float x) { return __logf(x); }
HADAL_DEVICE float log_of(float x) { return logf(x); }                 // 1 ulp
HADAL_DEVICE double log_of(double x) { return log(x); }                // slow: FP64, for one value a row
HADAL_DEVICE float reciprocal_fast(float x) { return __fdividef(1.0f, x); }
HADAL_DEVICE float rsqrt_fast(float x) { return rsqrtf(x); }           // 2 ulp
HADAL_DEVICE float fused_multiply_add(float a, float b, float c) { return __fmaf_rn(a, b, c); }
#else
inline float exp_fast(float x) { return std::exp(x); }
inline float exp2_fast(float x) {
  const float result = std::exp2(x);
  return result < 0x1p-126f ? 0.0f : result;
}
inline float log_fast(float x) { return std::log(x); }
inline float log_of(float x) { return std::log(x); }
inline double log_of(double x) { return std::log(x); }
inline float reciprocal_fast(float x) { return 1.0f / x; }
inline float rsqrt_fast(float x) { return 1.0f / std::sqrt(x); }
inline float fused_multiply_add(float a, float b, float c) { return std::fma(a, b, c); }
#endif

HADAL_DEVICE float abs_of(float x) { return x < 0 ? -x : x; }

}  // namespace hadal::device
