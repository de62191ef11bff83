// Rows of the routing at DeepSeek-V3's shapes: 256 experts in 8 groups, 8 of them a token, rows of 7168 columns.
// Floors: bytes over 3.35 TB/s, beside some 2 µs of launch that every small kernel pays.
#include "bench/cuda/bench.h"
#include "cuda/routing/gated_top_k.h"

namespace hadal::bench {
namespace {

constexpr int32_t kExperts = 256, kChosen = 8;

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

}  // namespace

void routing_rows(Rows& rows) {
  gate_rows(rows);
}

}  // namespace hadal::bench
