// The instances of write_mla_kv.
#include "cuda/rope/write_mla_kv.cuh"

using hadal::cuda::WriteMlaKvParams;
using hadal::device::bf16;
using hadal::device::write_mla_kv;

HADAL_KERNEL(write_mla_kv_bf16, WriteMlaKvParams, 128, 8) { write_mla_kv<bf16, false>(p); }
HADAL_KERNEL(write_mla_kv_f32_bf16, WriteMlaKvParams, 128, 8) { write_mla_kv<float, false>(p); }
HADAL_KERNEL(write_mla_kv_bf16_fp8, WriteMlaKvParams, 128, 8) { write_mla_kv<bf16, true>(p); }
HADAL_KERNEL(write_mla_kv_f32_fp8, WriteMlaKvParams, 128, 8) { write_mla_kv<float, true>(p); }
