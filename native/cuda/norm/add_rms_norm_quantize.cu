// The instances of add_rms_norm_quantize.
#include "cuda/norm/add_rms_norm_quantize.cuh"

using hadal::cuda::AddRmsNormQuantizeParams;
using hadal::device::add_rms_norm_quantize;
using hadal::device::bf16;

HADAL_KERNEL(add_rms_norm_quantize_bf16, AddRmsNormQuantizeParams, 256, 3) {
  add_rms_norm_quantize<bf16, bf16, 4, 256>(p);
}
HADAL_KERNEL(add_rms_norm_quantize_f32_bf16, AddRmsNormQuantizeParams, 256, 2) {
  add_rms_norm_quantize<float, bf16, 8, 256>(p);
}
HADAL_KERNEL(add_rms_norm_quantize_f32, AddRmsNormQuantizeParams, 256, 2) {
  add_rms_norm_quantize<float, float, 8, 256>(p);
}
HADAL_KERNEL(add_rms_norm_quantize_warp_bf16, AddRmsNormQuantizeParams, 128, 3) {
  add_rms_norm_quantize<bf16, bf16, 8, 32>(p);
}
HADAL_KERNEL(add_rms_norm_quantize_warp_f32_bf16, AddRmsNormQuantizeParams, 128, 2) {
  add_rms_norm_quantize<float, bf16, 16, 32>(p);
}
HADAL_KERNEL(add_rms_norm_quantize_warp_f32, AddRmsNormQuantizeParams, 128, 2) {
  add_rms_norm_quantize<float, float, 16, 32>(p);
}
