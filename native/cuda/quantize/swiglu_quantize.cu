// The instances of swiglu_quantize.
#include "cuda/quantize/swiglu_quantize.cuh"

using hadal::cuda::SwigluQuantizeParams;
using hadal::device::bf16;

HADAL_KERNEL(swiglu_quantize_bf16, SwigluQuantizeParams, 128, 6) { hadal::device::swiglu_quantize<bf16>(p); }
HADAL_KERNEL(swiglu_quantize_f32, SwigluQuantizeParams, 128, 6) { hadal::device::swiglu_quantize<float>(p); }
HADAL_KERNEL(swiglu_quantize_masked_bf16, SwigluQuantizeParams, 128, 6) {
  hadal::device::swiglu_quantize_masked<bf16>(p);
}
HADAL_KERNEL(swiglu_quantize_masked_f32, SwigluQuantizeParams, 128, 6) {
  hadal::device::swiglu_quantize_masked<float>(p);
}
