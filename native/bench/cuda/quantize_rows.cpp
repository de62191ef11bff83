// Rows of the quantisers at DeepSeek-V3's shapes. Floors: bytes over 3.35 TB/s; the bar is 2.4 TB/s.
#include "bench/cuda/bench.h"
#include "cuda/quantize/quantize_groups.h"
#include "cuda/quantize/swiglu.h"
#include "cuda/quantize/swiglu_quantize.h"

namespace hadal::bench {
namespace {

constexpr const char* kFew = "one launch and two trips to memory";
constexpr const char* kMany =
    "77 % of 3.35 TB/s: one pass, four or eight 16-byte loads in flight a thread, 60 to 100 KB an SM; scales leave "
    "four rows at a time";

size_t size(int64_t a, int64_t b = 1) { return static_cast<size_t>(a) * static_cast<size_t>(b); }

Row groups_row(int32_t tokens, int32_t width, DType type, double predicted_us, const char* reason) {
  Row row;
  row.kernel = "quantize_groups";
  row.shape = "T=" + std::to_string(tokens) + " K=" + std::to_string(width) + " " + dtype_name(type);
  row.bytes = 1.0 * tokens * width * (static_cast<double>(dtype_size(type)) + 1 + 4.0 / 128);
  row.flops = 2.0 * tokens * width;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [tokens, width, type](Memory& memory) {
    cuda::QuantizeGroupsParams p{};
    p.x = type == DType::F32 ? memory.f32(size(tokens, width)) : memory.bf16(size(tokens, width));
    p.codes = static_cast<uint8_t*>(memory.bytes(size(tokens, width)));
    p.scale_stride = cuda::scale_stride_of(tokens);
    p.scales = static_cast<float*>(memory.bytes(4 * size(cuda::scale_groups(width), p.scale_stride)));
    p.x_stride = p.code_stride = width;
    p.rows = tokens;
    p.width = width;
    return [p, type](cuda::Queue& queue) { cuda::quantize_groups(queue, type, p); };
  };
  return row;
}

Row swiglu_row(int32_t tokens, int32_t width, double predicted_us, const char* reason) {
  Row row;
  row.kernel = "swiglu";
  row.shape = "T=" + std::to_string(tokens) + " F=" + std::to_string(width) + " BF16, halves of a row";
  row.bytes = 6.0 * tokens * width;
  row.flops = 6.0 * tokens * width;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [tokens, width](Memory& memory) {
    auto* both = static_cast<uint16_t*>(memory.bf16(size(tokens, 2 * int64_t{width})));
    cuda::SwigluParams p{both, both + width, memory.bytes(2 * size(tokens, width)), 2 * int64_t{width},
                         2 * int64_t{width}, width, tokens, width};
    return [p](cuda::Queue& queue) { cuda::swiglu(queue, DType::BF16, p); };
  };
  return row;
}

struct Masked {
  int32_t experts, rows, used;  // rows of an expert, and how many of them are in use
};

cuda::SwigluQuantizeParams swiglu_params(Memory& memory, int32_t experts, int32_t rows, int32_t width) {
  const size_t all = size(experts, rows);
  auto* both = static_cast<uint16_t*>(memory.bf16(all * size(2, width)));
  cuda::SwigluQuantizeParams p{};
  p.gate = both;
  p.up = both + width;
  p.codes = static_cast<uint8_t*>(memory.bytes(all * size(width)));
  p.scale_stride = cuda::scale_stride_of(rows);
  p.scales = static_cast<float*>(memory.bytes(4 * size(experts, cuda::scale_groups(width)) * size(p.scale_stride)));
  p.gate_stride = p.up_stride = 2 * int64_t{width};
  p.code_stride = width;
  p.experts = experts;
  p.rows = rows;
  p.width = width;
  return p;
}

Row swiglu_quantize_row(int32_t tokens, int32_t width, double predicted_us, const char* reason) {
  Row row;
  row.kernel = "swiglu_quantize";
  row.shape = "T=" + std::to_string(tokens) + " F=" + std::to_string(width) + " BF16";
  row.bytes = 1.0 * tokens * width * (4 + 1 + 4.0 / 128);
  row.flops = 8.0 * tokens * width;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [tokens, width](Memory& memory) {
    const cuda::SwigluQuantizeParams p = swiglu_params(memory, 1, tokens, width);
    return [p](cuda::Queue& queue) { cuda::swiglu_quantize(queue, DType::BF16, p); };
  };
  return row;
}

Row masked_row(const Masked& m, double predicted_us, const char* reason) {
  constexpr int32_t kWidth = 2048;
  Row row;
  row.kernel = "swiglu_quantize";
  row.shape = "masked E=" + std::to_string(m.experts) + " rows " + std::to_string(m.used) + " of " +
              std::to_string(m.rows) + " F=2048 BF16";
  row.bytes = 1.0 * m.experts * m.used * kWidth * (4 + 1 + 4.0 / 128) + 4.0 * m.experts;
  row.flops = 8.0 * m.experts * m.used * kWidth;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [m](Memory& memory) {
    cuda::SwigluQuantizeParams p = swiglu_params(memory, m.experts, m.rows, kWidth);
    const std::vector<int32_t> counts(size(m.experts), m.used);
    p.counts = static_cast<const int32_t*>(memory.upload(counts.data(), 4 * counts.size()));
    return [p](cuda::Queue& queue) { cuda::swiglu_quantize(queue, DType::BF16, p); };
  };
  return row;
}

}  // namespace

void quantize_rows(Rows& rows) {
  rows.push_back(groups_row(32, 7168, DType::BF16, 2.4, kFew));
  rows.push_back(groups_row(4096, 7168, DType::BF16, 34.5, kMany));
  rows.push_back(groups_row(4096, 16384, DType::BF16, 79, kMany));
  rows.push_back(groups_row(4096, 7168, DType::F32, 57, kMany));
  rows.push_back(swiglu_row(32, 2048, 2.4, kFew));
  rows.push_back(swiglu_row(4096, 2048, 20, "77 % of 3.35 TB/s, and 0.5 µs to start and drain"));
  rows.push_back(swiglu_quantize_row(32, 18432, 3.2, "0.9 µs of traffic, a launch and two trips to memory"));
  rows.push_back(swiglu_quantize_row(4096, 2048, 17, "77 % of 3.35 TB/s, and 0.5 µs to start and drain"));
  rows.push_back(swiglu_quantize_row(4096, 18432, 147, kMany));
  rows.push_back(swiglu_quantize_row(32768, 2048, 131, kMany));
  const char* masked = "as plain, and 1 µs to count the tiles; the grid is one wave whatever the layout's rows";
  rows.push_back(masked_row({8, 4096, 32}, 4.5, masked));
  rows.push_back(masked_row({256, 128, 1}, 4.5, masked));
  rows.push_back(masked_row({8, 4096, 4096}, 133, masked));
}

}  // namespace hadal::bench
