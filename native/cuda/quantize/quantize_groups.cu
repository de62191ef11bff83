// The instances of quantize_groups.
#include "cuda/quantize/quantize_groups.cuh"

HADAL_KERNEL(quantize_groups_bf16, hadal::cuda::QuantizeGroupsParams, 128, 8) {
  hadal::device::quantize_groups<hadal::device::bf16>(p);
}

HADAL_KERNEL(quantize_groups_f32, hadal::cuda::QuantizeGroupsParams, 128, 8) {
  hadal::device::quantize_groups<float>(p);
}
