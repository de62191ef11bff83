// The instances of write_kv.
#include "cuda/rope/write_kv.cuh"

using hadal::cuda::WriteKvParams;
using hadal::device::bf16;
using hadal::device::f16;
using hadal::device::write_kv;

HADAL_KERNEL(write_kv_f32, WriteKvParams, 64, 16) { write_kv<float, float>(p); }
HADAL_KERNEL(write_kv_f32_bf16, WriteKvParams, 64, 16) { write_kv<float, bf16>(p); }
HADAL_KERNEL(write_kv_f32_f16, WriteKvParams, 64, 16) { write_kv<float, f16>(p); }
HADAL_KERNEL(write_kv_bf16, WriteKvParams, 64, 16) { write_kv<bf16, bf16>(p); }
HADAL_KERNEL(write_kv_bf16_f16, WriteKvParams, 64, 16) { write_kv<bf16, f16>(p); }
