// embed_tokens on CUDA: out[t] = table[ids[t]], in the format of the activations.
#pragma once

#include "core/tensor.h"
#include "cuda/embed/items.h"

namespace hadal::cuda {

struct EmbedTokensParams {
  void* out;            // [tokens, width] F32 or BF16, rows out_stride elements apart
  const int32_t* ids;   // [tokens] below vocabulary; another id gives a row of NaN
  const void* table;    // [vocabulary, width] F32, BF16 or F16
  int64_t out_stride;
  int32_t tokens, vocabulary, width;
};

#define HADAL_EMBED_TOKENS(variable, name) \
  inline constexpr Kernel variable{"embed_tokens_" name, sizeof(EmbedTokensParams), kItemThreads};
HADAL_EMBED_TOKENS(kEmbedTokensBf16, "bf16")           // table BF16, out BF16
HADAL_EMBED_TOKENS(kEmbedTokensBf16F32, "bf16_f32")    // table BF16, out F32
HADAL_EMBED_TOKENS(kEmbedTokensF16Bf16, "f16_bf16")
HADAL_EMBED_TOKENS(kEmbedTokensF16F32, "f16_f32")
HADAL_EMBED_TOKENS(kEmbedTokensF32Bf16, "f32_bf16")
HADAL_EMBED_TOKENS(kEmbedTokensF32, "f32")
#undef HADAL_EMBED_TOKENS

// table: F32, BF16, F16; out: F32, BF16. width: a multiple of 8; pointers and rows of 16 bytes.
void embed_tokens(Queue& queue, DType table, DType out, const EmbedTokensParams& params);

}  // namespace hadal::cuda
