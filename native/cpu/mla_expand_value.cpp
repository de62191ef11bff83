// mla_expand_value: out[t,h,j] = Σ_l u[t,h,l] · W[h·(dn+dv)+dn+j, l]: the value half of kv_b applied to what
// attention summed over the latent cache.
#include "core/check.h"
#include "cpu/ops.h"
#include "cpu/product.h"

namespace hadal::cpu {

namespace {

constexpr const char* kName = "mla_expand_value";

void check(const OpCall& call) {
  const int64_t dn = whole_attribute(call, kName, 0, "dn", 1, 1 << 16);
  const int64_t dv = whole_attribute(call, kName, 1, "dv", 1, 1 << 16);
  expect_tensor(call, kName, 1, "u", kFloat, {-1, -1, -1});
  expect_tensor(call, kName, 0, "out", kFloat, {call[1].shape[0], call[1].shape[1], dv});
  expect_weight(call, kName, 2, 3, call[1].shape[1] * (dn + dv), call[1].shape[2], 2);
}

Matrix weight(const OpCall& call) {
  return matrix_of(call[2], call.has(3) ? &call[3] : nullptr, static_cast<int64_t>(call.attribute(2)),
                   static_cast<int64_t>(call.attribute(3)));
}

const float* input(const OpCall& call, int64_t t, int64_t h) {
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
      for (int64_t j = 0; j < dv; ++j) {
        double sum = 0;
        const int64_t row = h * (dn + dv) + dn + j;
        for (int64_t l = 0; l < w.K; ++l) sum += static_cast<double>(input(call, t, h)[l]) * w.at(row, l);
        output(call, t, h)[j] = static_cast<float>(sum);
      }
    }
  }
}

void fast(Context& context, const OpCall& call) {
  const Matrix w = weight(call);
  const auto dn = static_cast<int64_t>(call.attribute(0)), dv = static_cast<int64_t>(call.attribute(1));
  const int64_t T = call[1].shape[0], H = call[1].shape[1];
  if (T == 0) return;
  const size_t pointers = static_cast<size_t>(T * H);
  auto** out = static_cast<float**>(context.scratch(2 * pointers * sizeof(float*)));
  auto** in = const_cast<const float**>(out + pointers);
  const Kernels& leaf = leaves(context);
  context.pool.parallel_for(H, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t h = begin; h < end; ++h) {
      const int64_t row = h * (dn + dv) + dn;
      for (int64_t t = 0; t < T; ++t) {
        out[h * T + t] = output(call, t, h) - row;  // multiply_rows counts weight rows from the matrix's start
        in[h * T + t] = input(call, t, h);
      }
      multiply_rows(leaf, w, row, row + dv, out + h * T, {in + h * T}, T);
    }
  });
}

}  // namespace

const HostOp mla_expand_value_op = {kName, 3, 4, 1, 4, check, reference, fast};

}  // namespace hadal::cpu
