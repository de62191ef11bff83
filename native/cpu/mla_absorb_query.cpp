// mla_absorb_query: out[t,h,:] = Σ_i q[t,h,i] · W[h·(dn+dv)+i, :] for i < dn: the key half of kv_b folded
// into the query, so that attention runs on the latent cache (V2 paper §2.1.2).
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

void fast(Context& context, const OpCall& call) {
  const Matrix w = weight(call);
  const auto dn = static_cast<int64_t>(call.attribute(0)), dv = static_cast<int64_t>(call.attribute(1));
  const int64_t T = call[1].shape[0];
  const Kernels& leaf = leaves(context);
  const int type = static_cast<int>(w.dtype);
  context.pool.parallel_for(call[1].shape[1], 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t h = begin; h < end; ++h) {
      for (int64_t t = 0; t < T; ++t)
        for (int64_t l = 0; l < w.K; ++l) output(call, t, h)[l] = 0;
      // Weight rows outermost: each is read once and added to all tokens while it is in cache.
      for (int64_t i = 0; i < dn; ++i) {
        const int64_t row = h * (dn + dv) + i;
        for (int64_t t = 0; t < T; ++t)
          leaf.axpy_row[type](output(call, t, h), query(call, t, h)[i], w.row(row), w.scale_row(row),
                              w.block_columns, w.K);
      }
    }
  });
}

}  // namespace

const HostOp mla_absorb_query_op = {kName, 3, 4, 1, 4, check, reference, fast};

}  // namespace hadal::cpu
