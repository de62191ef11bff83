// What the tests of row-wise ops share: slices of rows, a look at the bytes between rows, refusals.
#pragma once

#include <bit>

#include "tests/case.h"

namespace hadal::testing {

inline void refused(const char* part, const Call& call) {
  CHECK(throws(HADAL_ERROR_INVALID, part, [&] { run_reference(call); }));
}

// Whether nothing but the elements was written: the padding of an array starts as zeros, the guards as
// their own byte.
inline bool only_elements(Array array, int64_t padding) {
  const Array fresh(array.dtype(), array.shape(), padding);
  for (int64_t i = 0; i < array.size(); ++i) array.set(i, 0);
  return array.same_bits(fresh);
}

// Rows [first, first + count) of the first dimension, dense.
inline Array rows_of(const Array& a, int64_t first, int64_t count) {
  Shape shape = a.shape();
  const int64_t width = a.size() / shape[0];
  shape[0] = count;
  Array part(a.dtype(), shape);
  for (int64_t i = 0; i < part.size(); ++i) part.at<float>(i) = a.f32(first * width + i);
  return part;
}

inline uint32_t bits(float f) { return std::bit_cast<uint32_t>(f); }
inline bool same_float(float a, float b) { return bits(a) == bits(b) || (std::isnan(a) && std::isnan(b)); }

// Element by element, whatever the padding; NaN equals NaN.
inline bool same_values(const Array& a, const Array& b) {
  if (a.size() != b.size()) return false;
  for (int64_t i = 0; i < a.size(); ++i) {
    if (same_float(a.f32(i), b.f32(i))) continue;
    std::printf("  element %ld: %.9g and %.9g\n", static_cast<long>(i), a.f32(i), b.f32(i));
    return false;
  }
  return true;
}

// The scalar oracle once, then the vector form on every bench, until a check fails.
inline void every_form(const std::function<void(HostDevice&, Form)>& body) {
  body(*benches().back().device, Form::reference);
  for (const Bench& bench : benches()) {
    if (!current_ok) return;
    body(*bench.device, Form::fast);
    if (!current_ok) std::printf("  on %s\n", bench.name.c_str());
  }
}

}  // namespace hadal::testing
