// out[T,n] = x[T,k]·Wᵀ + bias: what matmul and fp8_matmul share.
#pragma once

#include "cpu/product.h"

namespace hadal::cpu {

// bias: null, or a tensor of n weights.
void matmul_reference(const Tensor& out, const Tensor& x, const Matrix& w, const Tensor* bias);
void matmul_fast(Context& context, const Tensor& out, const Tensor& x, const Matrix& w, const Tensor* bias);

}  // namespace hadal::cpu
