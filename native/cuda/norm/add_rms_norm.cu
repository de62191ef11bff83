// The instances of add_rms_norm. A thread holds residual, delta and weight at once: fewer blocks than rms_norm.
#include "cuda/norm/add_rms_norm.cuh"

using hadal::cuda::AddRmsNormParams;
using hadal::device::add_rms_norm;
using hadal::device::bf16;

HADAL_KERNEL(add_rms_norm_bf16, AddRmsNormParams, 256, 3) { add_rms_norm<bf16, bf16, 4, 256>(p); }
HADAL_KERNEL(add_rms_norm_f32_bf16, AddRmsNormParams, 256, 2) { add_rms_norm<float, bf16, 8, 256>(p); }
HADAL_KERNEL(add_rms_norm_f32, AddRmsNormParams, 256, 2) { add_rms_norm<float, float, 8, 256>(p); }
HADAL_KERNEL(add_rms_norm_warp_bf16, AddRmsNormParams, 128, 4) { add_rms_norm<bf16, bf16, 8, 32>(p); }
HADAL_KERNEL(add_rms_norm_warp_f32_bf16, AddRmsNormParams, 128, 2) { add_rms_norm<float, bf16, 16, 32>(p); }
HADAL_KERNEL(add_rms_norm_warp_f32, AddRmsNormParams, 128, 2) { add_rms_norm<float, float, 16, 32>(p); }
