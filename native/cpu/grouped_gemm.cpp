// grouped_gemm: out[p] = x[p / K or p]·W_eᵀ for every pair p of a token and one of its experts e.
// All active experts share one parallel region, so a small expert does not leave threads idle. x is rounded to
// BF16 where the CPU has BF16 products (see round_rows).
#include <algorithm>

#include "core/check.h"
#include "cpu/ops.h"
#include "cpu/product.h"

namespace hadal::cpu {

namespace {

constexpr const char* kName = "grouped_gemm";

void check(const OpCall& call) {
  expect_tensor(call, kName, 0, "out", kFloat, {-1, -1, -1});
  const int64_t T = call[0].shape[0], K = call[0].shape[1], n = call[0].shape[2];
  const Tensor& x = call[1];
  if (x.rank == 3) expect_tensor(call, kName, 1, "x", kFloat, {T, K, -1});
  else expect_tensor(call, kName, 1, "x", kFloat, {T, -1});
  const int64_t k = x.shape[x.rank - 1];
  HADAL_EXPECT(call.has(4), "%s: weights: expected one per expert, got none", kName);
  const auto E = static_cast<int64_t>(call.args[4].size());
  expect_dense(call, kName, 2, "offsets", kInt, {E + 1});
  expect_dense(call, kName, 3, "rows", kInt, {T, K});
  const bool fp8 = call[4].dtype == DType::F8_E4M3;
  const size_t scales = call.has(5) ? call.args[5].size() : 0;
  HADAL_EXPECT(scales == (fp8 ? call.args[4].size() : 0), "%s: scales: expected %zu, got %zu", kName,
               fp8 ? call.args[4].size() : size_t{0}, scales);
  const int64_t bn = whole_attribute(call, kName, 0, "block rows", 1, 1 << 20);
  const int64_t bk = whole_attribute(call, kName, 1, "block columns", 1, 1 << 20);
  for (int64_t e = 0; e < E; ++e) {
    const Tensor& w = call.args[4][e];
    const bool typed = w.dtype == call[4].dtype && (fp8 || w.dtype == DType::F32 || w.dtype == DType::BF16 ||
                                                    w.dtype == DType::F16);
    HADAL_EXPECT(typed && w.rank == 2 && w.shape[0] == n && w.shape[1] == k && w.contiguous(),
                 "%s: weight of expert %lld: expected [%lld, %lld] contiguous of one weight dtype, got %s", kName,
                 static_cast<long long>(e), static_cast<long long>(n), static_cast<long long>(k),
                 w.describe().c_str());
    if (fp8) expect_scale(call.args[5][e], kName, n, k, bn, bk);
  }
}

Matrix expert(const OpCall& call, int64_t e) {
  return matrix_of(call.args[4][e], call.has(5) ? &call.args[5][e] : nullptr,
                   static_cast<int64_t>(call.attribute(0)), static_cast<int64_t>(call.attribute(1)));
}

// Offsets ascend from 0 to T·K and rows name pairs; both come from permute_tokens but are data all the same.
void validate(const OpCall& call) {
  const int64_t pairs = call[0].shape[0] * call[0].shape[1];
  const auto* offsets = call[2].as<int32_t>();
  const int64_t E = call[2].shape[0] - 1;
  for (int64_t e = 0; e < E; ++e)
    HADAL_EXPECT(offsets[e] >= 0 && offsets[e] <= offsets[e + 1] && offsets[e + 1] <= pairs,
                 "%s: offsets[%lld]: expected ascending values up to %lld, got %d, %d", kName,
                 static_cast<long long>(e), static_cast<long long>(pairs), offsets[e], offsets[e + 1]);
  expect_indices(call[3], kName, "rows", 0, pairs);
}

// Row of x that pair p multiplies, and where rows of x lie.
int64_t input_index(const OpCall& call, int64_t pair) { return call[1].rank == 2 ? pair / call[0].shape[1] : pair; }

const float* input_row(const OpCall& call, int64_t index) {
  const Tensor& x = call[1];
  if (x.rank == 2) return x.row<float>(index);
  const int64_t K = call[0].shape[1];
  return x.row<float>(index / K) + index % K * x.strides[1];
}

float* output_row(const OpCall& call, int64_t pair) {
  const int64_t K = call[0].shape[1];
  return call[0].row<float>(pair / K) + pair % K * call[0].strides[1];
}

void reference(Context&, const OpCall& call) {
  validate(call);
  const auto* offsets = call[2].as<int32_t>();
  const auto* pairs = call[3].as<int32_t>();
  for (int64_t e = 0; e + 1 < call[2].shape[0]; ++e) {
    const Matrix w = expert(call, e);
    for (int64_t i = offsets[e]; i < offsets[e + 1]; ++i) {
      const float* x = input_row(call, input_index(call, pairs[i]));
      for (int64_t n = 0; n < w.N; ++n) {
        double sum = 0;
        for (int64_t k = 0; k < w.K; ++k) sum += static_cast<double>(x[k]) * w.at(n, k);
        output_row(call, pairs[i])[n] = static_cast<float>(sum);
      }
    }
  }
}

struct Task {
  int64_t expert, begin, end;  // weight rows [begin, end)
};

// The rows of x in the order of the pairs, each readied once whatever the number of its experts.
Rows sorted_rows(Context& context, const OpCall& call, const Matrix& shape) {
  const int64_t count = call[1].rank == 2 ? call[1].shape[0] : call[1].shape[0] * call[1].shape[1];
  auto** x = static_cast<const float**>(context.scratch(static_cast<size_t>(count) * sizeof(float*)));
  for (int64_t i = 0; i < count; ++i) x[i] = input_row(call, i);
  const Rows rows = round_rows(context, shape, x, count);
  const auto* order = call[3].as<int32_t>();
  const int64_t pairs = call[2].as<int32_t>()[call[2].shape[0] - 1];
  return arrange_rows(context, rows, pairs, [&](int64_t i) { return input_index(call, order[i]); });
}

void fast(Context& context, const OpCall& call) {
  validate(call);
  const int64_t pairs = call[0].shape[0] * call[0].shape[1];
  const int64_t E = call[2].shape[0] - 1;
  if (pairs == 0) return;
  const auto* offsets = call[2].as<int32_t>();
  const auto* order = call[3].as<int32_t>();
  const Matrix shape = expert(call, 0);
  const int64_t chunk = task_rows(shape), chunks = (shape.N + chunk - 1) / chunk;
  const Rows in = sorted_rows(context, call, shape);
  auto** out = static_cast<float**>(context.scratch(static_cast<size_t>(pairs) * sizeof(float*)));
  auto* tasks = static_cast<Task*>(context.scratch(static_cast<size_t>(E * chunks) * sizeof(Task)));
  for (int64_t i = 0; i < offsets[E]; ++i) out[i] = output_row(call, order[i]);
  int64_t count = 0;
  for (int64_t e = 0; e < E; ++e)
    for (int64_t c = 0; c < chunks && offsets[e] < offsets[e + 1]; ++c)
      tasks[count++] = {e, c * chunk, std::min((c + 1) * chunk, shape.N)};
  const Kernels& leaf = leaves(context);
  context.pool.parallel_for(count, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = offsets[tasks[i].expert], last = offsets[tasks[i].expert + 1];
      multiply_rows(leaf, expert(call, tasks[i].expert), tasks[i].begin, tasks[i].end, out + first, in.from(first),
                    last - first);
    }
  });
}

}  // namespace

const HostOp grouped_gemm_op = {kName, 5, 6, 1, 2, check, reference, fast};

}  // namespace hadal::cpu
