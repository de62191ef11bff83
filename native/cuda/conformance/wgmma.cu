// Instances of the wgmma probes.
#include "cuda/conformance/wgmma.cuh"

#define HADAL_WGMMA_PROBE(name, type, n, registers, a, b)                   \
  HADAL_KERNEL(conformance_##name, hadal::cuda::WgmmaProbeParams, 128, 1) { \
    constexpr bool e4m3 = true, bf16 = false;                               \
    (void)e4m3, (void)bf16;                                                 \
    hadal::device::wgmma_probe<type, n, registers, hadal::device::Major::a, \
                               hadal::device::Major::b>(p);                 \
  }
HADAL_WGMMA_PROBES(HADAL_WGMMA_PROBE)

#define HADAL_PLACES_PROBE(name, type, operand, major)                      \
  HADAL_KERNEL(conformance_##name, hadal::cuda::PlacesParams, 128, 1) {     \
    constexpr bool e4m3 = true, bf16 = false;                               \
    (void)e4m3, (void)bf16;                                                 \
    hadal::device::places_probe<type, hadal::device::ProbeOperand::operand, \
                                hadal::device::Major::major>(p);            \
  }
HADAL_PLACES_PROBES(HADAL_PLACES_PROBE)

HADAL_KERNEL(conformance_wgmma_groups, hadal::cuda::WgmmaProbeParams, 256, 1) {
  hadal::device::wgmma_groups_probe(p);
}
