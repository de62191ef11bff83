// Rows of the kernels that only measure the machine.
#include "bench/cuda/bench.h"
#include "cuda/measure/read_words.h"

namespace hadal::bench {

void measure_rows(Rows& rows) {
  constexpr size_t kBytes = size_t{1} << 30;
  Row row;
  row.kernel = "read_words";
  row.shape = "1 GiB";
  row.bytes = static_cast<double>(kBytes);
  row.predicted_us = 356;
  row.reason = "90 % of 3.35 TB/s: reads alone, no turn of the bus from reading to writing";
  row.prepare = [](Memory& memory) {
    constexpr uint32_t kBlocks = 132 * 8;
    cuda::ReadWordsParams params{memory.f32(kBytes / 4), nullptr, kBytes / 4};
    params.partial = static_cast<uint32_t*>(memory.bytes(kBlocks * sizeof(uint32_t)));
    return [params](cuda::Queue& queue) { cuda::read_words(queue, kBlocks, params); };
  };
  rows.push_back(row);
}

}  // namespace hadal::bench
