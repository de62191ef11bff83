// Rows of the plain movers at DeepSeek-V3's shapes. Floors: bytes over 3.35 TB/s.
#include "bench/cuda/bench.h"
#include "cuda/embed/add.h"
#include "cuda/embed/copy.h"
#include "cuda/embed/embed_tokens.h"

namespace hadal::bench {
namespace {

constexpr int32_t kWidth = 7168;
constexpr const char* kFew = "one launch and two or three trips to memory";
constexpr const char* kMany = "80 % of 3.35 TB/s: four loads of 16 bytes in flight a thread, 128 KB an SM";

size_t size(int64_t a, int64_t b = 1) { return static_cast<size_t>(a) * static_cast<size_t>(b); }

// Indices into `of` rows, far apart.
const int32_t* indices(Memory& memory, int32_t count, int32_t of) {
  std::vector<int32_t> all;
  for (int32_t i = 0; i < count; ++i) all.push_back(static_cast<int32_t>(int64_t{i} * 7919 % of));
  return static_cast<const int32_t*>(memory.upload(all.data(), 4 * all.size()));
}

Row embed_row(int32_t tokens, double predicted_us, const char* reason) {
  Row row;
  row.kernel = "embed_tokens";
  row.shape = "T=" + std::to_string(tokens) + " D=7168 V=129280, BF16 to BF16";
  row.bytes = 4.0 * tokens * kWidth;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [tokens](Memory& memory) {
    constexpr int32_t kVocabulary = 16384;  // of 129280: enough to leave the second-level cache
    cuda::EmbedTokensParams p{memory.bytes(2 * size(tokens, kWidth)), indices(memory, tokens, kVocabulary),
                              memory.bf16(size(kVocabulary, kWidth)), kWidth, tokens, kVocabulary, kWidth};
    return [p](cuda::Queue& queue) { cuda::embed_tokens(queue, DType::BF16, DType::BF16, p); };
  };
  return row;
}

Row add_row(int32_t tokens, double predicted_us, const char* reason) {
  Row row;
  row.kernel = "add";
  row.shape = "T=" + std::to_string(tokens) + " D=7168 BF16";
  row.bytes = 6.0 * tokens * kWidth;
  row.flops = 1.0 * tokens * kWidth;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [tokens](Memory& memory) {
    const size_t count = size(tokens, kWidth);
    cuda::AddParams p{memory.bf16(count), memory.bf16(count), memory.bytes(2 * count), kWidth, kWidth, kWidth, tokens, kWidth};
    return [p](cuda::Queue& queue) { cuda::add(queue, DType::BF16, p); };
  };
  return row;
}

Row copy_row(int32_t tokens, double predicted_us, const char* reason) {
  Row row;
  row.kernel = "copy";
  row.shape = "T=" + std::to_string(tokens) + " D=7168 BF16";
  row.bytes = 4.0 * tokens * kWidth;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [tokens](Memory& memory) {
    const size_t count = size(tokens, kWidth);
    cuda::CopyParams p{memory.bf16(count), memory.bytes(2 * count), 2 * kWidth, 2 * kWidth, tokens, 2 * kWidth};
    return [p](cuda::Queue& queue) { cuda::copy(queue, p); };
  };
  return row;
}

}  // namespace

void embed_rows(Rows& rows) {
  rows.push_back(embed_row(32, 2.6, kFew));
  rows.push_back(embed_row(4096, 44, kMany));
  rows.push_back(add_row(32, 2.4, kFew));
  rows.push_back(add_row(4096, 66, kMany));
  rows.push_back(copy_row(4096, 44, kMany));
}

}  // namespace hadal::bench
