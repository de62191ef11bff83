// Softmax attention in chunks of 512 positions, merged in ascending order with running maximum and sum.
// The chunks are counted from position 0 and merged in one order whether one thread walks them or several
// compute them apart, so the result depends on the sequence alone.
#include "cpu/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/status.h"
#include "core/check.h"
#include "cpu/convert.h"
#include "cpu/leaves.h"

namespace hadal::cpu {

namespace {

constexpr int64_t kChunk = 512;     // positions; a whole number of blocks
constexpr int64_t kHeadGroup = 16;  // query heads that meet a KV block while it is in cache

int64_t block_size(const Attention& a) { return a.k_cache.shape[1]; }

// First element of position p's row of KV head g.
template <typename T>
const T* row(const Attention& a, const Tensor& cache, int64_t dim, int64_t t, int64_t p, int64_t g) {
  const int64_t size = block_size(a);
  const int64_t sequence = a.token_seq.as<int32_t>()[t];
  const int64_t block = a.block_table.row<int32_t>(sequence)[p / size];
  return cache.as<T>() + block * cache.strides[0] + p % size * cache.strides[1] + g * dim;
}

const void* row_bytes(const Attention& a, const Tensor& cache, int64_t dim, int64_t t, int64_t p, int64_t g) {
  if (cache.dtype == DType::F32) return row<float>(a, cache, dim, t, p, g);
  return row<uint16_t>(a, cache, dim, t, p, g);
}

float cached(const Attention& a, const Tensor& cache, int64_t dim, int64_t t, int64_t p, int64_t g, int64_t i) {
  return weight_at(row_bytes(a, cache, dim, t, p, g), cache.dtype, i);
}

// Heads h0 .. h0 + count of token t against one chunk of positions. acc [count, v_dim] and the running
// maximum and sum of each head are replaced by the chunk's own.
struct Part {
  float* acc;
  float* top;
  float* sum;
};

void attend_chunk(const Kernels& leaf, const Attention& a, int64_t t, int64_t h0, int64_t count,
                  const float* const* queries, int64_t begin, int64_t end, float* scores, Part part) {
  const int64_t size = block_size(a), g = h0 / (a.heads / a.kv_heads);
  float* outputs[kHeadGroup];
  for (int64_t p = begin; p < end; p += size) {
    for (int64_t i = 0; i < count; ++i) outputs[i] = scores + i * kChunk + (p - begin);
    leaf.gemm[static_cast<int>(a.k_cache.dtype)]({outputs, queries, row_bytes(a, a.k_cache, a.k_dim, t, p, g),
                                                  a.k_cache.strides[1], count, std::min(size, end - p), a.k_dim});
  }
  float* sums[kHeadGroup];
  for (int64_t i = 0; i < count; ++i) {
    float* s = scores + i * kChunk;
    sums[i] = part.acc + i * a.v_dim;
    leaf.scale(s, static_cast<float>(a.scale), s, end - begin);
    part.top[i] = leaf.max(s, end - begin);
    part.sum[i] = leaf.exp_shift_sum(s, s, part.top[i], end - begin);
    std::memset(sums[i], 0, static_cast<size_t>(a.v_dim) * sizeof(float));
  }
  const float* weights[kHeadGroup];
  for (int64_t p = begin; p < end; p += size) {
    for (int64_t i = 0; i < count; ++i) weights[i] = scores + i * kChunk + (p - begin);
    leaf.outer[static_cast<int>(a.v_cache.dtype)]({sums, weights, row_bytes(a, a.v_cache, a.v_dim, t, p, g),
                                                   a.v_cache.strides[1], count, a.v_dim, std::min(size, end - p)});
  }
}

// total ← total merged with the next chunk's part.
void merge(const Kernels& leaf, int64_t count, int64_t dim, Part total, Part part) {
  for (int64_t i = 0; i < count; ++i) {
    const float top = std::max(total.top[i], part.top[i]);
    const float keep = std::exp(total.top[i] - top), take = std::exp(part.top[i] - top);
    total.top[i] = top;
    total.sum[i] = total.sum[i] * keep + part.sum[i] * take;
    leaf.scale(total.acc + i * dim, keep, total.acc + i * dim, dim);
    leaf.axpy(total.acc + i * dim, take, part.acc + i * dim, dim);
  }
}

void finish(const Kernels& leaf, const Attention& a, int64_t t, int64_t h0, int64_t count, Part total) {
  for (int64_t i = 0; i < count; ++i)
    leaf.scale(a.output(t, h0 + i), 1.0f / total.sum[i], total.acc + i * a.v_dim, a.v_dim);
}

struct Layout {
  int64_t groups;     // head groups per token
  int64_t per_group;  // heads of a group, all of one KV head
  int64_t part;       // floats of a Part
  int64_t work;       // floats of a task's queries and scores
};

Layout layout(const Attention& a) {
  const int64_t shared = a.heads / a.kv_heads;
  const int64_t per_group = std::min(shared, kHeadGroup);
  const int64_t per_kv_head = (shared + per_group - 1) / per_group;
  return {a.kv_heads * per_kv_head, per_group, per_group * (a.v_dim + 2), per_group * (a.k_dim + kChunk)};
}

struct Group {
  int64_t first, count;
};

Group heads_of(const Attention& a, const Layout& l, int64_t group) {
  const int64_t shared = a.heads / a.kv_heads, per_kv_head = l.groups / a.kv_heads;
  const int64_t offset = group % per_kv_head * l.per_group;
  return {group / per_kv_head * shared + offset, std::min(l.per_group, shared - offset)};
}

Part part_at(const Layout& l, int64_t v_dim, float* memory) {
  return {memory, memory + l.per_group * v_dim, memory + l.per_group * (v_dim + 1)};
}

void load_queries(const Attention& a, int64_t t, Group g, float* memory, const float** queries) {
  for (int64_t i = 0; i < g.count; ++i) {
    a.query(memory + i * a.k_dim, t, g.first + i);
    queries[i] = memory + i * a.k_dim;
  }
}

// One thread walks all chunks of a (token, head group).
void attend_whole(Context& context, const Attention& a, const Layout& l) {
  const Kernels& leaf = leaves(context);
  const int64_t each = l.work + 2 * l.part;
  auto* memory = static_cast<float*>(
      context.scratch(static_cast<size_t>(context.pool.threads() * each) * sizeof(float)));
  context.pool.parallel_for(a.tokens() * l.groups, 1, [&](int64_t begin, int64_t end, int thread) {
    float* mine = memory + thread * each;
    const Part total = part_at(l, a.v_dim, mine + l.work), next = part_at(l, a.v_dim, mine + l.work + l.part);
    const float* queries[kHeadGroup];
    for (int64_t task = begin; task < end; ++task) {
      const int64_t t = task / l.groups, last = a.positions.as<int32_t>()[t] + 1;
      const Group g = heads_of(a, l, task % l.groups);
      load_queries(a, t, g, mine, queries);
      for (int64_t p = 0; p < last; p += kChunk) {
        const Part part = p == 0 ? total : next;
        attend_chunk(leaf, a, t, g.first, g.count, queries, p, std::min(last, p + kChunk), mine + l.per_group * a.k_dim,
                     part);
        if (p > 0) merge(leaf, g.count, a.v_dim, total, next);
      }
      finish(leaf, a, t, g.first, g.count, total);
    }
  });
}

// Few tokens, long contexts: chunks are computed apart and then merged in order.
void attend_split(Context& context, const Attention& a, const Layout& l, int64_t chunks) {
  const Kernels& leaf = leaves(context);
  const int64_t tasks = a.tokens() * l.groups;
  const auto floats = static_cast<size_t>(context.pool.threads() * l.work + tasks * chunks * l.part);
  auto* memory = static_cast<float*>(context.scratch(floats * sizeof(float)));
  float* parts = memory + context.pool.threads() * l.work;
  context.pool.parallel_for(tasks * chunks, 1, [&](int64_t begin, int64_t end, int thread) {
    float* mine = memory + thread * l.work;
    const float* queries[kHeadGroup];
    for (int64_t i = begin; i < end; ++i) {
      const int64_t task = i / chunks, p = i % chunks * kChunk, t = task / l.groups;
      const int64_t last = a.positions.as<int32_t>()[t] + 1;
      if (p >= last) continue;
      const Group g = heads_of(a, l, task % l.groups);
      load_queries(a, t, g, mine, queries);
      attend_chunk(leaf, a, t, g.first, g.count, queries, p, std::min(last, p + kChunk), mine + l.per_group * a.k_dim,
                   part_at(l, a.v_dim, parts + i * l.part));
    }
  });
  context.pool.parallel_for(tasks, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t t = task / l.groups, last = a.positions.as<int32_t>()[t] + 1;
      const Group g = heads_of(a, l, task % l.groups);
      const Part total = part_at(l, a.v_dim, parts + task * chunks * l.part);
      for (int64_t c = 1; c * kChunk < last; ++c)
        merge(leaf, g.count, a.v_dim, total, part_at(l, a.v_dim, parts + (task * chunks + c) * l.part));
      finish(leaf, a, t, g.first, g.count, total);
    }
  });
}

}  // namespace

void Attention::query(float* row, int64_t t, int64_t h) const {
  const auto first = static_cast<size_t>(q.shape[2]);
  std::memcpy(row, q.row<float>(t) + h * q.strides[1], first * sizeof(float));
  if (q_rope.data)
    std::memcpy(row + first, q_rope.row<float>(t) + h * q_rope.strides[1],
                static_cast<size_t>(q_rope.shape[2]) * sizeof(float));
}

void check_attention_indices(const OpCall& call, const char* op, size_t first, int64_t T) {
  expect_dense(call, op, first, "positions", kInt, {T});
  expect_dense(call, op, first + 1, "token_seq", kInt, {T});
  expect_tensor(call, op, first + 2, "block_table", kInt, {-1, -1});
}

void validate_attention(const Attention& a) {
  const int64_t size = block_size(a);
  HADAL_EXPECT(a.heads > 0 && a.heads % a.kv_heads == 0,
               "%s: heads: expected a multiple of %lld, at least 1, got %lld", a.op,
               static_cast<long long>(a.kv_heads), static_cast<long long>(a.heads));
  expect_indices(a.token_seq, a.op, "token_seq", 0, a.block_table.shape[0]);
  expect_indices(a.positions, a.op, "positions", 0, a.block_table.shape[1] * size);
  for (int64_t t = 0; t < a.tokens(); ++t) {
    const auto* blocks = a.block_table.row<int32_t>(a.token_seq.as<int32_t>()[t]);
    for (int64_t i = 0; i <= a.positions.as<int32_t>()[t] / size; ++i)
      HADAL_EXPECT(blocks[i] >= 0 && blocks[i] < a.k_cache.shape[0],
                   "%s: block_table[%d][%lld]: expected 0 to %lld, got %d", a.op, a.token_seq.as<int32_t>()[t],
                   static_cast<long long>(i), static_cast<long long>(a.k_cache.shape[0] - 1), blocks[i]);
  }
}

void attention_reference(const Attention& a) {
  validate_attention(a);
  std::vector<float> query(static_cast<size_t>(a.k_dim));
  std::vector<double> scores, sum(static_cast<size_t>(a.v_dim));
  for (int64_t t = 0; t < a.tokens(); ++t) {
    const int64_t last = a.positions.as<int32_t>()[t];
    scores.resize(static_cast<size_t>(last + 1));
    for (int64_t h = 0; h < a.heads; ++h) {
      const int64_t g = h / (a.heads / a.kv_heads);
      a.query(query.data(), t, h);
      double top = -std::numeric_limits<double>::infinity(), total = 0;
      for (int64_t p = 0; p <= last; ++p) {
        double s = 0;
        for (int64_t i = 0; i < a.k_dim; ++i)
          s += static_cast<double>(query[static_cast<size_t>(i)]) * cached(a, a.k_cache, a.k_dim, t, p, g, i);
        scores[static_cast<size_t>(p)] = s * a.scale;
        top = std::max(top, s * a.scale);
      }
      std::fill(sum.begin(), sum.end(), 0.0);
      for (int64_t p = 0; p <= last; ++p) {
        const double weight = std::exp(scores[static_cast<size_t>(p)] - top);
        total += weight;
        for (int64_t i = 0; i < a.v_dim; ++i)
          sum[static_cast<size_t>(i)] += weight * cached(a, a.v_cache, a.v_dim, t, p, g, i);
      }
      for (int64_t i = 0; i < a.v_dim; ++i) a.output(t, h)[i] = static_cast<float>(sum[static_cast<size_t>(i)] / total);
    }
  }
}

void attention_fast(Context& context, const Attention& a) {
  validate_attention(a);
  if (a.tokens() == 0) return;
  const Layout l = layout(a);
  const auto* positions = a.positions.as<int32_t>();
  const int64_t longest = *std::max_element(positions, positions + a.tokens()) + 1;
  const int64_t chunks = (longest + kChunk - 1) / kChunk;
  const bool split = chunks > 1 && a.tokens() * l.groups < 4 * context.pool.threads();
  if (split) attend_split(context, a, l, chunks);
  else attend_whole(context, a, l);
}

}  // namespace hadal::cpu
