// The instances of rms_norm: the row of up to 8192 columns in registers.
#include "cuda/norm/rms_norm.cuh"

HADAL_KERNEL(rms_norm_bf16, hadal::cuda::RmsNormParams, 256, 4) {
  hadal::device::rms_norm<hadal::device::bf16, 4>(p);
}

HADAL_KERNEL(rms_norm_f32, hadal::cuda::RmsNormParams, 256, 4) {
  hadal::device::rms_norm<float, 8>(p);
}
