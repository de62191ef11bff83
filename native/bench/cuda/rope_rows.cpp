// Rows of rope and of the KV writes at DeepSeek-V3's shapes. Floors: bytes over 3.35 TB/s.
#include "bench/cuda/bench.h"
#include "cuda/rope/rope.h"
#include "cuda/rope/write_kv.h"
#include "cuda/rope/write_mla_kv.h"

namespace hadal::bench {
namespace {

constexpr const char* kFew = "one launch and three trips to memory (position, row, store)";

size_t size(int64_t a, int64_t b = 1) { return static_cast<size_t>(a) * static_cast<size_t>(b); }

const int32_t* positions(Memory& memory, int32_t tokens) {
  std::vector<int32_t> all;
  for (int32_t t = 0; t < tokens; ++t) all.push_back(t);
  return static_cast<const int32_t*>(memory.upload(all.data(), 4 * all.size()));
}
const float* frequencies(Memory& memory) {
  std::vector<float> all;
  for (int i = 0; i < 32; ++i) all.push_back(1.0f / static_cast<float>(1 + 300 * i));
  return static_cast<const float*>(memory.upload(all.data(), 4 * all.size()));
}
// A slot for each token, in blocks that are not in order.
const int32_t* slots(Memory& memory, int32_t tokens) {
  std::vector<int32_t> all;
  const int32_t blocks = (tokens + 63) / 64;
  for (int32_t t = 0; t < tokens; ++t) all.push_back((t / 64 * 7 + 3) % blocks * 64 + t % 64);
  return static_cast<const int32_t*>(memory.upload(all.data(), 4 * all.size()));
}

// The query's rotary columns in place, as they lie in [T, 128, 192].
Row rope_row(int32_t tokens, double predicted_us, const char* reason) {
  Row row;
  row.kernel = "rope";
  row.shape = "T=" + std::to_string(tokens) + " H=128 R=64 of 192 BF16";
  row.bytes = 4.0 * tokens * 128 * 64;
  row.flops = 3.0 * tokens * 128 * 64;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [tokens](Memory& memory) {
    cuda::RopeParams p{};
    auto* q = static_cast<uint16_t*>(memory.bf16(size(tokens, 128 * 192)));
    p.x = p.out = q + 128;
    p.positions = positions(memory, tokens);
    p.inv_freq = frequencies(memory);
    p.x_token_stride = p.out_token_stride = 128 * 192;
    p.x_head_stride = p.out_head_stride = 192;
    p.tokens = tokens;
    p.heads = 128;
    p.width = 64;
    p.factor = 1;
    return [p](cuda::Queue& queue) { cuda::rope(queue, DType::BF16, p); };
  };
  return row;
}

Row write_mla_row(int32_t tokens, DType cache, double predicted_us, const char* reason) {
  const int64_t bytes = cache == DType::BF16 ? 1152 : cuda::mla_fp8_row_bytes(512, 64);
  Row row;
  row.kernel = "write_mla_kv";
  row.shape = "T=" + std::to_string(tokens) + " L=512 R=64 BF16, cache " + dtype_name(cache);
  row.bytes = tokens * (1152.0 + static_cast<double>(bytes) + 8);
  row.flops = 3.0 * tokens * 64;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [tokens, cache, bytes](Memory& memory) {
    cuda::WriteMlaKvParams p{};
    auto* kv = static_cast<uint16_t*>(memory.bf16(size(tokens, 576)));
    p.latent = kv;
    p.rotary = kv + 512;
    p.positions = positions(memory, tokens);
    p.slots = slots(memory, tokens);
    p.inv_freq = frequencies(memory);
    p.cache_rows = (tokens + 63) / 64 * 64;
    p.cache = static_cast<uint8_t*>(memory.bytes(size(p.cache_rows, bytes)));
    p.latent_stride = p.rotary_stride = 576;
    p.cache_row_bytes = bytes;
    p.tokens = tokens;
    p.latent_width = 512;
    p.rotary_width = 64;
    p.factor = 1;
    p.scale_kind = cuda::ScaleKind::kPowerOfTwo;
    return [p, cache](cuda::Queue& queue) { cuda::write_mla_kv(queue, DType::BF16, cache, p); };
  };
  return row;
}

Row write_kv_row(int32_t tokens, double predicted_us, const char* reason) {
  Row row;
  row.kernel = "write_kv";
  row.shape = "T=" + std::to_string(tokens) + " C=1024 F32, cache F16";
  row.bytes = tokens * (1024.0 * 6 + 4);
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [tokens](Memory& memory) {
    cuda::WriteKvParams p{};
    p.src = memory.f32(size(tokens, 1024));
    p.cache_rows = (tokens + 63) / 64 * 64;
    p.cache = memory.bytes(size(p.cache_rows, 2 * 1024));
    p.slots = slots(memory, tokens);
    p.src_stride = p.cache_stride = 1024;
    p.rows = tokens;
    p.width = 1024;
    return [p](cuda::Queue& queue) { cuda::write_kv(queue, DType::F32, DType::F16, p); };
  };
  return row;
}

}  // namespace

void rope_rows(Rows& rows) {
  rows.push_back(rope_row(1, 2.6, kFew));
  rows.push_back(rope_row(128, 3.6, "1.3 µs of traffic, a launch and two trips to memory"));
  rows.push_back(rope_row(4096, 57, "70 % of 3.35 TB/s: runs of 128 bytes, 384 apart, in place"));
  rows.push_back(write_mla_row(32, DType::BF16, 2.6, kFew));
  rows.push_back(write_mla_row(32, DType::F8_E4M3, 2.8, kFew));
  rows.push_back(write_mla_row(4096, DType::BF16, 6.0, "2.8 µs of traffic, 1024 short blocks and a launch"));
  rows.push_back(write_mla_row(4096, DType::F8_E4M3, 5.5, "2.2 µs of traffic, 1024 short blocks and a launch"));
  rows.push_back(write_kv_row(4096, 11, "7.5 µs of traffic at 70 %: one wave and a half of small blocks"));
}

}  // namespace hadal::bench
