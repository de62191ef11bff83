// The instances of embed_tokens.
#include "cuda/embed/embed_tokens.cuh"

using hadal::cuda::EmbedTokensParams;
using hadal::device::bf16;
using hadal::device::embed_tokens;
using hadal::device::f16;

HADAL_KERNEL(embed_tokens_bf16, EmbedTokensParams, 128, 8) { embed_tokens<bf16, bf16>(p); }
HADAL_KERNEL(embed_tokens_bf16_f32, EmbedTokensParams, 128, 8) { embed_tokens<bf16, float>(p); }
HADAL_KERNEL(embed_tokens_f16_bf16, EmbedTokensParams, 128, 8) { embed_tokens<f16, bf16>(p); }
HADAL_KERNEL(embed_tokens_f16_f32, EmbedTokensParams, 128, 8) { embed_tokens<f16, float>(p); }
HADAL_KERNEL(embed_tokens_f32_bf16, EmbedTokensParams, 128, 8) { embed_tokens<float, bf16>(p); }
HADAL_KERNEL(embed_tokens_f32, EmbedTokensParams, 128, 8) { embed_tokens<float, float>(p); }
