// Instances of the probes of copies and barriers. A wait that a GPU does not end traps there.
#define HADAL_BOUNDED_WAITS
#include "cuda/conformance/memory.cuh"

HADAL_KERNEL(conformance_tma_load, hadal::cuda::TmaProbeParams, 128, 1) {
  hadal::device::tma_load_probe(p);
}
HADAL_KERNEL(conformance_tma_multicast, hadal::cuda::TmaProbeParams, 128, 1) {
  hadal::device::tma_multicast_probe(p);
}
HADAL_KERNEL(conformance_tma_store, hadal::cuda::TmaProbeParams, 128, 1) {
  hadal::device::tma_store_probe<false>(p);
}
HADAL_KERNEL(conformance_tma_add, hadal::cuda::TmaProbeParams, 128, 1) {
  hadal::device::tma_store_probe<true>(p);
}
HADAL_KERNEL(conformance_bulk_copy, hadal::cuda::BulkProbeParams, 128, 1) {
  hadal::device::bulk_copy_probe(p);
}
HADAL_KERNEL(conformance_barrier_trace, hadal::cuda::ProbeParams, 32, 1) {
  hadal::device::barrier_trace_probe(p);
}
HADAL_KERNEL(conformance_store_async, hadal::cuda::ProbeParams, 32, 1) {
  hadal::device::store_async_probe(p);
}
