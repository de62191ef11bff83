// write_mla_kv on CUDA: what MLA keeps of a token, in one kernel: the latent (normalised before) and the rotary key,
// turned here, into row slots[t] of the paged cache; on a model's step this replaces rope of the key and write_kv.
//
// A row of a BF16 cache is [latent L | rotary R]. A row of an FP8 cache is, in bytes,
//   L        E4M3 codes of the latent, by groups of 128 (quantize/scales.h)
//   4·L/128  their F32 scales
//   2·R      the rotary key in BF16, never quantised: positions live in it
// 656 bytes at L 512, R 64, against 1152: fields and rows all start on 16 bytes there.
#pragma once

#include "cuda/quantize/scales.h"
#include "cuda/rope/rope.h"

namespace hadal::cuda {

constexpr int64_t mla_fp8_row_bytes(int64_t latent, int64_t rotary) {
  return latent + 4 * (latent / kScaleGroup) + 2 * rotary;
}

struct WriteMlaKvParams {
  const void* latent;        // [tokens, latent_width] T, rows latent_stride elements apart
  const void* rotary;        // [tokens, rotary_width] T, not yet turned, rows rotary_stride elements apart
  const int32_t* positions;  // [tokens]
  const int32_t* slots;      // [tokens]: block · 64 + offset, or −1: writes nothing
  const float* inv_freq;     // [rotary_width / 2]
  uint8_t* cache;            // [blocks, 64, row] bytes, rows cache_row_bytes apart
  int64_t latent_stride, rotary_stride, cache_row_bytes;
  int64_t cache_rows;        // blocks · 64; a slot beyond writes nothing either
  int32_t tokens, latent_width, rotary_width;
  RopeStyle style;
  float factor;              // multiplies sines and cosines
  ScaleKind scale_kind;      // of an FP8 cache; a power of two leaves codes · scale exact in BF16
};

inline constexpr int32_t kMlaMaxLatent = 512;

#define HADAL_WRITE_MLA_KV(variable, name) \
  inline constexpr Kernel variable{"write_mla_kv_" name, sizeof(WriteMlaKvParams), 128};
HADAL_WRITE_MLA_KV(kWriteMlaKvBf16, "bf16")            // BF16 in, BF16 cache
HADAL_WRITE_MLA_KV(kWriteMlaKvF32Bf16, "f32_bf16")
HADAL_WRITE_MLA_KV(kWriteMlaKvBf16Fp8, "bf16_fp8")     // BF16 in, FP8 cache
HADAL_WRITE_MLA_KV(kWriteMlaKvF32Fp8, "f32_fp8")
#undef HADAL_WRITE_MLA_KV

// activations: BF16 or F32. cache: BF16, or F8_E4M3 for the row above. latent_width: a multiple of 8 (FP8: of 128), at
// most 512; rotary_width: a multiple of 4 (FP8: of 8). latent on 16 bytes, rotary on a pair.
void write_mla_kv(Queue& queue, DType activations, DType cache, const WriteMlaKvParams& params);

}  // namespace hadal::cuda
