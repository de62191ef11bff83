// The instances of copy.
#include "cuda/embed/copy.cuh"

HADAL_KERNEL(copy_16, hadal::cuda::CopyParams, 128, 8) { hadal::device::copy<4>(p); }
HADAL_KERNEL(copy_4, hadal::cuda::CopyParams, 128, 8) { hadal::device::copy<1>(p); }
