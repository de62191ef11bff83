// The instances of gated_top_k, by the experts a lane holds: up to 64 of them in all, V2's 160, V3's 256, Kimi
// K2's 384, 512.
#include "cuda/routing/gated_top_k.cuh"

HADAL_KERNEL(gated_top_k_2, hadal::cuda::GatedTopKParams, 256, 2) { hadal::device::gated_top_k<2>(p); }
HADAL_KERNEL(gated_top_k_5, hadal::cuda::GatedTopKParams, 256, 2) { hadal::device::gated_top_k<5>(p); }
HADAL_KERNEL(gated_top_k_8, hadal::cuda::GatedTopKParams, 256, 2) { hadal::device::gated_top_k<8>(p); }
HADAL_KERNEL(gated_top_k_12, hadal::cuda::GatedTopKParams, 256, 2) { hadal::device::gated_top_k<12>(p); }
HADAL_KERNEL(gated_top_k_16, hadal::cuda::GatedTopKParams, 256, 2) { hadal::device::gated_top_k<16>(p); }
