// Loads and stores of 16 bytes, the widest that a thread has, and the values inside them. Addresses are
// multiples of 16; of 8 for load8.
#pragma once

#include "cuda/device/types.cuh"

namespace hadal::device {

struct alignas(16) Vec16 { uint32_t word[4]; };
struct alignas(8) Vec8 { uint32_t word[2]; };

#ifdef __CUDACC__
HADAL_DEVICE Vec8 load8(const void* address) { return *static_cast<const Vec8*>(address); }
HADAL_DEVICE Vec16 load16(const void* address) { return *static_cast<const Vec16*>(address); }
HADAL_DEVICE void store16(void* address, Vec16 value) { *static_cast<Vec16*>(address) = value; }
#else
// As one access of 16 bytes: of a struct g++ makes four, and does not see that 16 bytes want an alignment.
using Raw16 = uint32_t __attribute__((vector_size(16), may_alias, aligned(1)));
inline Vec8 load8(const void* address, simt::Site site = {}) {
  if (reinterpret_cast<uintptr_t>(address) % 8 != 0) simt::report_misaligned(address, 8, "load8", site);
  using Raw8 = uint32_t __attribute__((vector_size(8), may_alias, aligned(1)));
  return __builtin_bit_cast(Vec8, *static_cast<const Raw8*>(address));
}
inline Vec16 load16(const void* address, simt::Site site = {}) {
  if (reinterpret_cast<uintptr_t>(address) % 16 != 0) simt::report_misaligned(address, 16, "load16", site);
  return __builtin_bit_cast(Vec16, *static_cast<const Raw16*>(address));
}
inline void store16(void* address, Vec16 value, simt::Site site = {}) {
  if (reinterpret_cast<uintptr_t>(address) % 16 != 0) simt::report_misaligned(address, 16, "store16", site);
  *static_cast<Raw16*>(address) = __builtin_bit_cast(Raw16, value);
}
#endif

// Read once by one block, without a place in the first-level cache. Not ld.global.nc: see words.cuh.
HADAL_DEVICE Vec16 load16_once(const void* address) {
#ifdef __CUDACC__
  Vec16 v;
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.word[0]), "=r"(v.word[1]), "=r"(v.word[2]), "=r"(v.word[3])
               : "l"(address));
  return v;
#else
  return load16(address);
#endif
}

// How many values of T lie in 16 bytes.
template <typename T>
inline constexpr int kPerVec = static_cast<int>(16 / sizeof(T));

// The values of one Vec16 as floats, and back.
template <typename T>
HADAL_DEVICE void unpack(Vec16 v, float (&values)[kPerVec<T>]);
template <>
HADAL_DEVICE void unpack<float>(Vec16 v, float (&values)[4]) {
  HADAL_UNROLL
  for (int i = 0; i < 4; ++i) values[i] = bits_to_float(v.word[i]);
}
template <>
HADAL_DEVICE void unpack<bf16>(Vec16 v, float (&values)[8]) {
  HADAL_UNROLL
  for (int i = 0; i < 4; ++i) {
    values[2 * i] = bits_to_float(v.word[i] << 16);
    values[2 * i + 1] = bits_to_float(v.word[i] & 0xffff0000u);
  }
}
template <typename T>
HADAL_DEVICE Vec16 pack(const float (&values)[kPerVec<T>]);
template <>
HADAL_DEVICE Vec16 pack<float>(const float (&values)[4]) {
  Vec16 v;
  HADAL_UNROLL
  for (int i = 0; i < 4; ++i) v.word[i] = float_to_bits(values[i]);
  return v;
}
template <>
HADAL_DEVICE Vec16 pack<bf16>(const float (&values)[8]) {
  Vec16 v;
  HADAL_UNROLL
  for (int i = 0; i < 4; ++i) v.word[i] = pack_bf16(values[2 * i], values[2 * i + 1]);
  return v;
}

}  // namespace hadal::device
