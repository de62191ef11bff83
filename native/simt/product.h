// The arithmetic of the emulated tensor cores, apart from when it happens: values from bits, a
// warp's share of a product, and the two ways of summing.
#pragma once

#include <cstdint>

namespace hadal::simt {

inline constexpr int kWarpRows = 16;  // of D, that one warp computes

// 32 bytes of K as floats: 32 of E4M3 or 16 of BF16.
int decode_values(bool bf16, const uint8_t* bytes, int count, float* values);

// c[16, n] += a[16, k] · b[k, n], as tensor_core_sum() says. NaNs come out as the tensor cores'
// one, 0x7fffffff.
void multiply_tile(float* c, const float* a, const float* b, int n, int k, bool bf16);

// c + Σ a[i] · b[i], for mma.sync. Its E4M3 (k = 32) is two products of F16 on Hopper, the first
// with the lower half of every four bytes, as nvcc 13.0 makes them.
float sum_products(float c, const float* a, const float* b, int k);

}  // namespace hadal::simt
