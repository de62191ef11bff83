// Rows of the norms at DeepSeek-V3's widths. Floors: bytes over 3.35 TB/s.
#include "bench/cuda/bench.h"
#include "cuda/norm/rms_norm.h"

namespace hadal::bench {
namespace {

Row rms_norm_row(int32_t tokens, int32_t width, double predicted_us, const char* reason) {
  Row row;
  row.kernel = "rms_norm";
  row.shape = "T=" + std::to_string(tokens) + " D=" + std::to_string(width) + " BF16";
  row.bytes = 2.0 * width + 4.0 * tokens * width;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [tokens, width](Memory& memory) {
    const auto count = static_cast<size_t>(tokens) * static_cast<size_t>(width);
    cuda::RmsNormParams params{};
    params.x = memory.bf16(count);
    params.out = memory.bytes(2 * count);
    params.weight = memory.bf16(static_cast<size_t>(width));
    params.x_stride = params.out_stride = width;
    params.rows = tokens;
    params.width = width;
    params.eps = 1e-6f;
    return [params](cuda::Queue& queue) { cuda::rms_norm(queue, DType::BF16, params); };
  };
  return row;
}

}  // namespace

void norm_rows(Rows& rows) {
  rows.push_back(rms_norm_row(32, 7168, 2.5, "launch and one trip to memory; 0.28 µs of traffic"));
  rows.push_back(rms_norm_row(4096, 7168, 44, "80 % of 3.35 TB/s: one pass, four loads of 16 bytes in flight a thread"));
}

}  // namespace hadal::bench
