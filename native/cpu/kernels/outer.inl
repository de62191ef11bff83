// Products that add rows of weights: out[m][c] += Σ_i x[m][i] · w[i][c], for the values of attention and the
// key half of kv_b. Each output is one chain over i ascending; lanes hold columns, so nothing is summed over
// lanes. Internal linkage throughout.

namespace hadal::cpu {
namespace {

// Registers: rows of x times vectors of columns, twelve chains at least where there are enough rows.
template <typename W>
constexpr int outer_rows() {
  return kRegisters == 16 || W::kVectors > 2 ? 4 : 8;
}

template <typename W, int RM, int RV>
void outer_tile(const OuterArgs& a, int64_t m0, int64_t c) {
  F32 acc[RM][RV];
  const float* x[RM];
  unroll<RM>(HADAL_EACH(m) {
    x[m] = a.x[m0 + m];
    unroll<RV>(HADAL_EACH(v) { acc[m][v] = load(a.out[m0 + m] + c + v * kLanes); });
  });
  const auto* w = static_cast<const typename W::T*>(a.w) + c;
  for (int64_t i = 0; i < a.K; ++i, w += a.w_stride) {
    constexpr int turns = RV / W::kVectors;
    typename W::Raw raw[turns];
    unroll<turns>(HADAL_EACH(r) { raw[r] = W::read(w + r * W::kVectors * kLanes); });
    F32 wv[RV];
    unroll<RV>(HADAL_EACH(v) { wv[v] = W::template vector<v % W::kVectors>(raw[v / W::kVectors]); });
    unroll<RM>(HADAL_EACH(m) {
      const F32 xv = set1(x[m][i]);
      unroll<RV>(HADAL_EACH(v) { acc[m][v] = fma(xv, wv[v], acc[m][v]); });
    });
  }
  unroll<RM>(HADAL_EACH(m) {
    unroll<RV>(HADAL_EACH(v) { store(a.out[m0 + m] + c + v * kLanes, acc[m][v]); });
  });
}

// The columns behind the last whole turn.
template <typename W>
void outer_tail(const OuterArgs& a, int64_t m, int64_t c) {
  const auto* w = static_cast<const typename W::T*>(a.w) + c;
  for (int64_t i = 0; i < a.K; ++i, w += a.w_stride) {
    const F32 xv = set1(a.x[m][i]);
    each_vector<W>(w, a.N - c, [&](int64_t first, F32 wv, int64_t n) {
      float* y = a.out[m] + c + first;
      store_part(y, fma(xv, wv, load_part(y, n)), n);
    });
  }
}

template <typename W, int RM>
void outer_columns(const OuterArgs& a, int64_t m0) {
  constexpr int RV = W::kVectors == 1 ? (RM <= 2 ? 4 : 2) : W::kVectors;
  int64_t c = 0;
  for (; c + RV * kLanes <= a.N; c += RV * kLanes) outer_tile<W, RM, RV>(a, m0, c);
  if (c < a.N)
    for (int m = 0; m < RM; ++m) outer_tail<W>(a, m0 + m, c);
}

template <typename W>
void outer(const OuterArgs& a) {
  constexpr int most = outer_rows<W>();
  int64_t m = 0;
  for (; m + most <= a.M; m += most) outer_columns<W, most>(a, m);
  for (; m + 4 <= a.M; m += 4) outer_columns<W, 4>(a, m);
  for (; m + 2 <= a.M; m += 2) outer_columns<W, 2>(a, m);
  if (m < a.M) outer_columns<W, 1>(a, m);
}

}  // namespace
}  // namespace hadal::cpu
