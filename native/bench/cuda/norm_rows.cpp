// Rows of the norms at DeepSeek-V3's widths: 7168 (model), 1536 (query) and 512 (KV). Floors: bytes over 3.35 TB/s.
#include "bench/cuda/bench.h"
#include "cuda/norm/add_rms_norm.h"
#include "cuda/norm/add_rms_norm_quantize.h"
#include "cuda/norm/rms_norm.h"

namespace hadal::bench {
namespace {

constexpr const char* kFew = "one launch and two trips to memory (row, then stores); its traffic is under 0.7 µs";
constexpr const char* kMany = "80 % of 3.35 TB/s: one pass, rows in registers, over 50 KB of loads in flight an SM";

size_t size(int64_t a, int64_t b = 1) { return static_cast<size_t>(a) * static_cast<size_t>(b); }
std::string shape(int32_t tokens, int32_t width, const char* formats) {
  return "T=" + std::to_string(tokens) + " D=" + std::to_string(width) + " " + formats;
}

Row rms_norm_row(int32_t tokens, int32_t width, double predicted_us, const char* reason) {
  Row row;
  row.kernel = "rms_norm";
  row.shape = shape(tokens, width, "BF16");
  row.bytes = 2.0 * width + 4.0 * tokens * width;
  row.flops = 4.0 * tokens * width;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [tokens, width](Memory& memory) {
    cuda::RmsNormParams p{};
    p.x = memory.bf16(size(tokens, width));
    p.out = memory.bytes(2 * size(tokens, width));
    p.weight = memory.bf16(size(width));
    p.x_stride = p.out_stride = width;
    p.rows = tokens;
    p.width = width;
    p.eps = 1e-6f;
    p.weight_type = DType::BF16;
    return [p](cuda::Queue& queue) { cuda::rms_norm(queue, DType::BF16, DType::BF16, p); };
  };
  return row;
}

Row add_rms_norm_row(int32_t tokens, DType residual, double predicted_us, const char* reason) {
  constexpr int32_t kWidth = 7168;
  const bool wide = residual == DType::F32;
  Row row;
  row.kernel = "add_rms_norm";
  row.shape = shape(tokens, kWidth, wide ? "residual F32, delta and out BF16" : "BF16");
  row.bytes = 2.0 * kWidth + (wide ? 12.0 : 8.0) * tokens * kWidth;
  row.flops = 5.0 * tokens * kWidth;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [tokens, residual, wide](Memory& memory) {
    const size_t count = size(tokens, kWidth);
    cuda::AddRmsNormParams p{};
    p.residual = wide ? memory.f32(count) : memory.bf16(count);
    p.delta = memory.bf16(count, 1e-3f);  // a residual that is used again must not run away
    p.out = memory.bytes(2 * count);
    p.weight = memory.bf16(size(kWidth));
    p.residual_stride = p.delta_stride = p.out_stride = kWidth;
    p.rows = tokens;
    p.width = kWidth;
    p.eps = 1e-6f;
    p.weight_type = DType::BF16;
    return [p, residual](cuda::Queue& queue) { cuda::add_rms_norm(queue, residual, DType::BF16, DType::BF16, p); };
  };
  return row;
}

struct Fusion {
  int32_t tokens, width;
  DType residual;
  bool delta, normalised;
};

cuda::AddRmsNormQuantizeParams quantize_params(Memory& memory, const Fusion& f) {
  const size_t count = size(f.tokens, f.width);
  cuda::AddRmsNormQuantizeParams p{};
  p.residual = f.residual == DType::F32 ? memory.f32(count) : memory.bf16(count);
  p.delta = f.delta ? memory.bf16(count, 1e-3f) : nullptr;
  p.normalised = f.normalised ? memory.bytes(2 * count) : nullptr;
  p.codes = static_cast<uint8_t*>(memory.bytes(count));
  p.scale_stride = cuda::scale_stride_of(f.tokens);
  p.scales = static_cast<float*>(memory.bytes(4 * size(cuda::scale_groups(f.width), p.scale_stride)));
  p.weight = memory.bf16(size(f.width));
  p.residual_stride = p.delta_stride = p.normalised_stride = p.code_stride = f.width;
  p.rows = f.tokens;
  p.width = f.width;
  p.eps = 1e-6f;
  p.weight_type = DType::BF16;
  return p;
}

Row quantize_row(const Fusion& f, double predicted_us, const char* reason) {
  const double element = f.residual == DType::F32 ? 4 : 2, count = 1.0 * f.tokens * f.width;
  Row row;
  row.kernel = "add_rms_norm_quantize";
  row.shape = shape(f.tokens, f.width, f.residual == DType::F32 ? "residual F32" : "BF16");
  row.shape += f.delta ? ", delta BF16" : ", no delta";
  if (f.normalised) row.shape += ", and normalised BF16";
  row.bytes = count * (element + (f.delta ? element + 2 : 0) + 1 + 4.0 / 128 + (f.normalised ? 2 : 0)) + 2.0 * f.width;
  row.flops = (f.delta ? 7.0 : 6.0) * count;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [f](Memory& memory) {
    const cuda::AddRmsNormQuantizeParams p = quantize_params(memory, f);
    return [p, f](cuda::Queue& queue) { cuda::add_rms_norm_quantize(queue, f.residual, DType::BF16, p); };
  };
  return row;
}

}  // namespace

void norm_rows(Rows& rows) {
  rows.push_back(rms_norm_row(32, 512, 2.2, kFew));
  rows.push_back(rms_norm_row(32, 7168, 2.5, kFew));
  rows.push_back(rms_norm_row(4096, 512, 4.5, "2.5 µs of traffic, a launch, and two short waves of blocks"));
  rows.push_back(rms_norm_row(4096, 1536, 10.5, "80 % of 3.35 TB/s, and 1 µs to start and drain"));
  rows.push_back(rms_norm_row(4096, 7168, 44, kMany));
  const char* sums = "78 % of 3.35 TB/s: reads and writes of one buffer turn the memory bus about more often";
  rows.push_back(add_rms_norm_row(32, DType::BF16, 2.6, kFew));
  rows.push_back(add_rms_norm_row(4096, DType::BF16, 90, sums));
  rows.push_back(add_rms_norm_row(4096, DType::F32, 135, sums));
  const char* fused = "75 % of 3.35 TB/s (bar: 2.2 TB/s): the codes' 4-byte scales and two passes over the registers";
  rows.push_back(quantize_row({32, 7168, DType::BF16, true, false}, 2.8, kFew));
  rows.push_back(quantize_row({128, 7168, DType::F32, true, true}, 4.5, "3.3 µs of traffic at 75 %, one wave of blocks"));
  rows.push_back(quantize_row({4096, 1536, DType::BF16, false, false}, 8.5, fused));
  rows.push_back(quantize_row({4096, 7168, DType::BF16, false, false}, 36, fused));
  rows.push_back(quantize_row({4096, 7168, DType::BF16, true, false}, 82, fused));
  rows.push_back(quantize_row({4096, 7168, DType::BF16, true, true}, 106, fused));
  rows.push_back(quantize_row({4096, 7168, DType::F32, true, true}, 153, fused));
}

}  // namespace hadal::bench
