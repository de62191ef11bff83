// Causal attention over the paged cache, shared by MLA (one KV head, V = first columns of K) and GQA.
#pragma once

#include <cstdint>

#include "core/host.h"

namespace hadal::cpu {

struct Attention {
  const char* op;
  Tensor k_cache, v_cache;     // [B, 64, C]; MLA: the same cache twice
  int64_t kv_heads;            // KV head g lies at column g·k_dim, g·v_dim
  int64_t heads, k_dim, v_dim;
  Tensor positions, token_seq, block_table;
  double scale;
  Tensor out;                  // [T, H, v_dim]
  Tensor q, q_rope;            // query parts, concatenated to k_dim; q_rope.data may be null

  int64_t tokens() const { return out.shape[0]; }
  float* output(int64_t t, int64_t h) const { return out.row<float>(t) + h * out.strides[1]; }
  void query(float* row, int64_t t, int64_t h) const;
};

// Every index that attention will follow is in range: positions, sequences, blocks.
void validate_attention(const Attention& a);
void attention_reference(const Attention& a);
void attention_fast(Context& context, const Attention& a);
// positions [T], token_seq [T], block_table [S, M] at arguments first .. first + 2.
void check_attention_indices(const OpCall& call, const char* op, size_t first, int64_t T);

}  // namespace hadal::cpu
