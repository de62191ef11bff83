// See product.h.
#include "simt/product.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "simt/wgmma.h"

namespace hadal::simt {
namespace {

constexpr int kE4m3FractionBits = 13, kBf16FractionBits = 25;
constexpr int kE4m3MinExponent = -6, kBf16MinExponent = -126;

struct E4m3Table {
  float value[256];
  E4m3Table() {
    for (int i = 0; i < 256; ++i) {
      const int exponent = i >> 3 & 15, mantissa = i & 7;
      float v = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9)
                              : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
      if ((i & 0x7f) == 0x7f) v = NAN;
      value[i] = i & 0x80 ? -v : v;
    }
  }
};
const E4m3Table e4m3_table;

// The emulator serves tests: a wider instruction set where the machine has one, the same bits on
// all, as products are exact and the order of additions is written out.
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
__attribute__((target_clones("default", "avx2")))
#endif
void multiply_exact(float* c, const float* a, const float* b, int n, int k) {
  for (int row = 0; row < kWarpRows; ++row, c += n, a += k) {
    for (int i = 0; i < k; i += 4) {
      const float* b0 = b + i * n;
      const float *b1 = b0 + n, *b2 = b1 + n, *b3 = b2 + n;
      const float a0 = a[i], a1 = a[i + 1], a2 = a[i + 2], a3 = a[i + 3];
      for (int j = 0; j < n; ++j) {
        float sum = c[j] + a0 * b0[j];
        sum += a1 * b1[j];
        sum += a2 * b2[j];
        c[j] = sum + a3 * b3[j];
      }
    }
  }
}

int exponent_of(float value, int least) {
  return std::max(std::ilogb(value), least);  // subnormals are not normalised
}

}  // namespace

TensorCoreSum& tensor_core_sum() {
  static TensorCoreSum sum = TensorCoreSum::kExact;
  return sum;
}

int decode_values(bool bf16, const uint8_t* bytes, int count, float* values) {
  if (!bf16) {
    for (int i = 0; i < count; ++i) values[i] = e4m3_table.value[bytes[i]];
    return count;
  }
  for (int i = 0; i < count; i += 2) {
    const uint32_t bits = static_cast<uint32_t>(bytes[i] | bytes[i + 1] << 8) << 16;
    std::memcpy(values + i / 2, &bits, sizeof bits);
  }
  return count / 2;
}

float hopper_sum(float d, const float* a, const float* b, int k, int fraction_bits) {
  const int least = fraction_bits == kE4m3FractionBits ? kE4m3MinExponent : kBf16MinExponent;
  int largest = d == 0 ? -1000 : exponent_of(d, -126);
  float plain = d;
  for (int i = 0; i < k; ++i) {
    plain += a[i] * b[i];
    if (a[i] != 0 && b[i] != 0)
      largest = std::max(largest, exponent_of(a[i], least) + exponent_of(b[i], least));
  }
  if (!std::isfinite(plain) || largest == -1000) return plain;
  const int shift = fraction_bits - largest;
  const auto cut = [&](double term) { return static_cast<int64_t>(std::ldexp(term, shift)); };
  int64_t sum = cut(d);
  for (int i = 0; i < k; ++i) sum += cut(static_cast<double>(a[i]) * static_cast<double>(b[i]));
  // To FP32, cutting again: at most 24 bits are kept.
  const auto magnitude = static_cast<uint64_t>(sum < 0 ? -sum : sum);
  int extra = 0;
  while (magnitude >> extra >= 1u << 24) ++extra;
  const double kept = std::ldexp(static_cast<double>(magnitude >> extra), extra - shift);
  return static_cast<float>(sum < 0 ? -kept : kept);
}

namespace {

float canonical(float value) {
  constexpr uint32_t kNan = 0x7fffffff;
  if (value != value) std::memcpy(&value, &kNan, sizeof kNan);
  return value;
}

}  // namespace

float sum_products(float c, const float* a, const float* b, int k) {
  float half_a[16], half_b[16];
  for (int half = 0; half < k / 16; ++half) {
    for (int i = 0; i < 16; ++i) {
      const int from = k == 16 ? i : i / 2 * 4 + half * 2 + i % 2;
      half_a[i] = a[from];
      half_b[i] = b[from];
    }
    if (tensor_core_sum() == TensorCoreSum::kHopper) {
      c = hopper_sum(c, half_a, half_b, 16, kBf16FractionBits);
    } else {
      for (int i = 0; i < 16; ++i) c += half_a[i] * half_b[i];
    }
  }
  return canonical(c);
}

void multiply_tile(float* c, const float* a, const float* b, int n, int k, bool bf16) {
  if (tensor_core_sum() == TensorCoreSum::kExact) {
    multiply_exact(c, a, b, n, k);
  } else {
    float column[32];
    for (int j = 0; j < n; ++j) {
      for (int i = 0; i < k; ++i) column[i] = b[i * n + j];
      for (int row = 0; row < kWarpRows; ++row)
        c[row * n + j] = hopper_sum(c[row * n + j], a + row * k, column, k,
                                    bf16 ? kBf16FractionBits : kE4m3FractionBits);
    }
  }
  for (int i = 0; i < kWarpRows * n; ++i) c[i] = canonical(c[i]);
}

}  // namespace hadal::simt
