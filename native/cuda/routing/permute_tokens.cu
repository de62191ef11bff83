// The instances of permute_tokens: one block of up to 1024 or 4096 pairs, and the two kernels of more.
#include "cuda/routing/permute_tokens.cuh"

HADAL_KERNEL(permute_tokens_count, hadal::cuda::PermuteTokensParams, 256, 2) {
  hadal::device::permute_tokens_count(p);
}
HADAL_KERNEL(permute_tokens_many, hadal::cuda::PermuteTokensParams, 256, 2) {
  hadal::device::permute_tokens<8, false>(p);
}
HADAL_KERNEL(permute_tokens_1024, hadal::cuda::PermuteTokensParams, 256, 1) {
  hadal::device::permute_tokens<8, true>(p);
}
HADAL_KERNEL(permute_tokens_4096, hadal::cuda::PermuteTokensParams, 1024, 1) {
  hadal::device::permute_tokens<32, true>(p);
}
