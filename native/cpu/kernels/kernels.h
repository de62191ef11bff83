// The leaves that are compiled once per instruction set: plain functions over rows of floats. The files
// avx2.cpp and avx512.cpp may hold nothing else that has external linkage, because their code must never
// be entered on a CPU without those instructions.
//
// Order of additions (the basis of batch invariance): every sum runs over one accumulator per vector lane,
// in ascending order, the last partial vector padded with zeros, then over the lanes in a fixed tree. FP8
// products sum each block of columns by itself and add it times its scale. The order depends on the
// instruction set and the length alone.
#pragma once

#include <cstdint>

namespace hadal::cpu {

// A block of a product: out[m][n] = bias[n] + Σ_k x[m][k] · w[n][k], for rows given by pointer.
struct GemmArgs {
  float* const* out;      // [M], each points at the output of weight row 0 of this call
  const float* const* x;  // [M][K]
  const void* w;          // [N, K], rows w_stride elements apart
  int64_t w_stride;
  const float* scale;     // FP8: scale of weight row 0's block row; null otherwise
  int64_t scale_stride;   // FP8: floats from one block row to the next
  int64_t first_row;      // FP8: absolute index of weight row 0, to find its block row
  int64_t block_rows;     // FP8: rows of a scale block
  int64_t block_columns;  // FP8: columns of a scale block
  int64_t M, N, K;
};

// The same with x as BF16 rows that PairKernels::pack wrote.
struct PairArgs {
  float* const* out;
  const uint16_t* const* x;  // [M][K up to whole multiples of 64]
  const void* w;
  int64_t w_stride;
  const float* scale;
  int64_t scale_stride, first_row, block_rows, block_columns;  // block_columns: a multiple of 64
  int64_t M, N, K;
};

// Products of BF16 by BF16 into F32, for CPUs that have them. x is rounded to BF16 once for a product, FP8
// and BF16 weights are exact (BF16 subnormals count as zero).
struct PairKernels {
  void (*gemm_bf16)(const PairArgs&);       // w BF16, x packed in natural order
  void (*gemm_e4m3)(const PairArgs&);       // w E4M3, x packed in code order
  void (*gemm_converted)(const PairArgs&);  // w from convert_codes: the same bits as gemm_e4m3
  // n floats to BF16, zeros up to a multiple of 64; `codes`: in the order that the E4M3 forms want.
  void (*pack)(uint16_t* y, const float* x, int64_t n, bool codes);
  void (*convert_codes)(uint16_t* y, const uint8_t* w, int64_t n);
};

struct Kernels {
  const char* name;
  // Indexed by DType: F32, BF16, F16, F8_E4M3.
  void (*gemm[4])(const GemmArgs&);
  // FP8 weights already converted to F32 by convert_row: the same bits as gemm[F8_E4M3].
  void (*gemm_converted)(const GemmArgs&);
  // y[i] += a · W[i], one weight row of n columns; FP8 multiplies by the block's scale.
  void (*axpy_row[4])(float* y, float a, const void* w, const float* scale, int64_t block_columns,
                      int64_t n);
  // f32 from a row of weights, without scales.
  void (*convert_row[4])(float* y, const void* w, int64_t n);
  float (*dot)(const float* x, const float* y, int64_t n);
  float (*sum_squares)(const float* x, int64_t n);
  float (*max)(const float* x, int64_t n);  // −inf for n = 0; a NaN may be skipped
  void (*axpy)(float* y, float a, const float* x, int64_t n);
  void (*scale)(float* y, float a, const float* x, int64_t n);          // y = a·x
  void (*scale_mul)(float* y, float a, const float* x, const float* w, int64_t n);  // y = a·x·w
  void (*add)(float* y, const float* a, const float* b, int64_t n);
  void (*swiglu)(float* y, const float* gate, const float* up, int64_t n);  // silu(gate)·up
  // y[i] = exp(x[i] − shift); returns Σ y.
  float (*exp_shift_sum)(float* y, const float* x, float shift, int64_t n);
  void (*to_bf16)(uint16_t* y, const float* x, int64_t n);  // round to nearest even
  void (*to_f16)(uint16_t* y, const float* x, int64_t n);   // the same, saturating at ±65504
  const PairKernels* pairs;  // null where the CPU has no BF16 products
};

const Kernels& portable_kernels();
const Kernels& avx2_kernels();
const Kernels& avx512_kernels();
const Kernels& avx512vbmi_kernels();
const Kernels& avx512bf16_kernels();

}  // namespace hadal::cpu
