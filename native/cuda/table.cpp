// See table.h. A new instance of a kernel is one line here.
#include "cuda/table.h"

#include "cuda/norm/rms_norm.h"
#include "cuda/routing/gated_top_k.h"

namespace hadal::cuda {
namespace {

constexpr const Kernel* kAll[] = {
    &kRmsNormBf16,
    &kRmsNormF32,
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
