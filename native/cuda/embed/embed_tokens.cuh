// Device body of embed_tokens: see embed_tokens.h. A vector is 16 bytes of the wider format.
#pragma once

#include "cuda/embed/embed_tokens.h"
#include "cuda/embed/items.cuh"

namespace hadal::device {

template <typename T, typename Out>
HADAL_DEVICE void embed_tokens(const cuda::EmbedTokensParams& p) {
  constexpr int kPer = 16 / static_cast<int>(sizeof(T) > sizeof(Out) ? sizeof(T) : sizeof(Out));
  const RowItems items(static_cast<uint32_t>(p.tokens), static_cast<uint32_t>(p.width / kPer));
  float values[kItems][kPer];
  wait_for_previous_kernel();
  Words<kWordsOf<T, kPer>> raw[kItems];
  bool known[kItems];
  HADAL_UNROLL
  for (int k = 0; k < kItems; ++k) {
    raw[k] = {};
    const int64_t id = items.inside[k] ? p.ids[items.row[k]] : -1;
    known[k] = id >= 0 && id < p.vocabulary;
    if (known[k])
      raw[k] = load_words_once<kWordsOf<T, kPer>>(static_cast<const T*>(p.table) + id * p.width + items.column[k] * kPer);
  }
  let_next_kernel_start();
  HADAL_UNROLL
  for (int k = 0; k < kItems; ++k) {
    if (!items.inside[k]) continue;
    unpack_words<T>(raw[k], values[k]);
    HADAL_UNROLL
    for (int i = 0; i < kPer; ++i)
      if (!known[k]) values[k][i] = bits_to_float(0x7fc00000u);
    store_words(static_cast<Out*>(p.out) + items.row[k] * p.out_stride + items.column[k] * kPer,
                pack_words<Out>(values[k]));
  }
}

}  // namespace hadal::device
