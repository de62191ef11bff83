// Launcher of embed_tokens: see embed_tokens.h.
#include "cuda/embed/embed_tokens.h"

#include <algorithm>

#include "cuda/rows_check.h"

namespace hadal::cuda {

namespace {

const Kernel& instance(DType table, DType out) {
  const bool wide = out == DType::F32;
  if (wide || out == DType::BF16) {
    if (table == DType::BF16) return wide ? kEmbedTokensBf16F32 : kEmbedTokensBf16;
    if (table == DType::F16) return wide ? kEmbedTokensF16F32 : kEmbedTokensF16Bf16;
    if (table == DType::F32) return wide ? kEmbedTokensF32 : kEmbedTokensF32Bf16;
  }
  no_instance("embed_tokens", std::string("table ") + dtype_name(table) + ", out " + dtype_name(out));
}

}  // namespace

void embed_tokens(Queue& queue, DType table, DType out, const EmbedTokensParams& p) {
  const Kernel& kernel = instance(table, out);
  const auto bytes = static_cast<int64_t>(dtype_size(out));
  expect_row_count("embed_tokens", p.tokens);
  expect_width("embed_tokens", p.width, 8, kMostColumns);
  expect_rows("embed_tokens", "out", p.out, p.tokens, p.width * bytes, p.out_stride * bytes);
  if (p.tokens > 0) {
    expect_pointer("embed_tokens", "table", p.table, 16);
    expect_pointer("embed_tokens", "ids", p.ids, 4);
  }
  const int64_t per = 16 / static_cast<int64_t>(std::max(dtype_size(table), dtype_size(out)));
  queue.launch(kernel, item_launch("embed_tokens", p.tokens, p.width / per), p);
}

}  // namespace hadal::cuda
