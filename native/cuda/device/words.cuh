// Loads and stores of 1, 2 or 4 words of 32 bits at once, and the values inside them: for rows of one format
// beside rows of another (four floats, their four BF16, their four E4M3). Addresses are multiples of the whole.
#pragma once

#include "cuda/device/half.cuh"

namespace hadal::device {

template <int kWords>
struct alignas(4 * kWords) Words { uint32_t word[kWords]; };

// Not ld.global.nc: ptxas takes that for memory that nobody writes while the kernel runs, and moves it freely across
// griddepcontrol.wait. Under programmatic launch the kernel in front still writes what we read, so such a load must
// stay behind the wait; and a weight's load, put before the wait to be under way early, was moved behind it.
#ifdef __CUDACC__
#define HADAL_LOAD_WORDS(name, hint)                                                              \
  template <int kWords>                                                                           \
  HADAL_DEVICE Words<kWords> name(const void* address) {                                          \
    Words<kWords> w;                                                                              \
    if constexpr (kWords == 1)                                                                    \
      asm volatile("ld.global" hint ".u32 %0, [%1];" : "=r"(w.word[0]) : "l"(address));           \
    else if constexpr (kWords == 2)                                                               \
      asm volatile("ld.global" hint ".v2.u32 {%0, %1}, [%2];"                                     \
                   : "=r"(w.word[0]), "=r"(w.word[1]) : "l"(address));                            \
    else                                                                                          \
      asm volatile("ld.global" hint ".v4.u32 {%0, %1, %2, %3}, [%4];"                             \
                   : "=r"(w.word[0]), "=r"(w.word[1]), "=r"(w.word[2]), "=r"(w.word[3])           \
                   : "l"(address));                                                               \
    return w;                                                                                     \
  }
HADAL_LOAD_WORDS(load_words, "")                          // what other blocks read too: weights, tables
HADAL_LOAD_WORDS(load_words_once, ".L1::no_allocate")     // what this thread alone reads
#undef HADAL_LOAD_WORDS
#else
template <int kWords>
Words<kWords> load_words(const void* address) { return *static_cast<const Words<kWords>*>(address); }
template <int kWords>
Words<kWords> load_words_once(const void* address) { return *static_cast<const Words<kWords>*>(address); }
#endif

template <int kWords>
HADAL_DEVICE void store_words(void* address, Words<kWords> value) {
  *static_cast<Words<kWords>*>(address) = value;
}

// Two values of a 16-bit format in a word, `low` in the low half.
template <typename T>
HADAL_DEVICE void unpack_pair(uint32_t word, float& low, float& high);
template <>
HADAL_DEVICE void unpack_pair<bf16>(uint32_t word, float& low, float& high) {
  low = bits_to_float(word << 16);
  high = bits_to_float(word & 0xffff0000u);
}
template <>
HADAL_DEVICE void unpack_pair<f16>(uint32_t word, float& low, float& high) {
  low = half_to_float(static_cast<uint16_t>(word));
  high = half_to_float(static_cast<uint16_t>(word >> 16));
}
template <typename T>
HADAL_DEVICE uint32_t pack_pair(float low, float high);
template <>
HADAL_DEVICE uint32_t pack_pair<bf16>(float low, float high) { return pack_bf16(low, high); }
template <>
HADAL_DEVICE uint32_t pack_pair<f16>(float low, float high) {
  return to_f16(low).bits | static_cast<uint32_t>(to_f16(high).bits) << 16;
}

// kCount values of T as one load or store has them. T: float, bf16, f16; to pack, e4m3 too.
template <typename T, int kCount>
inline constexpr int kWordsOf = kCount * static_cast<int>(sizeof(T)) / 4;

template <typename T, int kCount>
HADAL_DEVICE void unpack_words(Words<kWordsOf<T, kCount>> w, float (&values)[kCount]) {
  HADAL_UNROLL
  for (int i = 0; i < kWordsOf<T, kCount>; ++i) {
    if constexpr (sizeof(T) == 4) values[i] = bits_to_float(w.word[i]);
    else unpack_pair<T>(w.word[i], values[2 * i], values[2 * i + 1]);
  }
}
template <typename T, int kCount>
HADAL_DEVICE Words<kWordsOf<T, kCount>> pack_words(const float (&values)[kCount]) {
  Words<kWordsOf<T, kCount>> w;
  HADAL_UNROLL
  for (int i = 0; i < kWordsOf<T, kCount>; ++i) {
    if constexpr (sizeof(T) == 4) w.word[i] = float_to_bits(values[i]);
    else if constexpr (sizeof(T) == 2) w.word[i] = pack_pair<T>(values[2 * i], values[2 * i + 1]);
    else
      w.word[i] = pack_e4m3(values[4 * i], values[4 * i + 1]) |
                  static_cast<uint32_t>(pack_e4m3(values[4 * i + 2], values[4 * i + 3])) << 16;
  }
  return w;
}

}  // namespace hadal::device
