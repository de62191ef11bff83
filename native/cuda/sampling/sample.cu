// The instances of sample, by the type of the logits.
#include "cuda/sampling/sample_choose.cuh"
#include "cuda/sampling/sample_scan.cuh"

HADAL_KERNEL(sample_scan_bf16, hadal::cuda::SampleParams, 256, 4) {
  hadal::device::sample_scan<hadal::device::bf16>(p);
}
HADAL_KERNEL(sample_scan_f32, hadal::cuda::SampleParams, 256, 4) { hadal::device::sample_scan<float>(p); }

HADAL_KERNEL(sample_choose_bf16, hadal::cuda::SampleParams, 512, 1) {
  hadal::device::sample_choose<hadal::device::bf16>(p);
}
HADAL_KERNEL(sample_choose_f32, hadal::cuda::SampleParams, 512, 1) { hadal::device::sample_choose<float>(p); }
