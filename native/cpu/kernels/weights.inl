// How the leaves read rows of weights: `read` loads a turn of kVectors vectors, vector<j> makes the j-th of
// them. kScaled: x carries the scale, which scale_blocks put there, and zeros behind its end.

#include <utility>

namespace hadal::cpu {
namespace {

// f(0), …, f(n − 1) with constant indices, inlined at once: GCC leaves an array that loops index in memory, sums of a
// tile included, though it unrolls the loops later.
template <int... kIndex, typename F>
[[gnu::always_inline]] inline void unroll(std::integer_sequence<int, kIndex...>, F&& f) {
  (f(std::integral_constant<int, kIndex>{}), ...);
}
template <int kCount, typename F>
[[gnu::always_inline]] inline void unroll(F&& f) {
  unroll(std::make_integer_sequence<int, kCount>{}, f);
}
#define HADAL_EACH(i) [&](auto i) __attribute__((always_inline))
#define HADAL_EACH2(i, j) [&](auto i, auto j) __attribute__((always_inline))

template <F32 (*kGet)(const uint16_t*)>
struct WHalf {
  using T = uint16_t;
  using Raw = F32;
  static constexpr int kVectors = 1;
  static constexpr bool kScaled = false, kCached = false;
  static Raw read(const T* p) { return kGet(p); }
  template <int>
  static F32 vector(Raw raw) { return raw; }
};
using WBF16 = WHalf<from_bf16>;
using WF16 = WHalf<from_f16>;

struct WF32 {
  using T = float;
  using Raw = F32;
  static constexpr int kVectors = 1;
  static constexpr bool kScaled = false, kCached = false;
  static Raw read(const T* p) { return load(p); }
  template <int>
  static F32 vector(Raw raw) { return raw; }
};
// Rows that convert_row made shortly before.
struct WConverted : WF32 {
  static constexpr bool kCached = true;
};

// Without the block's scale and without kE4M3Factor.
struct WE4M3 {
  using T = uint8_t;
  using Raw = E4M3Raw;
  static constexpr int kVectors = kE4M3Vectors;
  static constexpr bool kScaled = true, kCached = false;
  static Raw read(const T* p) { return e4m3_read(p); }
  template <int kVector>
  static F32 vector(const Raw& raw) { return e4m3_vector<kVector>(raw); }
};

// The first n values of a turn, zeros behind.
template <typename W>
inline typename W::Raw read_tail(const typename W::T* p, int64_t n) {
  typename W::T padded[W::kVectors * kLanes] = {};
  memcpy(padded, p, static_cast<size_t>(n) * sizeof(typename W::T));
  return W::read(padded);
}

// Calls f(i, vector, count) for the vectors of a row of n weights; the last may hold fewer than kLanes, zeros
// behind.
template <typename W, typename F>
[[gnu::always_inline]] inline void each_vector(const typename W::T* w, int64_t n, F&& f) {
  constexpr int64_t turn = W::kVectors * kLanes;
  int64_t i = 0;
  for (; i + turn <= n; i += turn) {
    const typename W::Raw raw = W::read(w + i);
    unroll<W::kVectors>(HADAL_EACH(v) { f(i + v * kLanes, W::template vector<v>(raw), kLanes); });
  }
  if (i == n) return;
  const typename W::Raw raw = read_tail<W>(w + i, n - i);
  unroll<W::kVectors>(HADAL_EACH(v) {
    const int64_t left = n - i - v * kLanes;
    if (left > 0) f(i + v * kLanes, W::template vector<v>(raw), left < kLanes ? left : kLanes);
  });
}

inline F32 load_part(const float* p, int64_t n) {
  if (n == kLanes) return load(p);
  float padded[kLanes] = {};
  memcpy(padded, p, static_cast<size_t>(n) * sizeof(float));
  return load(padded);
}

inline void store_part(float* p, F32 a, int64_t n) {
  if (n == kLanes) return store(p, a);
  float padded[kLanes];
  store(padded, a);
  memcpy(p, padded, static_cast<size_t>(n) * sizeof(float));
}

}  // namespace
}  // namespace hadal::cpu
