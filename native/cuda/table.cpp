// See table.h. A new instance of a kernel is one line here.
#include "cuda/table.h"

#include "cuda/embed/add.h"
#include "cuda/embed/copy.h"
#include "cuda/embed/embed_tokens.h"
#include "cuda/measure/read_words.h"
#include "cuda/norm/add_rms_norm.h"
#include "cuda/norm/add_rms_norm_quantize.h"
#include "cuda/norm/rms_norm.h"
#include "cuda/quantize/quantize_groups.h"
#include "cuda/quantize/swiglu.h"
#include "cuda/quantize/swiglu_quantize.h"
#include "cuda/rope/rope.h"
#include "cuda/rope/write_kv.h"
#include "cuda/rope/write_mla_kv.h"
#include "cuda/router/router_matmul.h"
#include "cuda/routing/combine_experts.h"
#include "cuda/routing/gated_top_k.h"
#include "cuda/routing/permute_rows.h"
#include "cuda/routing/permute_tokens.h"
#include "cuda/sampling/gather_rows.h"
#include "cuda/sampling/sample.h"

namespace hadal::cuda {
namespace {

constexpr const Kernel* kAll[] = {
    &kAddBf16,
    &kAddF32,
    &kAddRmsNormBf16,
    &kAddRmsNormBf16Warp,
    &kAddRmsNormF32,
    &kAddRmsNormF32Bf16,
    &kAddRmsNormF32Bf16Warp,
    &kAddRmsNormF32Warp,
    &kAddRmsNormQuantizeBf16,
    &kAddRmsNormQuantizeBf16Warp,
    &kAddRmsNormQuantizeF32,
    &kAddRmsNormQuantizeF32Bf16,
    &kAddRmsNormQuantizeF32Bf16Warp,
    &kAddRmsNormQuantizeF32Warp,
    &kCombineExpertsBf16,
    &kCombineExpertsF32,
    &kCopy16,
    &kCopy4,
    &kEmbedTokensBf16,
    &kEmbedTokensBf16F32,
    &kEmbedTokensF16Bf16,
    &kEmbedTokensF16F32,
    &kEmbedTokensF32,
    &kEmbedTokensF32Bf16,
    &kGatedTopK12,
    &kGatedTopK16,
    &kGatedTopK2,
    &kGatedTopK5,
    &kGatedTopK8,
    &kGatherRows16,
    &kGatherRows2,
    &kPermuteRows,
    &kPermuteTokens1024,
    &kPermuteTokens4096,
    &kPermuteTokensCount,
    &kPermuteTokensMany,
    &kQuantizeGroupsBf16,
    &kQuantizeGroupsF32,
    &kReadWords,
    &kRmsNormBf16,
    &kRmsNormF32,
    &kRmsNormF32Bf16,
    &kRmsNormWarpBf16,
    &kRmsNormWarpF32,
    &kRmsNormWarpF32Bf16,
    &kRopeBf16,
    &kRopeF32,
    &kRopeHalvesBf16,
    &kRopeHalvesF32,
    &kRouterMatmul2Bf16,
    &kRouterMatmul2F32,
    &kRouterMatmul4Bf16,
    &kRouterMatmul4F32,
    &kRouterMatmul8Bf16,
    &kRouterMatmul8F32,
    &kSampleChooseBf16,
    &kSampleChooseF32,
    &kSampleScanBf16,
    &kSampleScanF32,
    &kSwigluBf16,
    &kSwigluF32,
    &kSwigluQuantizeBf16,
    &kSwigluQuantizeF32,
    &kSwigluQuantizeMaskedBf16,
    &kSwigluQuantizeMaskedF32,
    &kWriteKvBf16,
    &kWriteKvBf16F16,
    &kWriteKvF32,
    &kWriteKvF32Bf16,
    &kWriteKvF32F16,
    &kWriteMlaKvBf16,
    &kWriteMlaKvBf16Fp8,
    &kWriteMlaKvF32Bf16,
    &kWriteMlaKvF32Fp8,
};

}  // namespace

std::span<const Kernel* const> all_kernels() { return kAll; }

}  // namespace hadal::cuda
