// Launcher of read_words: see read_words.h.
#include "cuda/measure/read_words.h"

namespace hadal::cuda {

void read_words(Queue& queue, uint32_t blocks, const ReadWordsParams& params) {
  HADAL_EXPECT(params.count >= 0 && params.count % 4 == 0,
               "read_words: expected a count that is a multiple of 4, got %lld",
               static_cast<long long>(params.count));
  HADAL_EXPECT(reinterpret_cast<uintptr_t>(params.words) % 16 == 0,
               "read_words: expected words at a multiple of 16 bytes, got %p", params.words);
  Launch launch;
  launch.grid.x = blocks;
  launch.shared_bytes = kReadWordsThreads / 32 * sizeof(uint32_t);
  queue.launch(kReadWords, launch, params);
}

}  // namespace hadal::cuda
