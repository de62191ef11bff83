// The leaves that are compiled once per instruction set: plain functions over rows of floats. The files
// avx2.cpp and avx512.cpp may hold nothing else that has external linkage, because their code must never
// be entered on a CPU without those instructions.
//
// Order of additions (the basis of batch invariance): every sum runs over one accumulator per vector lane,
// in ascending order, the last partial vector padded with zeros, then over the lanes in a fixed tree. The
// scales of FP8 weights multiply x before. The order depends on the instruction set and the length alone.
#pragma once

#include <cstdint>

namespace hadal::cpu {

// A block of a product: out[m][n] = Σ_k x[m][k] · w[n][k], for rows given by pointer.
struct GemmArgs {
  float* const* out;      // [M], each points at the output of weight row 0 of this call
  const float* const* x;  // [M][K]; E4M3: rows that scale_blocks wrote
  const void* w;          // [N, K], rows w_stride elements apart
  int64_t w_stride;
  int64_t M, N, K;
};

// out[m][c] += Σ_i x[m][i] · w[i][c]
struct OuterArgs {
  float* const* out;      // [M][N]
  const float* const* x;  // [M][K]; E4M3: times scale and kE4M3Factor
  const void* w;          // [K, N], rows w_stride elements apart
  int64_t w_stride;
  int64_t M, N, K;
};

// gemm with x as BF16 rows that PairKernels::pack wrote.
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
  // Rows that are in cache as F32; FP8: from convert_codes, K up to whole multiples of 64. The same bits.
  void (*gemm_converted)(const GemmArgs&);
  void (*outer[4])(const OuterArgs&);
  // f32 from a row of weights, without scales.
  void (*convert_row[4])(float* y, const void* w, int64_t n);
  void (*convert_codes)(float* y, const uint8_t* w, int64_t n);
  // y = x times the scale of each block of columns and what the E4M3 forms want, zeros up to a multiple of 64.
  void (*scale_blocks)(float* y, const float* x, const float* scale, int64_t block_columns, int64_t n);
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
  float e4m3_factor;         // what scale_blocks multiplies by beside the scale
  const PairKernels* pairs;  // null where the CPU has no BF16 products
};

const Kernels& portable_kernels();
const Kernels& avx2_kernels();
const Kernels& avx512_kernels();
const Kernels& avx512vbmi_kernels();
const Kernels& avx512bf16_kernels();

}  // namespace hadal::cpu
