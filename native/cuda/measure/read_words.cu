// The instance of read_words.
#include "cuda/measure/read_words.cuh"

HADAL_KERNEL(read_words, hadal::cuda::ReadWordsParams, 256, 8) { hadal::device::read_words(p); }
