// Rows of sampling at DeepSeek-V3's vocabulary. Floors: the logits once over 3.35 TB/s. What a draw reads again comes
// from the second-level cache, up to some 90 rows of 517 KB.
#include "bench/cuda/bench.h"
#include "cuda/sampling/gather_rows.h"
#include "cuda/sampling/sample.h"

namespace hadal::bench {
namespace {

constexpr int32_t kVocabulary = 129280;

struct Way {
  const char* name;
  float temperature, top_p, top_k, scale;  // scale: of the random logits; 4 has a few likely ids, 1 has none
};

Row sample_row(int32_t rows, const Way& way, double predicted_us, const char* reason) {
  Row row;
  row.kernel = "sample";
  row.shape = "N=" + std::to_string(rows) + " V=129280 F32, " + way.name;
  row.bytes = 4.0 * rows * kVocabulary;
  row.flops = 8.0 * rows * kVocabulary;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [=](Memory& memory) {
    const auto count = static_cast<size_t>(rows);
    std::vector<float> options;
    std::vector<int32_t> seeds;
    for (int32_t n = 0; n < rows; ++n) {
      options.insert(options.end(), {way.temperature, way.top_p, way.top_k, 0, 1, 0, 0, 0});
      seeds.insert(seeds.end(), {n, 1, 2, 3});
    }
    cuda::SampleParams p{};
    p.ids = static_cast<int32_t*>(memory.bytes(4 * count));
    p.logprobs = static_cast<float*>(memory.bytes(4 * count));
    p.top_ids = static_cast<int32_t*>(memory.bytes(80 * count));
    p.top_logprobs = static_cast<float*>(memory.bytes(80 * count));
    p.logits = memory.f32(count * kVocabulary, way.scale);
    p.params = static_cast<float*>(memory.upload(options.data(), 4 * options.size()));
    p.seeds = static_cast<int32_t*>(memory.upload(seeds.data(), 4 * seeds.size()));
    p.scratch = cuda::sample_scratch(memory.bytes(cuda::sample_scratch_bytes(rows, kVocabulary, false)), rows,
                                     kVocabulary, false);
    p.logits_stride = p.vocabulary = kVocabulary;
    p.rows = rows;
    return [p](cuda::Queue& queue) { cuda::sample(queue, DType::F32, p); };
  };
  return row;
}

Row gather_row(int32_t count, double predicted_us, const char* reason) {
  Row row;
  constexpr int32_t kBytes = 7168 * 2, kFrom = 4096;
  row.kernel = "gather_rows";
  row.shape = "N=" + std::to_string(count) + " D=7168 BF16";
  row.bytes = 2.0 * count * kBytes;
  row.predicted_us = predicted_us;
  row.reason = reason;
  row.prepare = [count](Memory& memory) {
    std::vector<int32_t> rows;
    for (int32_t n = 0; n < count; ++n) rows.push_back(n * 1237 % kFrom);
    const auto* indices = static_cast<const int32_t*>(memory.upload(rows.data(), 4 * rows.size()));
    const cuda::GatherRowsParams p{memory.bytes(static_cast<size_t>(count) * kBytes),
                                   memory.bf16(static_cast<size_t>(kFrom) * kBytes / 2), indices, kBytes, kBytes, count,
                                   kFrom, kBytes};
    return [p](cuda::Queue& queue) { cuda::gather_rows(queue, p); };
  };
  return row;
}

}  // namespace

void sampling_rows(Rows& rows) {
  const Way greedy{"temperature 0", 0, 1, 0, 4}, plain{"temperature 1", 1, 1, 0, 4};
  const Way usual{"0.6, top-p 0.95", 0.6f, 0.95f, 0, 4}, top_k{"top-k 50", 1, 1, 50, 4};
  const Way flat{"top-p 0.95 of flat logits", 1, 0.95f, 0, 1};
  rows.push_back(sample_row(1, greedy, 5, "two launches that overlap; 32 blocks read 16 KB each"));
  rows.push_back(sample_row(32, greedy, 9, "4.9 µs of traffic at 80 %, the second launch"));
  rows.push_back(sample_row(128, greedy, 28, "19.8 µs of traffic at 80 %, the second launch"));
  rows.push_back(sample_row(32, plain, 11, "greedy's, a second exponential an id, and one slice of 16 KB again"));
  rows.push_back(sample_row(128, plain, 31, "greedy's, exponentials hidden behind traffic, and one slice again"));
  rows.push_back(sample_row(32, usual, 16, "greedy's, then the pieces with likely ids, two sorts of some hundred"));
  rows.push_back(sample_row(32, top_k, 14, "greedy's, a rank for each of 256 pieces, some 50 of them read, two sorts"));
  rows.push_back(sample_row(32, flat, 70, "greedy's, then six passes over the row by one block from the second-level "
                                          "cache, some 9 µs each with the histograms' atomics"));
  rows.push_back(gather_row(128, 3, "launch; 1.1 µs of traffic"));
}

}  // namespace hadal::bench
