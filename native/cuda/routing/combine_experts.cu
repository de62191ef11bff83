// The instances of combine_experts.
#include "cuda/routing/combine_experts.cuh"

HADAL_KERNEL(combine_experts_bf16, hadal::cuda::CombineExpertsParams, 128, 6) {
  hadal::device::combine_experts<hadal::device::bf16>(p);
}
HADAL_KERNEL(combine_experts_f32, hadal::cuda::CombineExpertsParams, 128, 6) {
  hadal::device::combine_experts<float>(p);
}
