// The instances of router_matmul: experts of a block, and the format of the activations.
#include "cuda/router/router_matmul.cuh"

using hadal::cuda::RouterMatmulParams;
using hadal::device::bf16;
using hadal::device::router_matmul_few;
using hadal::device::router_matmul_many;

HADAL_KERNEL(router_matmul_2_bf16, RouterMatmulParams, 256, 2) { router_matmul_few<bf16, 2, 4>(p); }
HADAL_KERNEL(router_matmul_2_f32, RouterMatmulParams, 256, 2) { router_matmul_few<float, 2, 2>(p); }
HADAL_KERNEL(router_matmul_4_bf16, RouterMatmulParams, 256, 2) { router_matmul_few<bf16, 4, 4>(p); }
HADAL_KERNEL(router_matmul_4_f32, RouterMatmulParams, 256, 2) { router_matmul_few<float, 4, 2>(p); }
HADAL_KERNEL(router_matmul_8_bf16, RouterMatmulParams, 256, 2) { router_matmul_many<bf16, 8, 4>(p); }
HADAL_KERNEL(router_matmul_8_f32, RouterMatmulParams, 256, 2) { router_matmul_many<float, 8, 4>(p); }
