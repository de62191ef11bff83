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

// norm.cpp
extern const CudaOp add_rms_norm_op;
extern const CudaOp rms_norm_op;
// routing.cpp
extern const CudaOp gated_top_k_op;

}  // namespace hadal::cuda
