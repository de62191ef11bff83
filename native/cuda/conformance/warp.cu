// Instances of the probes of a warp and of conversions.
#include "cuda/conformance/warp.cuh"

#define HADAL_MATRIX_PROBE(name, way, tiles, transposed)              \
  HADAL_KERNEL(conformance_##name, hadal::cuda::ProbeParams, 32, 1) { \
    hadal::device::way##_probe<tiles, transposed>(p);                 \
  }
HADAL_MATRIX_PROBES(HADAL_MATRIX_PROBE)

HADAL_KERNEL(conformance_mma_bf16, hadal::cuda::ProbeParams, 32, 1) {
  hadal::device::mma_probe<false>(p);
}
HADAL_KERNEL(conformance_mma_e4m3, hadal::cuda::ProbeParams, 32, 1) {
  hadal::device::mma_probe<true>(p);
}

#define HADAL_PLAIN_PROBE(name, threads)                                   \
  HADAL_KERNEL(conformance_##name, hadal::cuda::ProbeParams, threads, 1) { \
    hadal::device::name##_probe(p);                                        \
  }
HADAL_PLAIN_PROBE(bf16_to_float, 256)
HADAL_PLAIN_PROBE(e4m3_to_float, 256)
HADAL_PLAIN_PROBE(float_to_bf16, 256)
HADAL_PLAIN_PROBE(float_to_e4m3, 256)
HADAL_PLAIN_PROBE(warp_words, 32)
HADAL_PLAIN_PROBE(fast_math, 256)
