// permute_tokens on CUDA against the CPU's op, bit for bit, and the layouts of grouped products against what their
// contract says: none, few and many tokens, lonely and crowded experts, tiles, masks that overflow, foreign ids.
#include "cuda/routing/permute_tokens.h"
#include "tests/cuda/cuda_case.h"

using namespace hadal;
using namespace hadal::testing;
using cuda::RowLayout;

namespace {

using Ints = std::vector<int32_t>;

struct Sorted {
  Ints offsets, rows, slots, layout_rows, tile_experts, total, counts;
};

// Everything that the kernel writes starts as −7.
struct Run {
  size_t layout_count = 0;  // first: those after it are made with it
  DeviceVector<int32_t> ids, offsets, rows, slots, layout_rows, tile_experts, total, counts, scratch;
  cuda::PermuteTokensParams p{};

  Run(const Ints& values, int32_t experts, RowLayout layout, int32_t size)
      : ids(values), offsets(Ints(static_cast<size_t>(experts) + 1, -7)), rows(Ints(values.size(), -7)),
        slots(Ints(values.size(), -7)), layout_rows(Ints(rows_of(values, experts, layout, size), -7)),
        tile_experts(Ints(layout == RowLayout::kTiled ? layout_count / static_cast<size_t>(size) : 0, -7)),
        total(Ints(1, -7)), counts(Ints(static_cast<size_t>(experts), -7)),
        scratch(static_cast<size_t>(cuda::permute_tokens_scratch(static_cast<int64_t>(values.size()), experts))) {
    p = {ids.data(), offsets.data(), rows.data(), slots.data(), layout_rows.data(), tile_experts.data(), total.data(),
         counts.data(), scratch.data(), static_cast<int32_t>(values.size()), experts, layout, size,
         static_cast<int32_t>(layout_count), size};
  }
  Sorted sorted() {
    ids.written_by_kernel();
    cuda::permute_tokens(cuda_queue(), p);
    for (const auto* v : {&ids, &offsets, &rows, &slots, &layout_rows, &tile_experts, &total, &counts, &scratch})
      CHECK(v->guards_intact());
    return {offsets.read(), rows.read(), slots.read(), layout_rows.read(), tile_experts.read(), total.read(),
            counts.read()};
  }

 private:
  size_t rows_of(const Ints& values, int32_t experts, RowLayout layout, int32_t size) {
    const auto pairs = static_cast<int64_t>(values.size());
    if (layout == RowLayout::kTiled) layout_count = static_cast<size_t>(cuda::tiled_capacity(pairs, experts, size));
    if (layout == RowLayout::kMasked) layout_count = static_cast<size_t>(experts * size);
    if (layout == RowLayout::kPacked) layout_count = values.size();
    return layout_count;
  }
};

// The CPU's sort, of pairs that have an expert here.
void expect_sorted(const Ints& ids, int32_t experts, const Sorted& got) {
  Ints kept, pair_of;
  for (size_t p = 0; p < ids.size(); ++p) {
    if (ids[p] < 0 || ids[p] >= experts) continue;
    kept.push_back(ids[p]);
    pair_of.push_back(static_cast<int32_t>(p));
  }
  const auto count = static_cast<int64_t>(kept.size());
  Array in(DType::I32, {count, 1}), offsets(DType::I32, {experts + 1}), rows(DType::I32, {count, 1});
  for (int64_t i = 0; i < count; ++i) in.at<int32_t>(i) = kept[static_cast<size_t>(i)];
  run_reference({"permute_tokens", {{offsets.view()}, {rows.view()}, {in.view()}}});
  for (int64_t e = 0; e <= experts; ++e) CHECK(got.offsets[static_cast<size_t>(e)] == offsets.at<int32_t>(e));
  for (size_t i = 0; i < ids.size(); ++i) {
    const int32_t want = i < kept.size() ? pair_of[static_cast<size_t>(rows.at<int32_t>(static_cast<int64_t>(i)))] : -7;
    CHECK(got.rows[i] == want);
    if (!current_ok) return;
  }
}

// What the layout must be, from offsets and rows.
Sorted laid_out(const Ints& ids, int32_t experts, RowLayout layout, int32_t size, const Sorted& got) {
  Sorted want = got;
  want.slots.assign(ids.size(), -1);
  want.layout_rows.assign(got.layout_rows.size(), -7);
  want.tile_experts.assign(got.tile_experts.size(), -1);
  int32_t next = 0, tiles = 0;
  for (int32_t e = 0; e < experts; ++e) {
    const int32_t begin = got.offsets[static_cast<size_t>(e)], count = got.offsets[static_cast<size_t>(e) + 1] - begin;
    if (layout == RowLayout::kMasked) next = e * size;
    if (layout == RowLayout::kMasked) want.counts[static_cast<size_t>(e)] = std::min(count, size);
    for (int32_t i = 0; i < count; ++i) {
      if (layout == RowLayout::kMasked && i >= size) break;
      const int32_t pair = got.rows[static_cast<size_t>(begin + i)];
      want.layout_rows[static_cast<size_t>(next)] = pair;
      want.slots[static_cast<size_t>(pair)] = next++;
    }
    if (layout != RowLayout::kTiled) continue;
    for (; next % size != 0; ++next) want.layout_rows[static_cast<size_t>(next)] = -1;
    for (; tiles < next / size; ++tiles) want.tile_experts[static_cast<size_t>(tiles)] = e;
  }
  if (layout == RowLayout::kTiled) want.total[0] = next;
  return want;
}

void expect_permutation(const Ints& ids, int32_t experts, RowLayout layout, int32_t size) {
  const Sorted got = Run(ids, experts, layout, size).sorted();
  expect_sorted(ids, experts, got);
  if (!current_ok) return;
  const Sorted want = laid_out(ids, experts, layout, size, got);
  CHECK(got.slots == want.slots);
  CHECK(got.layout_rows == want.layout_rows);
  if (layout == RowLayout::kTiled) CHECK(got.tile_experts == want.tile_experts && got.total == want.total);
  if (layout == RowLayout::kMasked) CHECK(got.counts == want.counts);
  if (!current_ok) std::printf("  %zu pairs, %d experts, layout %d of %d\n", ids.size(), experts,
                               static_cast<int>(layout), size);
}

// lonely: the expert of all pairs; −1 draws one for each.
Ints draw(uint64_t seed, size_t pairs, int32_t experts, int32_t lonely = -1) {
  Random random(seed);
  Ints ids(pairs);
  for (int32_t& id : ids) id = lonely >= 0 ? lonely : static_cast<int32_t>(random.below(experts));
  return ids;
}

struct Layout {
  RowLayout kind;
  int32_t size;
};
const Layout kLayouts[] = {{RowLayout::kPacked, 1}, {RowLayout::kTiled, 64}, {RowLayout::kTiled, 128},
                           {RowLayout::kTiled, 1}, {RowLayout::kMasked, 48}, {RowLayout::kMasked, 3}};

void value_tests() {
  kernel_test("one block: no pairs to 4096, every layout", [] {
    for (const int32_t experts : {1, 7, 64, 256, 512})
      for (const size_t pairs : {0, 1, 8, 31, 33, 56, 256, 264, 1024, 1025, 4096})
        for (const Layout& layout : kLayouts)
          if (current_ok && (pairs < 1000 || experts == 256 || layout.size == 64))
            expect_permutation(draw(pairs, pairs, experts), experts, layout.kind, layout.size);
  });
  kernel_test("many blocks: tails of chunks, every layout", [] {
    for (const size_t pairs : {4097, 5120, 6001})
      for (const Layout& layout : kLayouts)
        if (current_ok) expect_permutation(draw(pairs, pairs, 256), 256, layout.kind, layout.size);
    expect_permutation(draw(5, 5000, 512), 512, RowLayout::kTiled, 64);
  });
  test("4096 tokens of 8 experts", [] {
    expect_permutation(draw(9, 32768, 256), 256, RowLayout::kTiled, 128);
    expect_no_hazards();
  });
  kernel_test("all pairs to one expert, the first, a middle or the last", [] {
    for (const size_t pairs : {40, 2000, 4500})
      for (const int32_t lonely : {0, 77, 255})
        for (const Layout& layout : {kLayouts[1], kLayouts[4]})
          if (current_ok) expect_permutation(draw(1, pairs, 256, lonely), 256, layout.kind, layout.size);
  });
  kernel_test("pairs whose expert is none of these are left out", [] {
    for (const size_t pairs : {50, 2000, 5000}) {
      Ints ids = draw(pairs, pairs, 40);
      Random random(pairs);
      for (int32_t& id : ids)
        if (random.below(3) == 0) id = std::vector<int32_t>{-1, 40, INT32_MAX, INT32_MIN}[static_cast<size_t>(random.below(4))];
      for (const Layout& layout : kLayouts)
        if (current_ok) expect_permutation(ids, 40, layout.kind, layout.size);
    }
  });
}

void refusal_tests() {
  test("sizes that do not fit are refused", [] {
    const auto refused = [](const char* part, const std::function<void(cuda::PermuteTokensParams&)>& spoil) {
      Run run(draw(1, 5000, 16), 16, RowLayout::kTiled, 64);
      spoil(run.p);
      CHECK(throws(HADAL_ERROR_INVALID, part, [&] { cuda::permute_tokens(cuda_queue(), run.p); }));
    };
    refused("experts: expected 1 to 512, got 513", [](auto& p) { p.experts = 513; });
    refused("experts: expected 1 to 512, got 0", [](auto& p) { p.experts = 0; });
    refused("pairs: expected 0 to 2^24, got -1", [](auto& p) { p.pairs = -1; });
    refused("tile: expected a power of two up to 256, got 96", [](auto& p) { p.tile = 96; });
    refused("capacity: expected a multiple of 64, at least 6016, got 5952", [](auto& p) { p.capacity = 5952; });
    refused("capacity: expected a multiple of 64", [](auto& p) { p.capacity += 1; });
    refused("expected its three tensors, got null", [](auto& p) { p.total_rows = nullptr; });
    refused("scratch: expected 80 integers, got null", [](auto& p) { p.scratch = nullptr; });
    refused("rows an expert: expected 1 to 134217727, got 0",
            [](auto& p) { p.layout = RowLayout::kMasked, p.max_rows = 0; });
    refused("expected its counts, got null", [](auto& p) { p.layout = RowLayout::kMasked, p.counts = nullptr; });
  });
}

}  // namespace

int main() {
  value_tests();
  refusal_tests();
  return finish();
}
