// read_words on CUDA: the exclusive or of all words of an array, one partial result a block. It does nothing but
// read, so its time is what the memory gives to a kernel that reads: the ceiling that benchmarks are held against.
#pragma once

#include "cuda/queue.h"

namespace hadal::cuda {

struct ReadWordsParams {
  const void* words;   // [count] 32-bit words
  uint32_t* partial;   // [blocks]
  int64_t count;
};

inline constexpr uint32_t kReadWordsThreads = 256;

inline constexpr Kernel kReadWords{"read_words", sizeof(ReadWordsParams), kReadWordsThreads};

// count: a multiple of 4, words of 16-byte alignment; blocks: partial results, any number.
void read_words(Queue& queue, uint32_t blocks, const ReadWordsParams& params);

}  // namespace hadal::cuda
