// The ops of ops.cpp, one file per family in this folder. An op is checked when it is recorded by its shapes, which
// mean what the CPU's check means, and by running its launcher on a queue that starts nothing: whatever the launcher
// would refuse in a step is refused then.
#pragma once

#include "core/check.h"
#include "cuda/ops.h"

namespace hadal::cuda {

// Activations: the same in all tensors of an op unless it says more.
inline constexpr std::initializer_list<DType> kActivation = {DType::BF16, DType::F32};

template <void (*shapes)(const OpCall&), void (*run)(Context&, const OpCall&)>
void check_op(const OpCall& call) {
  shapes(call);
  Context nothing_runs{checking_queue(), nullptr};
  run(nothing_runs, call);
}

template <void (*shapes)(const OpCall&), void (*run)(Context&, const OpCall&)>
constexpr CudaOp make_op(const char* name, uint32_t min_arguments, uint32_t max_arguments, uint32_t outputs,
                         uint32_t attributes) {
  return {{name, min_arguments, max_arguments, outputs, attributes, check_op<shapes, run>}, run};
}

// An extent or attribute as the kernels' params have it; throws where it does not fit.
inline int32_t small(const char* op, int64_t value) {
  HADAL_EXPECT(value >= INT32_MIN && value <= INT32_MAX, "%s: expected sizes of 32 bits on CUDA, got %lld", op,
               static_cast<long long>(value));
  return static_cast<int32_t>(value);
}

// The elements between two rows of a view whose first dimensions count them together, [T, K, F] as [T·K, F].
inline int64_t row_stride(const char* op, const Tensor& t) {
  const int64_t stride = t.strides[t.rank - 2];
  for (int32_t d = t.rank - 3; d >= 0; --d)
    HADAL_EXPECT(t.shape[d] <= 1 || t.strides[d] == t.shape[d + 1] * t.strides[d + 1],
                 "%s: expected rows at one distance on CUDA, got %s with strides %lld and %lld", op,
                 t.describe().c_str(), static_cast<long long>(t.strides[d]), static_cast<long long>(t.strides[d + 1]));
  return stride;
}

// dense.cpp
extern const CudaOp swiglu_op;
// embed.cpp
extern const CudaOp add_op;
extern const CudaOp copy_op;
extern const CudaOp embed_tokens_op;
// norm.cpp
extern const CudaOp add_rms_norm_op;
extern const CudaOp rms_norm_op;
// position.cpp
extern const CudaOp rope_op;
extern const CudaOp write_kv_op;
// routing.cpp
extern const CudaOp combine_experts_op;
extern const CudaOp gated_top_k_op;
extern const CudaOp permute_tokens_op;
// sampling.cpp
extern const CudaOp gather_rows_op;
extern const CudaOp sample_op;

}  // namespace hadal::cuda
