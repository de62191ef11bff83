// The instances of gather_rows, by the bytes of a load.
#include "cuda/sampling/gather_rows.cuh"

HADAL_KERNEL(gather_rows_16, hadal::cuda::GatherRowsParams, 128, 8) {
  hadal::device::gather_rows<hadal::device::Vec16>(p);
}
HADAL_KERNEL(gather_rows_2, hadal::cuda::GatherRowsParams, 128, 8) {
  hadal::device::gather_rows<uint16_t>(p);
}
