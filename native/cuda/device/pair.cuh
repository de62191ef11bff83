// Floats in pairs, some 45 bits together, made of FP32 operations alone: choices that must be those of an oracle
// in double need more than FP32, and FP64 is no way out (an H800 has a sixty-fourth of an H100's). Only sums,
// products and fused multiply-adds that round alone are used, so a GPU and the emulator get the same bits.
// The building blocks are Dekker's and Knuth's.
#pragma once

#include "cuda/device/math.cuh"
#include "cuda/device/types.cuh"

namespace hadal::device {

// A value hi + lo with |lo| of at most half a unit in hi's last place.
struct Pair { float hi, lo; };

// a · b, rounded by itself: nvcc would fuse a·b + c, and lo would no longer be what hi lost.
HADAL_DEVICE float product(float a, float b) {
#ifdef __CUDACC__
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

// a + b without an error.
HADAL_DEVICE Pair sum_of(float a, float b) {
  const float hi = a + b;
  const float from_b = hi - a;
  return {hi, (a - (hi - from_b)) + (b - from_b)};
}
// The same where |a| ≥ |b|, or a is 0.
HADAL_DEVICE Pair ordered_sum(float a, float b) {
  const float hi = a + b;
  return {hi, b - (hi - a)};
}
HADAL_DEVICE Pair add(Pair a, Pair b) {
  const Pair sum = sum_of(a.hi, b.hi);
  return ordered_sum(sum.hi, sum.lo + (a.lo + b.lo));
}

// a / b, rounded as if once in almost all cases.
HADAL_DEVICE float quotient(Pair a, Pair b) {
  const float q = a.hi / b.hi;
  const float rest = fused_multiply_add(-q, b.hi, a.hi) + fused_multiply_add(-q, b.lo, a.lo);
  return q + rest / b.hi;
}

// e^x for x ≤ 0, to 2^-28 of itself above e^-60, to 2^-149 below; 0 under e^-104, NaN for NaN.
HADAL_DEVICE Pair exp_pair(Pair x) {
  if (!(x.hi >= -104.0f)) return {x.hi != x.hi ? x.hi : 0.0f, 0.0f};
  // x = n·ln 2 + r with ln 2 in three parts, the first short enough for an exact product.
  const float n = fused_multiply_add(x.hi, 0x1.715476p0f, 0x1.8p23f) - 0x1.8p23f;
  const float high = fused_multiply_add(n, -0x1.62e4p-1f, x.hi);
  const float middle = product(n, -0x1.7f7d1cp-20f);
  float low = fused_multiply_add(n, -0x1.7f7d1cp-20f, -middle);
  low = fused_multiply_add(n, -0x1.ef357ap-45f, low);
  Pair r = sum_of(high, middle);
  r = ordered_sum(r.hi, r.lo + (low + x.lo));
  // 1 + r + r²/2 in pairs, the rest of the series, at most 0.007, as it comes.
  float tail = fused_multiply_add(r.hi, 1.0f / 40320, 1.0f / 5040);
  tail = fused_multiply_add(r.hi, tail, 1.0f / 720);
  tail = fused_multiply_add(r.hi, tail, 1.0f / 120);
  tail = fused_multiply_add(r.hi, tail, 1.0f / 24);
  tail = fused_multiply_add(r.hi, tail, 1.0f / 6);
  const float square = product(r.hi, r.hi);
  const float square_low = fused_multiply_add(r.hi, r.hi, -square);
  tail = fused_multiply_add(product(square, r.hi), tail,
                            fused_multiply_add(r.hi, r.lo, 0.5f * square_low));
  const Pair linear = ordered_sum(1.0f, r.hi);
  const Pair sum = ordered_sum(linear.hi, 0.5f * square);
  const Pair whole = ordered_sum(sum.hi, sum.lo + (linear.lo + (r.lo + tail)));
  // By 2^n in two steps: n may be below the least exponent.
  const int half = static_cast<int>(n) / 2, rest = static_cast<int>(n) - half;
  const float first = bits_to_float(static_cast<uint32_t>(half + 127) << 23);
  const float second = bits_to_float(static_cast<uint32_t>(rest + 127) << 23);
  return {whole.hi * first * second, whole.lo * first * second};
}

}  // namespace hadal::device
