// The instances of rope.
#include "cuda/rope/rope.cuh"

using hadal::cuda::RopeParams;
using hadal::device::bf16;
using hadal::device::rope;

HADAL_KERNEL(rope_bf16, RopeParams, 256, 4) { rope<bf16, false>(p); }
HADAL_KERNEL(rope_f32, RopeParams, 256, 4) { rope<float, false>(p); }
HADAL_KERNEL(rope_halves_bf16, RopeParams, 256, 4) { rope<bf16, true>(p); }
HADAL_KERNEL(rope_halves_f32, RopeParams, 256, 4) { rope<float, true>(p); }
