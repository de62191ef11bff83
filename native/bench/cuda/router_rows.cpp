// Rows of the router's product at DeepSeek-V3's shape. Floors: bytes over 3.35 TB/s.
#include "bench/cuda/bench.h"
#include "cuda/router/router_matmul.h"

namespace hadal::bench {
namespace {

Row router_row(int32_t tokens, DType type, double predicted_us, const char* reason) {
  constexpr int32_t kExperts = 256, kWidth = 7168;
  Row row;
  row.kernel = "router_matmul";
  row.shape = "T=" + std::to_string(tokens) + " E=256 D=7168 " + dtype_name(type);
  row.bytes = 2.0 * kExperts * kWidth + static_cast<double>(dtype_size(type)) * tokens * kWidth + 4.0 * tokens * kExperts;
  row.flops = 2.0 * tokens * kExperts * kWidth;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [tokens, type](Memory& memory) {
    const size_t count = static_cast<size_t>(tokens) * kWidth;
    cuda::RouterMatmulParams p{};
    p.x = type == DType::F32 ? memory.f32(count) : memory.bf16(count);
    p.weight = memory.bf16(size_t{kExperts} * kWidth, 0.02f);
    p.logits = static_cast<float*>(memory.bytes(4 * static_cast<size_t>(tokens) * kExperts));
    p.x_stride = kWidth;
    p.logits_stride = kExperts;
    p.tokens = tokens;
    p.experts = kExperts;
    p.width = kWidth;
    return [p, type](cuda::Queue& queue) { cuda::router_matmul(queue, type, p); };
  };
  return row;
}

}  // namespace

void router_rows(Rows& rows) {
  rows.push_back(router_row(1, DType::BF16, 4.2, "1.1 µs of weights from HBM by 128 blocks, a launch, one trip for x, the fold"));
  rows.push_back(router_row(16, DType::BF16, 6.5, "256 blocks of 4 experts and 4 tokens: 29 MB from the second-level cache at 6 TB/s"));
  rows.push_back(router_row(16, DType::F32, 9, "512 blocks of 4 experts and 2 tokens: 59 MB from the second-level cache"));
  rows.push_back(router_row(64, DType::BF16, 20, "256 blocks of 8 experts and 8 tokens, a wave that is nearly all latency"));
  rows.push_back(router_row(4096, DType::BF16, 480,
                            "FFMA: 250 µs of them at 60 TFLOPS, a quarter more to unpack, half of the rest the loads; "
                            "a tensor-core form (three BF16 products) should take 40"));
}

}  // namespace hadal::bench
