// F32 products of rows by rows, out[m][n] = Σ_k x[m][k] · w[n][k], over the vector wrapper and the weight
// formats of weights.inl. Internal linkage throughout.
//
// Order of additions: one accumulator per lane, k ascending, lanes last in a fixed tree. How many rows share a
// tile, and where K is cut to keep x in the first-level cache, changes nothing of it: sums that wait for their
// next piece of K lie in memory as they are.

namespace hadal::cpu {
namespace {

constexpr int kMaxRows = kRegisters == 32 ? 8 : 4;  // rows of x in a tile
constexpr int64_t kPiece = 512;      // columns of x that stay in the first-level cache while weight rows pass
constexpr int64_t kPieceGroup = 12;  // weight rows whose sums wait between two pieces, in the same cache

// Weight rows in a tile. Together with the rows of x: sums that fit the registers beside the operands and what
// a conversion needs, at least four independent chains (an FMA takes four cycles), and few loads for each FMA.
template <typename W, int RM>
constexpr int tile_rows() {
  if (RM <= 2) return 4;
  if (kRegisters == 16 || W::kVectors > 1) return 2;
  return RM <= 6 ? 4 : 3;
}

// Weights that come from memory are asked for before their turn. A small tile, or one whose next group of rows is
// known, in the order in which they lie there: no hardware prefetcher follows several rows side by side. A large
// one row by row and into the second-level cache, as it would push x out of the first (Zen 4, rows of 8 KB: 17.6
// against 10.8 GB/s).
constexpr int64_t kAhead = 8 << 10, kFarAhead = 32 << 10, kSmallTile = 4 << 10;

template <typename W>
inline void prefetch(const char* p, int64_t count) {
  if constexpr (!W::kCached)
    for (int64_t i = 0; i < count * static_cast<int64_t>(sizeof(typename W::T)); i += 64) __builtin_prefetch(p + i, 0, 3);
}

template <typename W>
inline void prefetch_far(const typename W::T* p, int64_t count) {
  if constexpr (!W::kCached)
    for (int64_t i = 0; i < count * static_cast<int64_t>(sizeof(typename W::T)); i += 64)
      __builtin_prefetch(reinterpret_cast<const char*>(p) + kFarAhead + i, 0, 2);
}

// One vector of each weight row by all rows of x.
template <typename W, int kVector, int RM, int RN>
[[gnu::always_inline]] inline void multiply_vector(F32 (&acc)[RM][RN], const float* const (&x)[RM],
                                                   const typename W::Raw (&raw)[RN], int64_t k) {
  F32 w[RN];
  unroll<RN>(HADAL_EACH(n) { w[n] = W::template vector<kVector>(raw[n]); });
  unroll<RM>(HADAL_EACH(m) {
    const F32 xv = held(load(x[m] + k + kVector * kLanes));
    unroll<RN>(HADAL_EACH(n) { acc[m][n] = fma(xv, w[n], acc[m][n]); });
  });
}

template <typename W, int RM, int RN>
[[gnu::always_inline]] inline void multiply_turn(F32 (&acc)[RM][RN], const float* const (&x)[RM],
                                                 const typename W::Raw (&raw)[RN], int64_t k) {
  unroll<W::kVectors>(HADAL_EACH(v) { multiply_vector<W, v>(acc, x, raw, k); });
}

// Adds columns [begin, end) of an RM×RN tile to its accumulators.
template <typename W, int RM, int RN>
[[gnu::always_inline]] inline void tile_columns(F32 (&acc)[RM][RN], const float* const (&x)[RM],
                                                const typename W::T* const (&w)[RN], int64_t begin, int64_t end,
                                                const char* ahead, bool in_order) {
  constexpr int64_t turn = W::kVectors * kLanes;
  typename W::Raw raw[RN];
  int64_t k = begin;
  for (; k + turn <= end; k += turn) {
    if (in_order) prefetch<W>(ahead + (k - begin) * RN * static_cast<int64_t>(sizeof(typename W::T)), turn * RN);
    else unroll<RN>(HADAL_EACH(n) { prefetch_far<W>(w[n] + k, turn); });
    unroll<RN>(HADAL_EACH(n) { raw[n] = W::read(w[n] + k); });
    multiply_turn<W, RM, RN>(acc, x, raw, k);
  }
  if (k == end) return;
  unroll<RN>(HADAL_EACH(n) { raw[n] = read_tail<W>(w[n] + k, end - k); });
  if constexpr (W::kScaled) {  // such rows of x have zeros behind their end
    multiply_turn<W, RM, RN>(acc, x, raw, k);
  } else {
    unroll<RM>(HADAL_EACH(m) {
      const F32 xv = load_part(x[m] + k, end - k);
      unroll<RN>(HADAL_EACH(n) {
        acc[m][n] = fma(xv, W::template vector<0>(raw[n]), acc[m][n]);
      });
    });
  }
}

// A tile over columns [k0, k1); `sums` holds its accumulators between pieces of K.
struct Piece {
  int64_t k0, k1;
  float* sums;
  const char* ahead;  // what to ask for in order, or
  bool in_order;      // false: row by row
};

template <typename W, int RM, int RN>
void tile(const GemmArgs& a, int64_t m0, int64_t n0, const Piece& p) {
  using T = typename W::T;
  F32 acc[RM][RN];
  const T* w[RN];
  const float* x[RM];
  const auto each = [&](auto&& f) __attribute__((always_inline)) {
    unroll<RM>(HADAL_EACH(m) {
      unroll<RN>(HADAL_EACH(n) { f(m, n); });
    });
  };
  each(HADAL_EACH2(m, n) {
    acc[m][n] = p.k0 == 0 ? zero() : load(p.sums + (n * RM + m) * kLanes);
  });
  unroll<RN>(HADAL_EACH(n) {
    w[n] = static_cast<const T*>(a.w) + (n0 + n) * a.w_stride;
  });
  unroll<RM>(HADAL_EACH(m) { x[m] = a.x[m0 + m]; });
  tile_columns<W, RM, RN>(acc, x, w, p.k0, p.k1, p.ahead, p.in_order);
  if (p.k1 == a.K)
    each(HADAL_EACH2(m, n) { a.out[m0 + m][n0 + n] = reduce_add(acc[m][n]); });
  else
    each(HADAL_EACH2(m, n) { store(p.sums + (n * RM + m) * kLanes, acc[m][n]); });
}

// Weight rows [n0, n1) over columns [k0, k1); `ahead` moves on by the bytes that each tile reads.
template <typename W, int RM>
inline void tile_row(const GemmArgs& a, int64_t m0, int64_t n0, int64_t n1, Piece p) {
  constexpr int RN = tile_rows<W, RM>();
  const int64_t bytes = (p.k1 - p.k0) * static_cast<int64_t>(sizeof(typename W::T));
  int64_t n = n0;
  for (; n + RN <= n1; n += RN, p.sums += RN * RM * kLanes, p.ahead += RN * bytes) tile<W, RM, RN>(a, m0, n, p);
  for (; n < n1; ++n, p.sums += RM * kLanes, p.ahead += bytes) tile<W, RM, 1>(a, m0, n, p);
}

template <typename W, int RM>
void rows(const GemmArgs& a, int64_t m0) {
  const auto* w = static_cast<const char*>(a.w);
  constexpr auto size = static_cast<int64_t>(sizeof(typename W::T));
  if (RM < 4 || a.K <= 2 * kPiece) {
    const bool small = tile_rows<W, RM>() * a.K * size <= kSmallTile;
    return tile_row<W, RM>(a, m0, 0, a.N, {0, a.K, nullptr, w + kAhead, small});
  }
  alignas(64) float sums[kPieceGroup * RM * kLanes];
  for (int64_t n = 0; n < a.N; n += kPieceGroup) {
    const int64_t end = n + kPieceGroup < a.N ? n + kPieceGroup : a.N;
    // Meanwhile the next group comes, from its first byte to its last.
    const char* next = w + end * a.w_stride * size;
    for (int64_t k = 0; k < a.K; k += kPiece) {
      const int64_t stop = k + kPiece < a.K ? k + kPiece : a.K;
      tile_row<W, RM>(a, m0, n, end, {k, stop, sums, next + k * (end - n) * size, true});
    }
  }
}

template <typename W>
void gemm(const GemmArgs& a) {
  int64_t m = 0;
  for (; m + kMaxRows <= a.M; m += kMaxRows) rows<W, kMaxRows>(a, m);
  switch (a.M - m) {
    case 1: return rows<W, 1>(a, m);
    case 2: return rows<W, 2>(a, m);
    case 3: return rows<W, 3>(a, m);
    case 4: return rows<W, kMaxRows == 8 ? 4 : 1>(a, m);
    case 5: return rows<W, kMaxRows == 8 ? 5 : 1>(a, m);
    case 6: return rows<W, kMaxRows == 8 ? 6 : 1>(a, m);
    case 7: return rows<W, kMaxRows == 8 ? 7 : 1>(a, m);
    default: return;
  }
}

}  // namespace
}  // namespace hadal::cpu
