// The instances of swiglu.
#include "cuda/quantize/swiglu.cuh"

HADAL_KERNEL(swiglu_bf16, hadal::cuda::SwigluParams, 128, 6) { hadal::device::swiglu<hadal::device::bf16>(p); }
HADAL_KERNEL(swiglu_f32, hadal::cuda::SwigluParams, 128, 6) { hadal::device::swiglu<float>(p); }
