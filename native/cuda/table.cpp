// See table.h. A new instance of a kernel is one line here.
#include "cuda/table.h"

#include "cuda/measure/read_words.h"
#include "cuda/norm/add_rms_norm.h"
#include "cuda/norm/add_rms_norm_quantize.h"
#include "cuda/norm/rms_norm.h"
#include "cuda/routing/gated_top_k.h"

namespace hadal::cuda {
namespace {

constexpr const Kernel* kAll[] = {
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
    &kReadWords,
    &kRmsNormBf16,
    &kRmsNormF32,
    &kRmsNormF32Bf16,
    &kRmsNormWarpBf16,
    &kRmsNormWarpF32,
    &kRmsNormWarpF32Bf16,
    // routing
    &kGatedTopK12,
    &kGatedTopK16,
    &kGatedTopK2,
    &kGatedTopK5,
    &kGatedTopK8,
};

}  // namespace

std::span<const Kernel* const> all_kernels() { return kAll; }

}  // namespace hadal::cuda
