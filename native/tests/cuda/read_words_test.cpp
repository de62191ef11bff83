// read_words on CUDA: the exclusive or of exactly the words that are there, for every way the array can end.
#include "cuda/measure/read_words.h"
#include "tests/cuda/cuda_case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

void expect_read(size_t count, uint32_t blocks) {
  Random random(count + blocks);
  std::vector<uint32_t> words(count);
  for (uint32_t& word : words) word = static_cast<uint32_t>(random.below(int64_t{1} << 32));
  uint32_t expected = 0;
  for (const uint32_t word : words) expected ^= word;
  DeviceVector<uint32_t> in(words), partial(blocks);
  cuda::ReadWordsParams params{in.data(), partial.data(), static_cast<int64_t>(count)};
  cuda::read_words(cuda_queue(), blocks, params);
  uint32_t got = 0;
  for (const uint32_t part : partial.read()) got ^= part;
  CHECK(got == expected && in.guards_intact() && partial.guards_intact());
}

}  // namespace

int main() {
  kernel_test("read_words reads every word once", [] {
    // A round of one block is 8192 words: under it, at it, beside it, and several rounds of several blocks.
    for (const size_t count : {0, 4, 8, 1020, 1024, 1028, 8188, 8192, 8196, 24576, 40000})
      for (const uint32_t blocks : {1u, 3u})
        if (current_ok) expect_read(count, blocks);
  });
  test("a count that is no multiple of 4, and words off 16 bytes, are refused", [] {
    cuda::ReadWordsParams params{};
    params.count = 6;
    CHECK(throws(HADAL_ERROR_INVALID, "multiple of 4", [&] { cuda::read_words(cuda_queue(), 1, params); }));
    params = {reinterpret_cast<const void*>(uintptr_t{8}), nullptr, 4};
    CHECK(throws(HADAL_ERROR_INVALID, "multiple of 16", [&] { cuda::read_words(cuda_queue(), 1, params); }));
  });
  return finish();
}
