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

// Columns [c, c + columns) of the rows of one head that hold keys; each row has one scale there.
struct Block {
  const char* weights;
  DType dtype;
  int64_t stride, c, columns;
};

Block block_of(const Matrix& w, int64_t row, int64_t c) {
  const int64_t columns = w.scale ? std::min(w.block_columns, w.K - c) : w.K;
  const auto* weights = static_cast<const char*>(w.row(row)) + c * static_cast<int64_t>(dtype_size(w.dtype));
  return {weights, w.dtype, w.K, c, columns};
}

// The same block in F32, for the many tokens that will meet it.
Block convert(const Kernels& leaf, const Block& b, int64_t rows) {
  thread_local std::vector<float> memory;
  memory.resize(static_cast<size_t>(rows * b.columns));
  const int64_t row_bytes = b.stride * static_cast<int64_t>(dtype_size(b.dtype));
  for (int64_t i = 0; i < rows; ++i)
    leaf.convert_row[static_cast<int>(b.dtype)](memory.data() + i * b.columns, b.weights + i * row_bytes, b.columns);
  return {reinterpret_cast<const char*>(memory.data()), DType::F32, b.columns, b.c, b.columns};
}

// out[t, h, columns of b] for tokens [t0, t0 + count): queries times scale by the rows of b.
void absorb(const Kernels& leaf, const OpCall& call, const Matrix& w, const Block& b, int64_t h, int64_t t0,
            int64_t count) {
  thread_local std::vector<float> scaled;
  const auto dn = static_cast<int64_t>(call.attribute(0)), dv = static_cast<int64_t>(call.attribute(1));
  scaled.resize(static_cast<size_t>(count * dn));
  const float factor = b.dtype == DType::F8_E4M3 ? leaf.e4m3_factor : 1.0f;
  float* out[kTokens];
  const float* x[kTokens];
  for (int64_t t = 0; t < count; ++t) {
    x[t] = query(call, t0 + t, h);
    out[t] = output(call, t0 + t, h) + b.c;
    std::fill(out[t], out[t] + b.columns, 0.0f);
    if (!w.scale) continue;
    float* q = scaled.data() + t * dn;
    for (int64_t i = 0; i < dn; ++i)
      q[i] = x[t][i] * (w.scale_row(h * (dn + dv) + i)[b.c / w.block_columns] * factor);
    x[t] = q;
  }
  leaf.outer[static_cast<int>(b.dtype)]({out, x, b.weights, b.stride, count, b.columns, dn});
}

void fast(Context& context, const OpCall& call) {
  const Matrix w = weight(call);
  const auto dn = static_cast<int64_t>(call.attribute(0)), dv = static_cast<int64_t>(call.attribute(1));
  const int64_t T = call[1].shape[0];
  const Kernels& leaf = leaves(context);
  context.pool.parallel_for(call[1].shape[1], 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t h = begin; h < end; ++h) {
      for (int64_t c = 0; c < w.K; c += w.scale ? w.block_columns : w.K) {
        Block b = block_of(w, h * (dn + dv), c);
        if (T >= kConvertFrom && w.dtype != DType::F32) b = convert(leaf, b, dn);
        for (int64_t t = 0; t < T; t += kTokens) absorb(leaf, call, w, b, h, t, std::min(kTokens, T - t));
      }
    }
  });
}

}  // namespace

const HostOp mla_absorb_query_op = {kName, 3, 4, 1, 4, check, reference, fast};

}  // namespace hadal::cpu
