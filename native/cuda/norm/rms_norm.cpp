// Launcher of rms_norm: see rms_norm.h.
#include "cuda/norm/rms_norm.h"

namespace hadal::cuda {

void rms_norm(Queue& queue, DType activations, const RmsNormParams& params) {
  HADAL_EXPECT(params.width > 0 && params.width % 8 == 0 && params.width <= kRmsNormMaxWidth,
               "rms_norm: expected a width that is a multiple of 8, at most %d, got %d",
               kRmsNormMaxWidth, params.width);
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(params.rows);
  launch.shared_bytes = kRmsNormThreads / 32 * sizeof(float);
  queue.launch(activations == DType::F32 ? kRmsNormF32 : kRmsNormBf16, launch, params);
}

}  // namespace hadal::cuda
