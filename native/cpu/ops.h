// The CPU backend's ops, one per file of the same name. Each file defines its Op: the check, the scalar
// oracle in namespace reference, and the vectorised, threaded form beside it.
#pragma once

#include "core/host.h"

namespace hadal::cpu {

extern const HostOp embed_tokens_op;
extern const HostOp rms_norm_op;
extern const HostOp add_rms_norm_op;
extern const HostOp add_op;
extern const HostOp copy_op;
extern const HostOp matmul_op;
extern const HostOp fp8_matmul_op;
extern const HostOp swiglu_op;
extern const HostOp rope_op;
extern const HostOp write_kv_op;
extern const HostOp mla_absorb_query_op;
extern const HostOp mla_expand_value_op;
extern const HostOp mla_attention_op;
extern const HostOp gqa_attention_op;
extern const HostOp gated_top_k_op;
extern const HostOp permute_tokens_op;
extern const HostOp grouped_gemm_op;
extern const HostOp combine_experts_op;
extern const HostOp gather_rows_op;
extern const HostOp sample_op;

}  // namespace hadal::cpu
