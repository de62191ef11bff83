// The instances of rms_norm: rows of up to 8192 columns in a block of 256, of up to 2048 in a warp of 128 / 32.
#include "cuda/norm/rms_norm.cuh"

using hadal::cuda::RmsNormParams;
using hadal::device::bf16;
using hadal::device::rms_norm;

HADAL_KERNEL(rms_norm_bf16, RmsNormParams, 256, 4) { rms_norm<bf16, bf16, 4, 256>(p); }
HADAL_KERNEL(rms_norm_f32, RmsNormParams, 256, 3) { rms_norm<float, float, 8, 256>(p); }
HADAL_KERNEL(rms_norm_f32_bf16, RmsNormParams, 256, 3) { rms_norm<float, bf16, 8, 256>(p); }
HADAL_KERNEL(rms_norm_warp_bf16, RmsNormParams, 128, 4) { rms_norm<bf16, bf16, 8, 32>(p); }
HADAL_KERNEL(rms_norm_warp_f32, RmsNormParams, 128, 3) { rms_norm<float, float, 16, 32>(p); }
HADAL_KERNEL(rms_norm_warp_f32_bf16, RmsNormParams, 128, 3) { rms_norm<float, bf16, 16, 32>(p); }
