// The instances of add.
#include "cuda/embed/add.cuh"

HADAL_KERNEL(add_bf16, hadal::cuda::AddParams, 128, 8) { hadal::device::add<hadal::device::bf16>(p); }
HADAL_KERNEL(add_f32, hadal::cuda::AddParams, 128, 8) { hadal::device::add<float>(p); }
