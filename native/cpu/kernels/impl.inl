// The leaves over the vector wrapper of the including file. Everything here has internal linkage.
#include "cpu/kernels/weights.inl"

#include "cpu/kernels/gemm.inl"
#include "cpu/kernels/outer.inl"

namespace hadal::cpu {
namespace {

// Applies f to vectors of up to three rows, the tail through padded copies.
template <typename F>
inline void map(float* y, const float* a, const float* b, int64_t n, F f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, f(load(a + i), load(b + i)));
  if (i == n) return;
  float padded[kLanes];
  store(padded, f(load_part(a + i, n - i), load_part(b + i, n - i)));
  memcpy(y + i, padded, static_cast<size_t>(n - i) * sizeof(float));
}

template <typename W>
void convert_row(float* y, const void* row, int64_t n) {
  const F32 factor = set1(W::kScaled ? kE4M3Factor : 1.0f);
  each_vector<W>(static_cast<const typename W::T*>(row), n, [&](int64_t i, F32 w, int64_t count) __attribute__((always_inline)) {
    store_part(y + i, W::kScaled ? mul(w, factor) : w, count);
  });
}

// For E4M3 as the products read it: without the factor, zeros up to whole turns of 64.
void convert_codes(float* y, const uint8_t* w, int64_t n) {
  const auto into = [y](int64_t first) {
    return [y, first](int64_t i, F32 v, int64_t) __attribute__((always_inline)) { store(y + first + i, v); };
  };
  int64_t k = 0;
  for (; k + 64 <= n; k += 64) {
    __builtin_prefetch(w + k + kAhead, 0, 3);
    each_vector<WE4M3>(w + k, 64, into(k));
  }
  if (k == n) return;
  uint8_t padded[64] = {};
  memcpy(padded, w + k, static_cast<size_t>(n - k));
  each_vector<WE4M3>(padded, 64, into(k));
}

void scale_blocks(float* y, const float* x, const float* scale, int64_t block, int64_t n) {
  for (int64_t begin = 0, b = 0; begin < n; begin += block, ++b) {
    const F32 factor = set1(scale[b] * kE4M3Factor);
    const int64_t end = begin + block < n ? begin + block : n;
    for (int64_t i = begin; i < end; i += kLanes) {
      const int64_t count = end - i < kLanes ? end - i : kLanes;
      store_part(y + i, mul(load_part(x + i, count), factor), count);
    }
  }
  for (int64_t i = n; i % 64 != 0; ++i) y[i] = 0;
}

float dot(const float* x, const float* y, int64_t n) {
  F32 acc = zero();
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) acc = fma(load(x + i), load(y + i), acc);
  if (i < n) acc = fma(load_part(x + i, n - i), load_part(y + i, n - i), acc);
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
    store(padded, exp(add(load_part(x + i, n - i), sv)));
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
  store_bf16(padded, load_part(x + i, n - i));
  memcpy(y + i, padded, static_cast<size_t>(n - i) * sizeof(uint16_t));
}

void to_f16(uint16_t* y, const float* x, int64_t n) {
  // The bound comes first, so that a NaN in x survives both operations.
  const auto bounded = [](F32 v) { return min(set1(65504.0f), max(set1(-65504.0f), v)); };
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store_f16(y + i, bounded(load(x + i)));
  if (i == n) return;
  uint16_t padded[kLanes];
  store_f16(padded, bounded(load_part(x + i, n - i)));
  memcpy(y + i, padded, static_cast<size_t>(n - i) * sizeof(uint16_t));
}

const Kernels table = {
    kName,
    {gemm<WF32>, gemm<WBF16>, gemm<WF16>, gemm<WE4M3>},
    gemm<WConverted>,
    {outer<WF32>, outer<WBF16>, outer<WF16>, outer<WE4M3>},
    {convert_row<WF32>, convert_row<WBF16>, convert_row<WF16>, convert_row<WE4M3>},
    convert_codes,
    scale_blocks,
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
    kE4M3Factor,
    nullptr,
};

}  // namespace
}  // namespace hadal::cpu
