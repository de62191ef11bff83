// Launcher of combine_experts: see combine_experts.h.
#include "cuda/routing/combine_experts.h"

namespace hadal::cuda {

void combine_experts(Queue& queue, DType type, const CombineExpertsParams& params) {
  HADAL_EXPECT(type == DType::BF16 || type == DType::F32, "combine_experts: expected BF16 or F32, got %s",
               dtype_name(type));
  const int32_t per = type == DType::BF16 ? 8 : 4;
  HADAL_EXPECT(params.tokens >= 0 && params.chosen >= 1,
               "combine_experts: expected tokens and at least one expert each, got %d, %d", params.tokens,
               params.chosen);
  HADAL_EXPECT(params.width > 0 && params.width % per == 0,
               "combine_experts: width: expected a multiple of %d, got %d", per, params.width);
  for (const int64_t stride : {params.out_stride, params.y_stride, params.add == nullptr ? params.y_stride
                                                                                         : params.add_stride})
    HADAL_EXPECT(stride >= params.width && stride % per == 0,
                 "combine_experts: stride: expected a multiple of %d, at least %d, got %lld", per, params.width,
                 static_cast<long long>(stride));
  for (const void* pointer : {static_cast<const void*>(params.out), params.y, params.add})
    HADAL_EXPECT(reinterpret_cast<uintptr_t>(pointer) % 16 == 0,
                 "combine_experts: expected addresses of whole 16 bytes, got %p", pointer);
  const int32_t columns = static_cast<int32_t>(kCombineExpertsThreads) * per;
  const int64_t pieces = (params.width + columns - 1) / columns;
  HADAL_EXPECT(params.tokens * pieces <= INT32_MAX, "combine_experts: expected at most 2^31 blocks, got %lld",
               static_cast<long long>(params.tokens * pieces));
  Launch launch;
  launch.grid.x = static_cast<uint32_t>(params.tokens * pieces);
  launch.dependent = true;
  queue.launch(type == DType::BF16 ? kCombineExpertsBf16 : kCombineExpertsF32, launch, params);
}

}  // namespace hadal::cuda
