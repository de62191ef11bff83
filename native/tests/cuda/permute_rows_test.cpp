// permute_rows and combine_experts on CUDA, alone and around the layouts of permute_tokens: every byte of a row and
// every scale at its place and nothing elsewhere; sums against the CPU's op, and the same bits in any company.
#include "cuda/routing/permute_rows.h"

#include <numeric>

#include "cuda/routing/combine_experts.h"
#include "cuda/routing/permute_tokens.h"
#include "tests/cuda/cuda_case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using Bytes = std::vector<uint8_t>;
using Ints = std::vector<int32_t>;

// Slots that are all different, every fifth none.
Ints some_slots(Random& random, int32_t pairs, int32_t rows) {
  Ints order(static_cast<size_t>(rows));
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[static_cast<size_t>(random.below(static_cast<int64_t>(i)))]);
  order.resize(static_cast<size_t>(pairs));
  for (size_t i = 4; i < order.size(); i += 5) order[i] = -1;
  return order;
}

struct Shape {
  int32_t tokens, chosen, row_bytes, padding, groups;
  bool columns;  // scales of the output lie group by group
};

void expect_rows(const Shape& s) {
  Random random(static_cast<uint64_t>(s.tokens + s.row_bytes));
  const int32_t pairs = s.tokens * s.chosen, rows = pairs + 5, stride = s.row_bytes + s.padding;
  const Ints slots = some_slots(random, pairs, rows);
  Bytes x(static_cast<size_t>(s.tokens * stride));
  for (uint8_t& byte : x) byte = static_cast<uint8_t>(random.below(256));
  Bytes want(static_cast<size_t>(rows * stride), 0x77);
  std::vector<float> scales = normals(random, static_cast<size_t>(s.tokens * s.groups));
  std::vector<float> want_scales(static_cast<size_t>(rows * s.groups), -7);
  const int64_t row_step = s.columns ? 1 : s.groups, group_step = s.columns ? rows : 1;
  for (int32_t p = 0; p < pairs; ++p) {
    const int32_t slot = slots[static_cast<size_t>(p)], token = p / s.chosen;
    if (slot < 0) continue;
    std::copy_n(&x[static_cast<size_t>(token * stride)], s.row_bytes, &want[static_cast<size_t>(slot * stride)]);
    for (int32_t g = 0; g < s.groups; ++g)
      want_scales[static_cast<size_t>(slot * row_step + g * group_step)] = scales[static_cast<size_t>(token * s.groups + g)];
  }
  DeviceVector<uint8_t> in(x), out(Bytes(want.size(), 0x77));
  DeviceVector<float> in_scales(scales), out_scales(std::vector<float>(want_scales.size(), -7));
  DeviceVector<int32_t> device_slots(slots);
  in.written_by_kernel();
  in_scales.written_by_kernel();
  device_slots.written_by_kernel();
  cuda::PermuteRowsParams p{};
  p.x = in.data();
  p.out = out.data();
  p.slots = device_slots.data();
  p.scales = s.groups > 0 ? in_scales.data() : nullptr;
  p.out_scales = s.groups > 0 ? out_scales.data() : nullptr;
  p.x_stride = p.out_stride = stride;
  p.scale_row = s.groups;
  p.scale_group = 1;
  p.out_scale_row = row_step;
  p.out_scale_group = group_step;
  p.tokens = s.tokens;
  p.chosen = s.chosen;
  p.row_bytes = s.row_bytes;
  p.scale_groups = s.groups;
  cuda::permute_rows(cuda_queue(), p);
  CHECK(in.guards_intact() && out.guards_intact() && out_scales.guards_intact());
  CHECK(out.read() == want && out_scales.read() == want_scales);
}

void row_tests() {
  kernel_test("permute_rows copies rows and scales to their slots and leaves the rest", [] {
    for (const int32_t tokens : {0, 1, 7, 33})
      for (const Shape& s : {Shape{tokens, 8, 7168, 0, 56, true}, Shape{tokens, 8, 14336, 0, 0, false},
                             Shape{tokens, 3, 16, 16, 1, false}, Shape{tokens, 1, 8192, 48, 300, true},
                             Shape{tokens, 16, 8208, 0, 2, false}})
        if (current_ok && (tokens < 33 || s.row_bytes < 8000)) expect_rows(s);
  });
  test("permute_rows refuses what is not of 16 bytes, and scales without a place", [] {
    alignas(16) static uint8_t memory[64];
    const auto refused = [](const char* part, const std::function<void(cuda::PermuteRowsParams&)>& spoil) {
      cuda::PermuteRowsParams p{};
      p.x = p.out = memory;
      p.x_stride = p.out_stride = p.row_bytes = 32;
      p.tokens = p.chosen = 1;
      spoil(p);
      CHECK(throws(HADAL_ERROR_INVALID, part, [&] { cuda::permute_rows(cuda_queue(), p); }));
    };
    refused("row: expected a multiple of 16 bytes, got 24", [](auto& p) { p.row_bytes = 24; });
    refused("stride: expected a multiple of 16 bytes, at least 32, got 16", [](auto& p) { p.x_stride = 16; });
    refused("stride: expected a multiple of 16 bytes, at least 32, got 40", [](auto& p) { p.out_stride = 40; });
    refused("expected addresses of whole 16 bytes", [](auto& p) { p.x = memory + 4; });
    refused("expected scales and out_scales together, got one",
            [](auto& p) { p.scales = reinterpret_cast<float*>(memory); });
    refused("expected tokens and experts a token, got 1, 0", [](auto& p) { p.chosen = 0; });
  });
}

// --- combine_experts ---------------------------------------------------------------------------------------------

struct Sums {
  DType type;
  int32_t tokens, chosen, width;
  bool added, permuted;
};

// Device memory of either type.
struct Values {
  DType type;
  std::vector<float> host;
  DeviceVector<float> f32;
  DeviceVector<uint16_t> bf16;
  Values(DType t, const std::vector<float>& values)
      : type(t), host(t == DType::F32 ? values : from_bf16(to_bf16(values))),
        f32(t == DType::F32 ? host : std::vector<float>()),
        bf16(t == DType::F32 ? std::vector<uint16_t>() : to_bf16(host)) {}
  uint8_t* at(int64_t element) const {
    return type == DType::F32 ? reinterpret_cast<uint8_t*>(f32.data() + element)
                              : reinterpret_cast<uint8_t*>(bf16.data() + element);
  }
  void written_by_kernel() const { type == DType::F32 ? f32.written_by_kernel() : bf16.written_by_kernel(); }
  std::vector<float> read() { return type == DType::F32 ? f32.read() : from_bf16(bf16.read()); }
};

// The CPU's op on the same, rounded inputs; pairs without a row weigh nothing.
std::vector<float> oracle(const Sums& s, const std::vector<float>& y, const Ints& slots, std::vector<float> weights,
                          const std::vector<float>& add) {
  Array rows(DType::F32, {s.tokens, s.chosen, s.width}), w(DType::F32, {s.tokens, s.chosen});
  Array more(DType::F32, {s.tokens, s.width}), out(DType::F32, {s.tokens, s.width});
  for (int64_t p = 0; p < s.tokens * s.chosen; ++p) {
    const int32_t slot = slots[static_cast<size_t>(p)];
    w.set(p, slot < 0 ? 0 : weights[static_cast<size_t>(p)]);
    for (int64_t i = 0; slot >= 0 && i < s.width; ++i) rows.set(p * s.width + i, y[static_cast<size_t>(slot * s.width + i)]);
  }
  for (int64_t i = 0; s.added && i < more.size(); ++i) more.set(i, add[static_cast<size_t>(i)]);
  run_reference({"combine_experts", {{out.view()}, {rows.view()}, {w.view()}, {more.view()}}});
  std::vector<float> sums;
  for (int64_t i = 0; i < out.size(); ++i) sums.push_back(out.f32(i));
  return sums;
}

struct Combination {
  Sums s;
  Ints slots;
  std::vector<float> weights;
  Values y, add, out;
  DeviceVector<int32_t> device_slots;
  DeviceVector<float> device_weights;

  Combination(const Sums& sums, Random& random)
      : s(sums), slots(make_slots(sums, random)), weights(normals(random, slots.size())),
        y(s.type, normals(random, (slots.size() + 5) * static_cast<size_t>(s.width))),
        add(s.type, normals(random, static_cast<size_t>(s.tokens * s.width))),
        out(s.type, std::vector<float>(static_cast<size_t>(s.tokens * s.width), 7)), device_slots(slots),
        device_weights(weights) {
    for (const Values* values : {&y, &add}) values->written_by_kernel();
    device_slots.written_by_kernel();
    device_weights.written_by_kernel();
  }
  static Ints make_slots(const Sums& s, Random& random) {
    const int32_t pairs = s.tokens * s.chosen;
    if (s.permuted) return some_slots(random, pairs, pairs + 5);
    Ints slots(static_cast<size_t>(pairs));
    std::iota(slots.begin(), slots.end(), 0);
    return slots;
  }
  std::vector<float> run(int32_t first, int32_t tokens) {
    cuda::CombineExpertsParams p{};
    p.out = out.at(first * s.width);
    p.y = y.at(s.permuted ? 0 : static_cast<int64_t>(first) * s.chosen * s.width);
    p.weights = device_weights.data() + first * s.chosen;
    p.slots = s.permuted ? device_slots.data() + first * s.chosen : nullptr;
    p.add = s.added ? add.at(first * s.width) : nullptr;
    p.out_stride = p.y_stride = p.add_stride = s.width;
    p.weights_stride = p.chosen = s.chosen;
    p.tokens = tokens;
    p.width = s.width;
    cuda::combine_experts(cuda_queue(), s.type, p);
    CHECK(out.f32.guards_intact() && out.bf16.guards_intact());
    return out.read();
  }
};

void expect_sums(const Sums& s) {
  Random random(static_cast<uint64_t>(s.width + s.tokens + s.chosen));
  Combination c(s, random);
  const std::vector<float> got = c.run(0, s.tokens), want = oracle(s, c.y.host, c.slots, c.weights, c.add.host);
  for (size_t i = 0; i < want.size(); ++i) {
    // chosen + 1 roundings of FP32 on terms of size some 4, and one of BF16.
    const float slack = 0x1p-22f * static_cast<float>(s.chosen + 1) + (s.type == DType::F32 ? 0 : 0x1.02p-8f * std::fabs(want[i]));
    if (std::fabs(got[i] - want[i]) <= slack) continue;
    std::printf("  %d x %d of %d, element %zu: expected %.9g, got %.9g\n", s.tokens, s.width, s.chosen, i, want[i], got[i]);
    CHECK(false);
    return;
  }
  if (s.tokens < 2) return;
  random = Random(static_cast<uint64_t>(s.width + s.tokens + s.chosen));
  Combination again(s, random);
  const std::vector<float> alone = again.run(s.tokens - 1, 1);
  const auto last = static_cast<std::ptrdiff_t>((s.tokens - 1) * s.width);
  CHECK(std::equal(alone.begin() + last, alone.end(), got.begin() + last));  // to the bit
}

void sum_tests() {
  kernel_test("combine_experts is the oracle's sum, and a token's bits are its own", [] {
    for (const DType type : {DType::BF16, DType::F32})
      for (const bool added : {false, true})
        for (const bool permuted : {false, true})
          for (const int32_t tokens : {0, 1, 7, 33})
            for (const auto& [chosen, width] : {std::pair{8, 7168}, {1, 8}, {3, 1032}, {9, 520}, {16, 64}})
              if (current_ok && (tokens < 7 || width < 2000)) expect_sums({type, tokens, chosen, width, added, permuted});
  });
  test("combine_experts refuses odd widths, types and strides", [] {
    alignas(16) static uint8_t memory[64];
    const auto refused = [](const char* part, const std::function<void(cuda::CombineExpertsParams&, DType&)>& spoil) {
      cuda::CombineExpertsParams p{};
      p.out = memory;
      p.y = memory;
      p.out_stride = p.y_stride = p.width = 8;
      p.tokens = p.chosen = 1;
      DType type = DType::BF16;
      spoil(p, type);
      CHECK(throws(HADAL_ERROR_INVALID, part, [&] { cuda::combine_experts(cuda_queue(), type, p); }));
    };
    refused("expected BF16 or F32, got F16", [](auto&, DType& type) { type = DType::F16; });
    refused("width: expected a multiple of 8, got 12", [](auto& p, DType&) { p.width = 12; });
    refused("stride: expected a multiple of 8, at least 8, got 4", [](auto& p, DType&) { p.y_stride = 4; });
    refused("at least one expert each, got 1, 0", [](auto& p, DType&) { p.chosen = 0; });
    refused("expected addresses of whole 16 bytes", [](auto& p, DType&) { p.out = memory + 8; });
  });
}

// Rows out to each layout and back: Σ of a token's own row, weighted, whichever way it went.
void round_trip_tests() {
  kernel_test("rows that go out to a layout come back to their tokens", [] {
    constexpr int32_t kTokens = 20, kChosen = 4, kExperts = 9, kWidth = 64, kSize = 64;
    Random random(6);
    Ints ids(kTokens * kChosen);
    for (int32_t& id : ids) id = static_cast<int32_t>(random.below(kExperts));
    for (const cuda::RowLayout layout : {cuda::RowLayout::kPacked, cuda::RowLayout::kTiled, cuda::RowLayout::kMasked}) {
      const std::vector<float> x = normals(random, kTokens * kWidth), weights(kTokens * kChosen, 0.25f);
      const auto rows = static_cast<size_t>(cuda::tiled_capacity(kTokens * kChosen, kExperts, kSize));
      DeviceVector<int32_t> device_ids(ids), offsets(kExperts + 1), sorted(ids.size()), slots(ids.size()),
          layout_rows(rows), tiles(rows / kSize), total(1), counts(kExperts);
      DeviceVector<float> in(x), permuted(std::vector<float>(rows * kWidth, NAN)), out(x.size()), w(weights);
      cuda::permute_tokens(cuda_queue(), {device_ids.data(), offsets.data(), sorted.data(), slots.data(),
                                          layout_rows.data(), tiles.data(), total.data(), counts.data(), nullptr,
                                          kTokens * kChosen, kExperts, layout, kSize, static_cast<int32_t>(rows), kSize});
      cuda::PermuteRowsParams go{};
      go.x = in.data();
      go.out = permuted.data();
      go.slots = slots.data();
      go.x_stride = go.out_stride = go.row_bytes = kWidth * 4;
      go.tokens = kTokens;
      go.chosen = kChosen;
      cuda::permute_rows(cuda_queue(), go);
      cuda::CombineExpertsParams back{};
      back.out = out.data();
      back.y = permuted.data();
      back.weights = w.data();
      back.slots = slots.data();
      back.out_stride = back.y_stride = back.width = kWidth;
      back.weights_stride = back.chosen = kChosen;
      back.tokens = kTokens;
      cuda::combine_experts(cuda_queue(), DType::F32, back);
      CHECK(out.read() == x);  // four quarters of one value are that value
    }
  });
}

}  // namespace

int main() {
  row_tests();
  sum_tests();
  round_trip_tests();
  return finish();
}
