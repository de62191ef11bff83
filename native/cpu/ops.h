// The CPU backend's ops, one per file of the same name. Each file defines its Op: the check, the scalar
// oracle in namespace reference, and the vectorised, threaded form beside it.
#pragma once

#include "core/op.h"

namespace hadal::cpu {

extern const Op embed_tokens_op;
extern const Op rms_norm_op;
extern const Op add_rms_norm_op;
extern const Op add_op;
extern const Op copy_op;
extern const Op matmul_op;
extern const Op fp8_matmul_op;
extern const Op swiglu_op;
extern const Op rope_op;
extern const Op write_kv_op;
extern const Op mla_absorb_query_op;
extern const Op mla_expand_value_op;
extern const Op mla_attention_op;
extern const Op gqa_attention_op;
extern const Op gated_top_k_op;
extern const Op permute_tokens_op;
extern const Op grouped_gemm_op;
extern const Op combine_experts_op;
extern const Op gather_rows_op;
extern const Op sample_op;

}  // namespace hadal::cpu
