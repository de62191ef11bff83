// The one instance of permute_rows: bytes have no type.
#include "cuda/routing/permute_rows.cuh"

HADAL_KERNEL(permute_rows, hadal::cuda::PermuteRowsParams, 128, 8) { hadal::device::permute_rows(p); }
