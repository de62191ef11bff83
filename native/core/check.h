// Shape checks that the ops of all backends share. A failure names the op, the argument, what was expected and what came.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>

#include "core/op.h"
#include "core/status.h"

namespace hadal {

// Expects argument i to be one tensor of this dtype and shape; −1 in the shape matches any extent.
void expect_tensor(const OpCall& call, const char* op, size_t i, const char* name,
                   std::initializer_list<DType> dtypes, std::initializer_list<int64_t> shape);
// The same, and contiguous (weights, scales, index tensors).
void expect_dense(const OpCall& call, const char* op, size_t i, const char* name,
                  std::initializer_list<DType> dtypes, std::initializer_list<int64_t> shape);
// A weight [rows, columns] with its scale, present exactly when the weight is FP8.
void expect_weight(const OpCall& call, const char* op, size_t weight, size_t scale, int64_t rows,
                   int64_t columns, size_t first_attribute);
void expect_scale(const Tensor& scale, const char* op, int64_t rows, int64_t columns, int64_t block_rows,
                  int64_t block_columns);
// An attribute that must be a whole number in [low, high].
int64_t whole_attribute(const OpCall& call, const char* op, size_t i, const char* name, int64_t low,
                        int64_t high);
void expect_finite(const OpCall& call, const char* op, size_t i, const char* name);
// Every value of an index tensor lies in [low, high).
void expect_indices(const Tensor& t, const char* op, const char* name, int64_t low, int64_t high);

inline constexpr std::initializer_list<DType> kFloat = {DType::F32};
inline constexpr std::initializer_list<DType> kInt = {DType::I32};
inline constexpr std::initializer_list<DType> kWeight = {DType::F32, DType::BF16, DType::F16};
inline constexpr std::initializer_list<DType> kAnyWeight = {DType::F32, DType::BF16, DType::F16,
                                                            DType::F8_E4M3};
inline constexpr std::initializer_list<DType> kCache = {DType::F32, DType::BF16, DType::F16};

}  // namespace hadal
