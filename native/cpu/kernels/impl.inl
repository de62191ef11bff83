// The leaves over the vector wrapper of the including file. Everything here has internal linkage.

namespace hadal::cpu {
namespace {

// Weight formats: a full vector, four consecutive ones, and a tail of n < kLanes padded with zeros.
template <F32 (*kGet)(const uint16_t*)>
struct WHalf {
  using T = uint16_t;
  static constexpr bool kScaled = false;
  static F32 get(const T* p) { return kGet(p); }
  static void get4(const T* p, F32 (&w)[4]) {
    for (int j = 0; j < 4; ++j) w[j] = kGet(p + j * kLanes);
  }
};
using WBF16 = WHalf<from_bf16>;
using WF16 = WHalf<from_f16>;
struct WF32 {
  using T = float;
  static constexpr bool kScaled = false;
  static F32 get(const T* p) { return load(p); }
  static void get4(const T* p, F32 (&w)[4]) {
    for (int j = 0; j < 4; ++j) w[j] = load(p + j * kLanes);
  }
};
struct WE4M3 {
  using T = uint8_t;
  static constexpr bool kScaled = true;
  static constexpr float kFactor = kE4M3Factor;
  static F32 get(const T* p) { return from_e4m3(p); }
  static void get4(const T* p, F32 (&w)[4]) { from_e4m3_four(p, w); }
};
// FP8 weights that were converted before, still to be scaled by block.
struct WConverted : WF32 {
  static constexpr bool kScaled = true;
  static constexpr float kFactor = 1.0f;
};

// Asks for what lies kAhead bytes after `count` weights at p, into the second-level cache: weights that meet
// few rows of x come from memory, several rows side by side, which no hardware prefetcher follows, and the
// first level has no room for what is not wanted yet. Past the end of a matrix it is harmless.
constexpr int64_t kAhead = 32 << 10;
template <int64_t kCount, typename T>
inline void prefetch(const T* p) {
  for (int64_t i = 0; i < kCount * static_cast<int64_t>(sizeof(T)); i += 64)
    __builtin_prefetch(reinterpret_cast<const char*>(p) + kAhead + i, 0, 2);
}

template <typename W>
inline F32 tail(const typename W::T* p, int64_t n) {
  typename W::T padded[kLanes] = {};
  memcpy(padded, p, static_cast<size_t>(n) * sizeof(typename W::T));
  return W::get(padded);
}

// Adds columns [begin, end) of an RM×RN tile to its accumulators.
template <typename W, int RM, int RN>
inline void tile_columns(F32 (&acc)[RM][RN], const float* const* x, const typename W::T* const* w, int64_t begin,
                         int64_t end) {
  int64_t k = begin;
  if constexpr (RM < 4) {  // few rows share a weight: convert four vectors at a time
    for (; k + 4 * kLanes <= end; k += 4 * kLanes) {
      for (int n = 0; n < RN; ++n) {
        F32 wv[4];
        prefetch<4 * kLanes>(w[n] + k);
        W::get4(w[n] + k, wv);
        for (int j = 0; j < 4; ++j)
          for (int m = 0; m < RM; ++m) acc[m][n] = fma(load(x[m] + k + j * kLanes), wv[j], acc[m][n]);
      }
    }
  }
  for (; k + kLanes <= end; k += kLanes) {
    F32 xv[RM];
    for (int m = 0; m < RM; ++m) xv[m] = load(x[m] + k);
    for (int n = 0; n < RN; ++n) {
      const F32 wv = W::get(w[n] + k);
      for (int m = 0; m < RM; ++m) acc[m][n] = fma(xv[m], wv, acc[m][n]);
    }
  }
  if (k == end) return;
  for (int n = 0; n < RN; ++n) {
    const F32 wv = tail<W>(w[n] + k, end - k);
    for (int m = 0; m < RM; ++m) acc[m][n] = fma(tail<WF32>(x[m] + k, end - k), wv, acc[m][n]);
  }
}

template <int RM, int RN>
inline void clear(F32 (&acc)[RM][RN]) {
  for (int m = 0; m < RM; ++m)
    for (int n = 0; n < RN; ++n) acc[m][n] = zero();
}

// Scaled weights: each block of columns is summed by itself and joins the total times its scale.
template <typename W, int RM, int RN>
inline void tile_blocks(const GemmArgs& a, F32 (&acc)[RM][RN], int64_t m0, int64_t n0,
                        const typename W::T* const* w) {
  const float* scale[RN];
  const int64_t first = a.first_row / a.block_rows;
  for (int n = 0; n < RN; ++n)
    scale[n] = a.scale + ((a.first_row + n0 + n) / a.block_rows - first) * a.scale_stride;
  for (int64_t k = 0, b = 0; k < a.K; k += a.block_columns, ++b) {
    F32 part[RM][RN];
    clear(part);
    tile_columns<W, RM, RN>(part, a.x + m0, w, k, k + a.block_columns < a.K ? k + a.block_columns : a.K);
    for (int n = 0; n < RN; ++n) {
      const F32 factor = set1(scale[n][b] * W::kFactor);
      for (int m = 0; m < RM; ++m) acc[m][n] = fma(part[m][n], factor, acc[m][n]);
    }
  }
}

template <typename W, int RM, int RN>
inline void tile(const GemmArgs& a, int64_t m0, int64_t n0) {
  using T = typename W::T;
  F32 acc[RM][RN];
  clear(acc);
  const T* w[RN];
  for (int n = 0; n < RN; ++n) w[n] = static_cast<const T*>(a.w) + (n0 + n) * a.w_stride;
  if constexpr (W::kScaled) tile_blocks<W, RM, RN>(a, acc, m0, n0, w);
  else tile_columns<W, RM, RN>(acc, a.x + m0, w, 0, a.K);
  for (int m = 0; m < RM; ++m)
    for (int n = 0; n < RN; ++n) a.out[m0 + m][n0 + n] = reduce_add(acc[m][n]);
}

template <typename W, int RM>
inline void rows(const GemmArgs& a, int64_t m0) {
  constexpr int RN = 4;  // enough independent chains to hide the latency of an FMA
  int64_t n = 0;
  for (; n + RN <= a.N; n += RN) tile<W, RM, RN>(a, m0, n);
  for (; n < a.N; ++n) tile<W, RM, 1>(a, m0, n);
}

template <typename W>
void gemm(const GemmArgs& a) {
  int64_t m = 0;
  // Weight rows outermost in groups, so that a group is converted from cache for all rows of x.
  for (; m + 4 <= a.M; m += 4) rows<W, 4>(a, m);
  if (a.M - m == 3) return rows<W, 3>(a, m);
  if (a.M - m == 2) return rows<W, 2>(a, m);
  if (a.M - m == 1) return rows<W, 1>(a, m);
}

template <typename W>
void axpy_row(float* y, float a, const void* row, const float* scale, int64_t block, int64_t n) {
  const auto* w = static_cast<const typename W::T*>(row);
  const int64_t step = W::kScaled ? block : n;
  for (int64_t begin = 0, b = 0; begin < n; begin += step, ++b) {
    const int64_t end = begin + step < n ? begin + step : n;
    F32 factor = set1(1.0f);
    if constexpr (W::kScaled) factor = set1(scale[b] * kE4M3Factor);
    const F32 av = set1(a);
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      F32 wv = W::get(w + i);
      if constexpr (W::kScaled) wv = mul(wv, factor);
      store(y + i, fma(av, wv, load(y + i)));
    }
    if (i < end) {
      float padded[kLanes];
      F32 wv = tail<W>(w + i, end - i);
      if constexpr (W::kScaled) wv = mul(wv, factor);
      store(padded, fma(av, wv, tail<WF32>(y + i, end - i)));
      memcpy(y + i, padded, static_cast<size_t>(end - i) * sizeof(float));
    }
  }
}

// Applies f to vectors of up to three rows, the tail through padded copies.
template <typename F>
inline void map(float* y, const float* a, const float* b, int64_t n, F f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, f(load(a + i), load(b + i)));
  if (i == n) return;
  float padded[kLanes];
  store(padded, f(tail<WF32>(a + i, n - i), tail<WF32>(b + i, n - i)));
  memcpy(y + i, padded, static_cast<size_t>(n - i) * sizeof(float));
}

template <typename W>
void convert_row(float* y, const void* row, int64_t n) {
  const auto* w = static_cast<const typename W::T*>(row);
  const F32 factor = set1(W::kScaled ? kE4M3Factor : 1.0f);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, mul(W::get(w + i), factor));
  if (i == n) return;
  float padded[kLanes];
  store(padded, mul(tail<W>(w + i, n - i), factor));
  memcpy(y + i, padded, static_cast<size_t>(n - i) * sizeof(float));
}

float dot(const float* x, const float* y, int64_t n) {
  F32 acc = zero();
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) acc = fma(load(x + i), load(y + i), acc);
  if (i < n) acc = fma(tail<WF32>(x + i, n - i), tail<WF32>(y + i, n - i), acc);
  return reduce_add(acc);
}

float sum_squares(const float* x, int64_t n) { return dot(x, x, n); }

float max_row(const float* x, int64_t n) {
  F32 acc = set1(-__builtin_inff());
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) acc = max(load(x + i), acc);
  float m = reduce_max(acc);
  for (; i < n; ++i) m = x[i] > m ? x[i] : m;
  return m;
}

void axpy(float* y, float a, const float* x, int64_t n) {
  const F32 av = set1(a);
  map(y, x, y, n, [av](F32 xv, F32 yv) { return fma(av, xv, yv); });
}
void scale(float* y, float a, const float* x, int64_t n) {
  const F32 av = set1(a);
  map(y, x, x, n, [av](F32 xv, F32) { return mul(av, xv); });
}
void scale_mul(float* y, float a, const float* x, const float* w, int64_t n) {
  const F32 av = set1(a);
  map(y, x, w, n, [av](F32 xv, F32 wv) { return mul(mul(av, xv), wv); });
}
void add_rows(float* y, const float* a, const float* b, int64_t n) {
  map(y, a, b, n, [](F32 av, F32 bv) { return add(av, bv); });
}

// e^x to about 2 ulp: x = n·ln 2 + r with |r| ≤ ln2/2, a polynomial of degree 6 in r (Taylor, whose
// remainder r⁷/5040 is below 2⁻²⁴ there). Below −87.3 the result is flushed to e^−87.3, about 1e-38; from
// 88.4 exp2i overflows to infinity, so that silu of a huge negative gate is zero. NaN stays NaN: in this
// order of operands min and max let it pass, and n takes a bound instead of it.
inline F32 exp(F32 x) {
  x = min(set1(89.0f), max(set1(-87.3f), x));
  const F32 n = round(max(mul(x, set1(1.44269504f)), set1(-126.0f)));
  F32 r = fma(n, set1(-0.693359375f), x);
  r = fma(n, set1(2.12194440e-4f), r);
  F32 p = set1(1.0f / 720);
  p = fma(p, r, set1(1.0f / 120));
  p = fma(p, r, set1(1.0f / 24));
  p = fma(p, r, set1(1.0f / 6));
  p = fma(p, r, set1(0.5f));
  p = fma(p, r, set1(1.0f));
  p = fma(p, r, set1(1.0f));
  return mul(p, exp2i(n));
}

void swiglu(float* y, const float* gate, const float* up, int64_t n) {
  map(y, gate, up, n, [](F32 g, F32 u) {
    const F32 e = exp(mul(g, set1(-1.0f)));
    return mul(div(g, add(set1(1.0f), e)), u);
  });
}

float exp_shift_sum(float* y, const float* x, float shift, int64_t n) {
  const F32 sv = set1(-shift);
  F32 acc = zero();
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const F32 e = exp(add(load(x + i), sv));
    store(y + i, e);
    acc = add(acc, e);
  }
  float sum = reduce_add(acc);
  if (i < n) {
    float padded[kLanes];
    store(padded, exp(add(tail<WF32>(x + i, n - i), sv)));
    for (int64_t j = 0; i + j < n; ++j) {
      y[i + j] = padded[j];
      sum += padded[j];
    }
  }
  return sum;
}

void to_bf16(uint16_t* y, const float* x, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store_bf16(y + i, load(x + i));
  if (i == n) return;
  uint16_t padded[kLanes];
  store_bf16(padded, tail<WF32>(x + i, n - i));
  memcpy(y + i, padded, static_cast<size_t>(n - i) * sizeof(uint16_t));
}

void to_f16(uint16_t* y, const float* x, int64_t n) {
  // The bound comes first, so that a NaN in x survives both operations.
  const auto bounded = [](F32 v) { return min(set1(65504.0f), max(set1(-65504.0f), v)); };
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store_f16(y + i, bounded(load(x + i)));
  if (i == n) return;
  uint16_t padded[kLanes];
  store_f16(padded, bounded(tail<WF32>(x + i, n - i)));
  memcpy(y + i, padded, static_cast<size_t>(n - i) * sizeof(uint16_t));
}

const Kernels table = {
    kName,
    {gemm<WF32>, gemm<WBF16>, gemm<WF16>, gemm<WE4M3>},
    gemm<WConverted>,
    {axpy_row<WF32>, axpy_row<WBF16>, axpy_row<WF16>, axpy_row<WE4M3>},
    {convert_row<WF32>, convert_row<WBF16>, convert_row<WF16>, convert_row<WE4M3>},
    dot,
    sum_squares,
    max_row,
    axpy,
    scale,
    scale_mul,
    add_rows,
    swiglu,
    exp_shift_sum,
    to_bf16,
    to_f16,
    nullptr,
};

}  // namespace
}  // namespace hadal::cpu
