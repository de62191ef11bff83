// Products with both sides in BF16, two columns to a lane (VDPBF16PS), FP8 weights by exact conversion.
// Included after vec_avx512.h by files compiled with AVX512_BF16 and VBMI; internal linkage throughout.
//
// Order of additions: sixteen lanes, each over its pairs of columns in ascending vectors of 32; an FP8 block
// of columns is summed by itself and joins the total times its scale; lanes last, in a fixed tree. The tile
// shapes below differ by the number of rows of x, the order does not.

namespace hadal::cpu {
namespace {

constexpr int64_t kStep = 64;  // columns of one turn of the inner loop: two vectors of 32

using Pair = __m512bh;

inline Pair pair_load(const uint16_t* p) { return reinterpret_cast<Pair>(_mm512_loadu_si512(p)); }

// 64 codes → two vectors of BF16. The interleaving of low and high bytes leaves the columns in the order
// 0–7, 16–23, 32–39, 48–55 | 8–15, 24–31, 40–47, 56–63; pack_codes puts x into the same order.
inline void code_pairs(__m512i codes, Pair (&w)[2]) {
  const __m512i high = _mm512_permutex2var_epi8(_mm512_load_si512(kE4M3.high), codes, _mm512_load_si512(kE4M3.high + 64));
  const __m512i low = _mm512_permutex2var_epi8(_mm512_load_si512(kE4M3.low), codes, _mm512_load_si512(kE4M3.low + 64));
  const __m512i top = _mm512_ternarylogic_epi32(high, codes, _mm512_set1_epi8(-128), 0xf8);  // high | (codes & 0x80)
  w[0] = reinterpret_cast<Pair>(_mm512_unpacklo_epi8(low, top));
  w[1] = reinterpret_cast<Pair>(_mm512_unpackhi_epi8(low, top));
}

// How a turn's 64 columns of a weight row are read: whole, or the first `columns` with zeros behind.
struct PairE4M3 {
  using T = uint8_t;
  static constexpr bool kScaled = true, kCached = false;
  static void get(const T* p, Pair (&w)[2]) { code_pairs(_mm512_loadu_si512(p), w); }
  static void get_tail(const T* p, int64_t columns, Pair (&w)[2]) {
    code_pairs(_mm512_maskz_loadu_epi8(~uint64_t{0} >> (kStep - columns), p), w);
  }
};
struct PairBF16 {
  using T = uint16_t;
  static constexpr bool kScaled = false, kCached = false;
  static void get(const T* p, Pair (&w)[2]) {
    w[0] = pair_load(p);
    w[1] = pair_load(p + 32);
  }
  static void get_tail(const T* p, int64_t columns, Pair (&w)[2]) {
    const uint64_t mask = ~uint64_t{0} >> (kStep - columns);
    w[0] = reinterpret_cast<Pair>(_mm512_maskz_loadu_epi16(static_cast<uint32_t>(mask), p));
    w[1] = reinterpret_cast<Pair>(_mm512_maskz_loadu_epi16(static_cast<uint32_t>(mask >> 32), p + 32));
  }
};
// FP8 rows that convert_codes wrote: padded to whole turns, still to be scaled by block.
struct PairConverted : PairBF16 {
  static constexpr bool kScaled = true, kCached = true;
};

// The weights of a turn by all rows of x.
template <typename W, int RM, int RN, typename Get>
[[gnu::always_inline]] inline void pair_turn(F32 (&acc)[RM][RN], const uint16_t* const (&x)[RM],
                                             const typename W::T* const (&w)[RN], int64_t k, Get&& get) {
  Pair xv[RM][2];
  unroll<RM>(HADAL_EACH(m) {
    xv[m][0] = pair_load(x[m] + k);
    xv[m][1] = pair_load(x[m] + k + 32);
  });
  unroll<RN>(HADAL_EACH(n) {
    Pair wv[2];
    get(w[n] + k, wv);
    unroll<RM>(HADAL_EACH(m) { acc[m][n] = _mm512_dpbf16_ps(acc[m][n], xv[m][0], wv[0]); });
    unroll<RM>(HADAL_EACH(m) { acc[m][n] = _mm512_dpbf16_ps(acc[m][n], xv[m][1], wv[1]); });
  });
}

// For a row read alone: the hardware's prefetcher follows it up to the end of a page, this crosses it.
constexpr int64_t kPageAhead = 4 << 10;
template <typename W>
inline void pair_prefetch(const typename W::T* p) {
  if constexpr (!W::kCached)
    for (int64_t i = 0; i < kStep * static_cast<int64_t>(sizeof(*p)); i += 64)
      __builtin_prefetch(reinterpret_cast<const char*>(p) + kPageAhead + i, 0, 2);
}

// Adds columns [begin, end) of an RM×RN tile; begin is a multiple of 64.
template <typename W, int RM, int RN>
[[gnu::always_inline]] inline void pair_columns(F32 (&acc)[RM][RN], const uint16_t* const (&x)[RM],
                                                const typename W::T* const (&w)[RN], int64_t begin, int64_t end) {
  using T = typename W::T;
  int64_t k = begin;
  for (; k + kStep <= end; k += kStep) {
    if constexpr (RN == 1) pair_prefetch<W>(w[0] + k);
    else unroll<RN>(HADAL_EACH(n) { prefetch_far<W>(w[n] + k, kStep); });
    pair_turn<W>(acc, x, w, k, [](const T* p, Pair (&wv)[2]) __attribute__((always_inline)) { W::get(p, wv); });
  }
  if (k < end)
    pair_turn<W>(acc, x, w, k,
                 [&](const T* p, Pair (&wv)[2]) __attribute__((always_inline)) { W::get_tail(p, end - k, wv); });
}

template <typename W, int RM, int RN>
void pair_tile(const PairArgs& a, int64_t m0, int64_t n0) {
  F32 acc[RM][RN];
  const typename W::T* w[RN];
  const uint16_t* x[RM];
  const auto each = [&](auto&& f) __attribute__((always_inline)) {
    unroll<RN>(HADAL_EACH(n) { unroll<RM>(HADAL_EACH(m) { f(m, n); }); });
  };
  each(HADAL_EACH2(m, n) { acc[m][n] = zero(); });
  unroll<RN>(HADAL_EACH(n) { w[n] = static_cast<const typename W::T*>(a.w) + (n0 + n) * a.w_stride; });
  unroll<RM>(HADAL_EACH(m) { x[m] = a.x[m0 + m]; });
  if constexpr (W::kScaled) {
    const float* scale[RN];
    const int64_t first = a.first_row / a.block_rows;
    unroll<RN>(HADAL_EACH(n) {
      scale[n] = a.scale + ((a.first_row + n0 + n) / a.block_rows - first) * a.scale_stride;
    });
    for (int64_t k = 0, b = 0; k < a.K; k += a.block_columns, ++b) {
      F32 part[RM][RN];
      each(HADAL_EACH2(m, n) { part[m][n] = zero(); });
      pair_columns<W, RM, RN>(part, x, w, k, k + a.block_columns < a.K ? k + a.block_columns : a.K);
      each(HADAL_EACH2(m, n) { acc[m][n] = fma(part[m][n], set1(scale[n][b]), acc[m][n]); });
    }
  } else {
    pair_columns<W, RM, RN>(acc, x, w, 0, a.K);
  }
  each(HADAL_EACH2(m, n) { a.out[m0 + m][n0 + n] = reduce_add(acc[m][n]); });
}

// Tile shapes: as many sums as fit in 32 registers beside their parts, the operands and the tables. Few rows of x
// are limited by memory, so codes are read row after row as they lie there; the parts of consecutive blocks are
// chains enough.
template <typename W, int RM>
inline void pair_rows(const PairArgs& a, int64_t m0) {
  constexpr bool codes = W::kScaled && !W::kCached;
  constexpr int RN = codes ? (RM < 4 ? 1 : 2) : RM <= 2 ? 4 : 3;
  int64_t n = 0;
  for (; n + RN <= a.N; n += RN) pair_tile<W, RM, RN>(a, m0, n);
  for (; n < a.N; ++n) pair_tile<W, RM, 1>(a, m0, n);
}

template <typename W>
void pair_gemm(const PairArgs& a) {
  int64_t m = 0;
  for (; m + 4 <= a.M; m += 4) pair_rows<W, 4>(a, m);
  if (a.M - m == 3) return pair_rows<W, 3>(a, m);
  if (a.M - m == 2) return pair_rows<W, 2>(a, m);
  if (a.M - m == 1) return pair_rows<W, 1>(a, m);
}

// The turn's 64 floats as BF16 (round to nearest even), in natural order or in that of code_pairs.
inline void pack_turn(uint16_t* y, const float* x, bool codes) {
  __m512i v[2];
  for (int i = 0; i < 2; ++i)
    v[i] = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(load(x + 32 * i + 16), load(x + 32 * i)));
  if (codes) {
    const __m512i first = _mm512_setr_epi64(0, 1, 4, 5, 8, 9, 12, 13);
    const __m512i second = _mm512_setr_epi64(2, 3, 6, 7, 10, 11, 14, 15);
    const __m512i a = _mm512_permutex2var_epi64(v[0], first, v[1]);
    v[1] = _mm512_permutex2var_epi64(v[0], second, v[1]);
    v[0] = a;
  }
  _mm512_storeu_si512(y, v[0]);
  _mm512_storeu_si512(y + 32, v[1]);
}

void pack_pairs(uint16_t* y, const float* x, int64_t n, bool codes) {
  int64_t k = 0;
  for (; k + kStep <= n; k += kStep) pack_turn(y + k, x + k, codes);
  if (k == n) return;
  float padded[kStep] = {};
  memcpy(padded, x + k, static_cast<size_t>(n - k) * sizeof(float));
  pack_turn(y + k, padded, codes);
}

void pair_convert_codes(uint16_t* y, const uint8_t* w, int64_t n) {
  Pair v[2];
  for (int64_t k = 0; k < n; k += kStep) {
    pair_prefetch<PairE4M3>(w + k);
    if (k + kStep <= n) PairE4M3::get(w + k, v);
    else PairE4M3::get_tail(w + k, n - k, v);
    _mm512_storeu_si512(y + k, reinterpret_cast<__m512i>(v[0]));
    _mm512_storeu_si512(y + k + 32, reinterpret_cast<__m512i>(v[1]));
  }
}

const PairKernels pair_table = {
    pair_gemm<PairBF16>, pair_gemm<PairE4M3>, pair_gemm<PairConverted>, pack_pairs, pair_convert_codes,
};

}  // namespace
}  // namespace hadal::cpu
