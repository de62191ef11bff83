// See ops.h. A new op is one line here and one in bind/bind.h.
#include "cuda/ops.h"

#include "cuda/bind/bind.h"

namespace hadal::cuda {
namespace {

constexpr const CudaOp* kAll[] = {
    &add_op,         &add_rms_norm_op,   &combine_experts_op, &copy_op, &embed_tokens_op, &gated_top_k_op,
    &gather_rows_op, &permute_tokens_op, &rms_norm_op,        &rope_op, &sample_op,       &swiglu_op,
    &write_kv_op,
};

}  // namespace

std::span<const CudaOp* const> all_ops() { return kAll; }

}  // namespace hadal::cuda
