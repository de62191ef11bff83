// Rows of the routing at DeepSeek-V3's shapes: 256 experts in 8 groups, 8 of them a token, rows of 7168 columns.
// Floors: bytes over 3.35 TB/s, beside some 2 µs of launch that every small kernel pays.
#include <numeric>
#include <random>

#include "bench/cuda/bench.h"
#include "cuda/routing/combine_experts.h"
#include "cuda/routing/gated_top_k.h"
#include "cuda/routing/permute_rows.h"
#include "cuda/routing/permute_tokens.h"

namespace hadal::bench {
namespace {

constexpr int32_t kExperts = 256, kChosen = 8, kWidth = 7168;

std::string tokens_text(int32_t tokens) { return "T=" + std::to_string(tokens); }

Row gate_row(int32_t tokens, double predicted_us, const char* reason) {
  Row row;
  row.kernel = "gated_top_k";
  row.shape = tokens_text(tokens) + " E=256 K=8 of 4/8 groups";
  row.bytes = 4.0 * kExperts * (tokens + 1) + 8.0 * kChosen * tokens;
  row.flops = 60.0 * kExperts * tokens;  // a score in pairs of floats
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [tokens](Memory& memory) {
    const auto pairs = static_cast<size_t>(tokens) * kChosen;
    cuda::GatedTopKParams p{};
    p.ids = static_cast<int32_t*>(memory.bytes(4 * pairs));
    p.weights = static_cast<float*>(memory.bytes(4 * pairs));
    p.logits = static_cast<float*>(memory.f32(static_cast<size_t>(tokens) * kExperts));
    p.bias = static_cast<float*>(memory.f32(kExperts, 0.1f));
    p.logits_stride = p.experts = kExperts;
    p.tokens = tokens;
    p.chosen = kChosen;
    p.groups = 8;
    p.groups_kept = 4;
    p.group_score = 2;
    p.normalise = 1;
    p.scale = 2.5f;
    return [p](cuda::Queue& queue) { cuda::gated_top_k(queue, p); };
  };
  return row;
}

void gate_rows(Rows& rows) {
  rows.push_back(gate_row(1, 2.5, "launch, one trip to memory, some 1500 cycles of scores and shuffles"));
  rows.push_back(gate_row(128, 3, "a warp a token on 16 multiprocessors: the same chain once"));
  rows.push_back(gate_row(4096, 9, "two tokens a warp in turn; about 1100 instructions each of 16 warps on a "
                                   "multiprocessor's four schedulers; traffic would take 1.4 µs"));
}

// Experts of each pair, all of a token's different, as a gate gives them.
std::vector<int32_t> draw_experts(int32_t tokens) {
  std::mt19937 random(1);
  std::vector<int32_t> ids, all(kExperts);
  std::iota(all.begin(), all.end(), 0);
  for (int32_t t = 0; t < tokens; ++t)
    for (int32_t k = 0; k < kChosen; ++k) {
      const auto at = static_cast<size_t>(k);
      std::swap(all[at], all[at + random() % (kExperts - at)]);
      ids.push_back(all[static_cast<size_t>(k)]);
    }
  return ids;
}

Row sort_row(int32_t tokens, double predicted_us, const char* reason) {
  Row row;
  row.kernel = "permute_tokens";
  row.shape = tokens_text(tokens) + " E=256 K=8, tiles of 128";
  row.bytes = 4.0 * tokens * kChosen * 4;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [tokens](Memory& memory) {
    constexpr int32_t kTile = 128;
    const std::vector<int32_t> ids = draw_experts(tokens);
    const int64_t capacity = cuda::tiled_capacity(static_cast<int64_t>(ids.size()), kExperts, kTile);
    const auto ints = [&](int64_t count) {
      return static_cast<int32_t*>(memory.bytes(4 * static_cast<size_t>(count)));
    };
    const auto pairs = static_cast<int64_t>(ids.size());
    cuda::PermuteTokensParams p{};
    p.ids = static_cast<int32_t*>(memory.upload(ids.data(), 4 * ids.size()));
    p.offsets = ints(kExperts + 1);
    p.rows = ints(pairs);
    p.slots = ints(pairs);
    p.layout_rows = ints(capacity);
    p.tile_experts = ints(capacity / kTile);
    p.total_rows = ints(1);
    p.scratch = ints(cuda::permute_tokens_scratch(pairs, kExperts) + 1);
    p.pairs = static_cast<int32_t>(pairs);
    p.experts = kExperts;
    p.layout = cuda::RowLayout::kTiled;
    p.tile = kTile;
    p.capacity = static_cast<int32_t>(capacity);
    return [p](cuda::Queue& queue) { cuda::permute_tokens(queue, p); };
  };
  return row;
}

// Places of the pairs in a packed layout: neighbours in a row go far apart, as on a real step.
std::vector<int32_t> packed_slots(int32_t tokens) {
  const std::vector<int32_t> ids = draw_experts(tokens);
  std::vector<int32_t> next(kExperts + 1), slots;
  for (const int32_t id : ids) ++next[static_cast<size_t>(id) + 1];
  std::partial_sum(next.begin(), next.end(), next.begin());
  for (const int32_t id : ids) slots.push_back(next[static_cast<size_t>(id)]++);
  return slots;
}

Row copy_row(int32_t tokens, bool fp8, double predicted_us, const char* reason) {
  Row row;
  const int32_t groups = fp8 ? kWidth / 128 : 0, row_bytes = fp8 ? kWidth : 2 * kWidth;
  row.kernel = "permute_rows";
  row.shape = tokens_text(tokens) + " D=7168 K=8 " + (fp8 ? "FP8 with 1x128 scales" : "BF16");
  row.bytes = (1.0 + kChosen) * tokens * (row_bytes + 4.0 * groups) + 4.0 * tokens * kChosen;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [=](Memory& memory) {
    const std::vector<int32_t> slots = packed_slots(tokens);
    const auto count = static_cast<size_t>(tokens), pairs = slots.size();
    cuda::PermuteRowsParams p{};
    p.x = fp8 ? memory.e4m3(count * kWidth) : memory.bf16(count * kWidth);
    p.out = memory.bytes(pairs * static_cast<size_t>(row_bytes));
    p.slots = static_cast<int32_t*>(memory.upload(slots.data(), 4 * pairs));
    if (fp8) p.scales = static_cast<float*>(memory.f32(count * static_cast<size_t>(groups)));
    if (fp8) p.out_scales = static_cast<float*>(memory.bytes(4 * pairs * static_cast<size_t>(groups)));
    p.x_stride = p.out_stride = p.row_bytes = row_bytes;
    p.scale_row = p.scale_groups = groups;
    p.scale_group = p.out_scale_row = 1;
    p.out_scale_group = static_cast<int64_t>(pairs);
    p.tokens = tokens;
    p.chosen = kChosen;
    return [p](cuda::Queue& queue) { cuda::permute_rows(queue, p); };
  };
  return row;
}

Row combine_row(int32_t tokens, double predicted_us, const char* reason) {
  Row row;
  row.kernel = "combine_experts";
  row.shape = tokens_text(tokens) + " D=7168 K=8 BF16 + shared expert";
  row.bytes = (kChosen + 2.0) * tokens * kWidth * 2 + 8.0 * tokens * kChosen;
  row.flops = 2.0 * tokens * kChosen * kWidth;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [tokens](Memory& memory) {
    const std::vector<int32_t> slots = packed_slots(tokens);
    const size_t count = static_cast<size_t>(tokens) * kWidth;
    cuda::CombineExpertsParams p{};
    p.out = memory.bytes(2 * count);
    p.y = memory.bf16(count * kChosen);
    p.weights = static_cast<float*>(memory.f32(slots.size()));
    p.slots = static_cast<int32_t*>(memory.upload(slots.data(), 4 * slots.size()));
    p.add = memory.bf16(count);
    p.out_stride = p.y_stride = p.add_stride = p.width = kWidth;
    p.weights_stride = p.chosen = kChosen;
    p.tokens = tokens;
    return [p](cuda::Queue& queue) { cuda::combine_experts(queue, DType::BF16, p); };
  };
  return row;
}

void sort_rows(Rows& rows) {
  rows.push_back(sort_row(1, 3, "one block: launch, one trip to memory, three barriers"));
  rows.push_back(sort_row(128, 4, "one block of 8 warps, 128 pairs each by votes"));
  rows.push_back(sort_row(512, 6, "one block of 32 warps; its 64 KB of counts are cleared and summed"));
  rows.push_back(sort_row(4096, 7, "two launches that overlap, 32 blocks; each adds up 32 KB of counts from the "
                                   "second-level cache"));
}

void copy_rows(Rows& rows) {
  rows.push_back(copy_row(32, true, 3, "launch; 0.7 µs of traffic"));
  rows.push_back(copy_row(128, true, 5, "launch and 2.5 µs of traffic on 128 blocks"));
  rows.push_back(copy_row(4096, true, 102, "80 % of 3.35 TB/s: eight writes to one read, 16 bytes a thread at a time"));
  rows.push_back(copy_row(4096, false, 197, "80 % of 3.35 TB/s"));
  rows.push_back(combine_row(32, 3.5, "launch; 1.4 µs of traffic"));
  rows.push_back(combine_row(128, 8, "launch and 5.5 µs of traffic"));
  rows.push_back(combine_row(4096, 215, "82 % of 3.35 TB/s: eight rows in flight a thread, read once"));
}

}  // namespace

void routing_rows(Rows& rows) {
  gate_rows(rows);
  sort_rows(rows);
  copy_rows(rows);
}

}  // namespace hadal::bench
