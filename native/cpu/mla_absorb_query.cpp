// mla_absorb_query: out[t,h,:] = Σ_i q[t,h,i] · W[h·(dn+dv)+i, :] for i < dn: the key half of kv_b folded
// into the query, so that attention runs on the latent cache (V2 paper §2.1.2).
#include <algorithm>
#include <vector>

#include "core/check.h"
#include "cpu/ops.h"
#include "cpu/product.h"

namespace hadal::cpu {

namespace {

constexpr const char* kName = "mla_absorb_query";

void check(const OpCall& call) {
  const int64_t dn = whole_attribute(call, kName, 0, "dn", 1, 1 << 16);
  const int64_t dv = whole_attribute(call, kName, 1, "dv", 1, 1 << 16);
  expect_tensor(call, kName, 1, "q_nope", kFloat, {-1, -1, dn});
  expect_tensor(call, kName, 0, "out", kFloat, {call[1].shape[0], call[1].shape[1], -1});
  expect_weight(call, kName, 2, 3, call[1].shape[1] * (dn + dv), call[0].shape[2], 2);
}

Matrix weight(const OpCall& call) {
  return matrix_of(call[2], call.has(3) ? &call[3] : nullptr, static_cast<int64_t>(call.attribute(2)),
                   static_cast<int64_t>(call.attribute(3)));
}

const float* query(const OpCall& call, int64_t t, int64_t h) {
  return call[1].row<float>(t) + h * call[1].strides[1];
}

float* output(const OpCall& call, int64_t t, int64_t h) {
  return call[0].row<float>(t) + h * call[0].strides[1];
}

void reference(Context&, const OpCall& call) {
  const Matrix w = weight(call);
  const auto dn = static_cast<int64_t>(call.attribute(0)), dv = static_cast<int64_t>(call.attribute(1));
  for (int64_t t = 0; t < call[1].shape[0]; ++t) {
    for (int64_t h = 0; h < call[1].shape[1]; ++h) {
      for (int64_t l = 0; l < w.K; ++l) {
        double sum = 0;
        for (int64_t i = 0; i < dn; ++i) sum += static_cast<double>(query(call, t, h)[i]) * w.at(h * (dn + dv) + i, l);
        output(call, t, h)[l] = static_cast<float>(sum);
      }
    }
  }
}

constexpr int64_t kConvertFrom = 8;  // tokens from which converting the weights first pays
constexpr int64_t kTokens = 64;      // whose queries are scaled at a time

// The rows of one head that hold keys, as they lie there or in F32 for the many tokens that will meet them.
struct Keys {
  const char* weights;
  DType dtype;
  int64_t stride;
};

Keys keys_of(const Kernels& leaf, const Matrix& w, int64_t row, int64_t count, int64_t tokens) {
  if (tokens < kConvertFrom || w.dtype == DType::F32) return {static_cast<const char*>(w.row(row)), w.dtype, w.K};
  thread_local std::vector<float> memory;
  const int64_t stride = w.K + 16;  // no multiple of 4 KB, where the first-level cache would run out of places
  memory.resize(static_cast<size_t>(count * stride));
  for (int64_t i = 0; i < count; ++i)
    leaf.convert_row[static_cast<int>(w.dtype)](memory.data() + i * stride, w.row(row + i), w.K);
  return {reinterpret_cast<const char*>(memory.data()), DType::F32, stride};
}

// Columns [c, c + columns) of the keys that begin at `row`; each row has one scale there.
struct Block {
  int64_t row, c, columns;
};

// out[t, h, columns] for tokens [t0, t0 + count): queries times scale by the keys.
void absorb(const Kernels& leaf, const OpCall& call, const Matrix& w, const Keys& keys, Block b, int64_t h, int64_t t0,
            int64_t count) {
  thread_local std::vector<float> scaled;
  const auto dn = static_cast<int64_t>(call.attribute(0));
  scaled.resize(static_cast<size_t>((kTokens + 1) * dn));
  float* const scale = scaled.data() + kTokens * dn;
  const float factor = keys.dtype == DType::F8_E4M3 ? leaf.e4m3_factor : 1.0f;
  for (int64_t i = 0; i < dn && w.scale; ++i) scale[i] = w.scale_row(b.row + i)[b.c / w.block_columns] * factor;
  float* out[kTokens];
  const float* x[kTokens];
  for (int64_t t = 0; t < count; ++t) {
    x[t] = query(call, t0 + t, h);
    out[t] = output(call, t0 + t, h) + b.c;
    std::fill(out[t], out[t] + b.columns, 0.0f);
    if (!w.scale) continue;
    float* q = scaled.data() + t * dn;
    for (int64_t i = 0; i < dn; ++i) q[i] = x[t][i] * scale[i];
    x[t] = q;
  }
  const char* weights = keys.weights + b.c * static_cast<int64_t>(dtype_size(keys.dtype));
  leaf.outer[static_cast<int>(keys.dtype)]({out, x, weights, keys.stride, count, b.columns, dn});
}

void fast(Context& context, const OpCall& call) {
  const Matrix w = weight(call);
  const auto dn = static_cast<int64_t>(call.attribute(0)), dv = static_cast<int64_t>(call.attribute(1));
  const int64_t T = call[1].shape[0], step = w.scale ? w.block_columns : w.K;
  const Kernels& leaf = leaves(context);
  context.pool.parallel_for(call[1].shape[1], 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t h = begin; h < end; ++h) {
      const int64_t row = h * (dn + dv);
      const Keys keys = keys_of(leaf, w, row, dn, T);
      for (int64_t t = 0; t < T; t += kTokens)
        for (int64_t c = 0; c < w.K; c += step)
          absorb(leaf, call, w, keys, {row, c, std::min(step, w.K - c)}, h, t, std::min(kTokens, T - t));
    }
  });
}

}  // namespace

const HostOp mla_absorb_query_op = {kName, 3, 4, 1, 4, check, reference, fast};

}  // namespace hadal::cpu
