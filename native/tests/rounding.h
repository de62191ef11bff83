// The stored formats from first principles: the value of a code by its fields, and what must become of every
// number halfway between two codes and of its neighbours. Shares nothing with cpu/convert.h.
#pragma once

#include "tests/rows.h"

namespace hadal::testing {

struct Format {
  int exponent_bits, mantissa_bits, bias;
  bool finite;  // E4M3 "fn": no infinity, only the largest code is a NaN
};
inline constexpr Format kBF16{8, 7, 127, false}, kF16{5, 10, 15, false}, kE4M3{4, 3, 7, true};

inline const Format& format_of(DType dtype) {
  return dtype == DType::BF16 ? kBF16 : dtype == DType::F16 ? kF16 : kE4M3;
}

inline double code_value(const Format& f, uint32_t code) {
  const uint32_t mantissa = code & ((1u << f.mantissa_bits) - 1);
  const int exponent = static_cast<int>(code >> f.mantissa_bits) & ((1 << f.exponent_bits) - 1);
  const bool negative = code >> (f.exponent_bits + f.mantissa_bits) & 1;
  const bool top = exponent == (1 << f.exponent_bits) - 1;
  double value = std::ldexp(mantissa + (exponent ? std::ldexp(1.0, f.mantissa_bits) : 0.0),
                            (exponent ? exponent : 1) - f.bias - f.mantissa_bits);
  if (f.finite ? top && mantissa + 1 == 1u << f.mantissa_bits : top && mantissa) value = NAN;
  else if (top && !f.finite) value = INFINITY;
  return negative ? -value : value;
}

struct Rounding {
  float value;
  uint16_t code;
};

// For every two neighbouring codes of BF16 or F16, both signs: the lower one, the halfway point (to the even
// code), the floats just below and just above it. F16 saturates at 65504, BF16 becomes infinite.
inline std::vector<Rounding> roundings(DType dtype) {
  const Format& f = format_of(dtype);
  const bool half = dtype == DType::F16;
  const uint16_t infinity = static_cast<uint16_t>(((1 << f.exponent_bits) - 1) << f.mantissa_bits);
  std::vector<Rounding> all;
  for (uint16_t low = 0; low < infinity; ++low) {
    const bool last = low + 1 == infinity;
    const double above = last ? std::ldexp(1.0, f.bias + 1) : code_value(f, low + 1u);
    const auto middle = static_cast<float>((code_value(f, low) + above) / 2);
    const auto high = static_cast<uint16_t>(last && half ? low : low + 1);
    for (const uint16_t sign : {0, 0x8000}) {
      const float one = sign ? -1 : 1;
      const auto put = [&](float value, uint16_t code) {
        all.push_back({one * value, static_cast<uint16_t>(sign | code)});
      };
      put(static_cast<float>(code_value(f, low)), low);
      put(std::nextafter(middle, 0.0f), low);
      put(middle, low % 2 ? high : low);
      put(std::nextafter(middle, INFINITY), high);
    }
  }
  const uint16_t top = half ? static_cast<uint16_t>(infinity - 1) : infinity;
  for (const float huge : {1e30f, 3e38f, INFINITY}) {
    if (!half && std::isfinite(huge)) continue;
    all.push_back({huge, top});
    all.push_back({-huge, static_cast<uint16_t>(0x8000 | top)});
  }
  return all;
}

inline bool nan_code(DType dtype, uint16_t code) { return std::isnan(code_value(format_of(dtype), code)); }

}  // namespace hadal::testing
