// rope on CUDA against the CPU's oracle, whose angles are double: both styles, positions to 10⁶, heads and tokens that
// do not fill a block, strides, out of place, a token alone and in company.
#include "cuda/rope/rope.h"

#include "tests/cuda/rows_case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;
using cuda::RopeStyle;

struct Case {
  D type;
  RopeStyle style;
  int64_t tokens, heads, width, padding;  // padding: elements after each head
  bool in_place;
};

std::vector<int32_t> some_positions(int64_t tokens) {
  const int32_t positions[] = {0, 1, 7, 4095, 100003, 163839, 999999, 63};
  std::vector<int32_t> some;
  for (int64_t t = 0; t < tokens; ++t) some.push_back(positions[t % 8]);
  return some;
}
std::vector<float> frequencies(int64_t width) {
  std::vector<float> all;
  for (int64_t i = 0; i < width / 2; ++i)
    all.push_back(static_cast<float>(std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(width))));
  return all;
}

constexpr float kFactor = 1.25f;

std::vector<float> oracle(const Case& c, const std::vector<float>& x, const std::vector<int32_t>& positions) {
  Array turned(D::F32, {c.tokens, c.heads, c.width}), at(D::I32, {c.tokens}), inv(D::F32, {c.width / 2});
  for (int64_t i = 0; i < turned.size(); ++i) turned.set(i, x[static_cast<size_t>(i)]);
  for (int64_t t = 0; t < c.tokens; ++t) at.at<int32_t>(t) = positions[static_cast<size_t>(t)];
  for (int64_t i = 0; i < c.width / 2; ++i) inv.set(i, frequencies(c.width)[static_cast<size_t>(i)]);
  run_reference({"rope", {{turned.view()}, {at.view()}, {inv.view()}}, {static_cast<double>(c.style), kFactor}});
  std::vector<float> y;
  for (int64_t i = 0; i < turned.size(); ++i) y.push_back(turned.f32(i));
  return y;
}

std::vector<float> run_rope(const Case& c, const std::vector<float>& x, const std::vector<int32_t>& positions) {
  DeviceRows in(c.type, x, c.width, c.padding), out(c.type, c.tokens * c.heads, c.width, 2 * c.padding);
  DeviceVector<int32_t> at(positions);
  DeviceVector<float> inv(frequencies(c.width));
  in.written_by_kernel();
  at.written_by_kernel();
  DeviceRows& target = c.in_place ? in : out;
  cuda::RopeParams p{};
  p.x = in.data();
  p.out = target.data();
  p.positions = at.data();
  p.inv_freq = inv.data();
  p.x_head_stride = in.stride();
  p.x_token_stride = in.stride() * c.heads;
  p.out_head_stride = target.stride();
  p.out_token_stride = target.stride() * c.heads;
  p.tokens = static_cast<int32_t>(c.tokens);
  p.heads = static_cast<int32_t>(c.heads);
  p.width = static_cast<int32_t>(c.width);
  p.style = c.style;
  p.factor = kFactor;
  cuda::rope(cuda_queue(), c.type, p);
  if (!c.in_place) expect_equal(in.read(), x, "input");
  return target.read();
}

// Sine and cosine within 4e-7, two products and a sum; the pair's length bounds what both can add. BF16: half a step.
void expect_turned(const Case& c, const std::vector<float>& got, const std::vector<float>& exact) {
  for (int64_t i = 0; i < static_cast<int64_t>(exact.size()) && current_ok; ++i) {
    const int64_t column = i % c.width, half = c.width / 2;
    const int64_t other = c.style == RopeStyle::kHalves ? (column < half ? i + half : i - half) : i ^ 1;
    const double length = std::hypot(exact[static_cast<size_t>(i)], exact[static_cast<size_t>(other)]);
    const double step = c.type == D::F32 ? 0 : std::fabs(exact[static_cast<size_t>(i)]) * 0x1.01p-8;
    if (std::fabs(static_cast<double>(got[static_cast<size_t>(i)]) - exact[static_cast<size_t>(i)]) <= 8e-7 * length + step + 1e-38) continue;
    std::printf("  element %ld: expected %.9g, got %.9g\n", long(i), exact[static_cast<size_t>(i)], got[static_cast<size_t>(i)]);
    std::printf("  tokens %ld heads %ld width %ld style %d\n", long(c.tokens), long(c.heads), long(c.width), int(c.style));
    CHECK(false);
  }
}

}  // namespace

int main() {
  for (const D type : {D::BF16, D::F32})
    for (const RopeStyle style : {RopeStyle::kInterleaved, RopeStyle::kHalves}) {
      const std::string name = std::string(dtype_name(type)) + (style == RopeStyle::kHalves ? ", halves" : ", neighbours");
      kernel_test("rope of " + name + " is the oracle's", [&] {
        for (const int64_t width : {16, 48, 64, 128, 512})
          for (const int64_t heads : {0, 1, 3, 16, 128, 130})
            for (const int64_t tokens : {0, 1, 2, 8}) {
              if (!current_ok || (tokens > 2 && heads * width > 2048) || heads * width > 130 * 128) continue;
              Random random(static_cast<uint64_t>(width * heads + tokens));
              const Case c{type, style, tokens, heads, width, tokens == 2 ? 8 : 0, (tokens + heads) % 2 == 0};
              const std::vector<float> x = rounded(normals(random, static_cast<size_t>(tokens * heads * width)), type);
              expect_turned(c, run_rope(c, x, some_positions(tokens)), oracle(c, x, some_positions(tokens)));
            }
      });
      kernel_test("a token of " + name + " has the same bits alone, in company, in place and out of it", [&] {
        Random random(8);
        const std::vector<float> x = rounded(normals(random, 8 * 16 * 64), type);
        const std::vector<float> all = run_rope({type, style, 8, 16, 64, 0, true}, x, some_positions(8));
        for (const int64_t t : {0, 3, 6})
          expect_equal(run_rope({type, style, 1, 16, 64, 8, false}, slice(x, t * 1024, 1024), slice(some_positions(8), t, 1)),
                       slice(all, t * 1024, 1024), "element");
      });
    }
  kernel_test("rope at position 0 only multiplies by the factor", [] {
    Random random(4);
    const std::vector<float> x = normals(random, 2 * 64);
    const std::vector<float> got = run_rope({D::F32, RopeStyle::kInterleaved, 1, 2, 64, 0, false}, x, {0});
    for (size_t i = 0; i < x.size(); ++i) CHECK(got[i] == x[i] * kFactor);
  });
  test("what rope cannot take is refused with what was expected", [] {
    DeviceVector<float> m(size_t{1024});
    const auto* ints = reinterpret_cast<const int32_t*>(m.data());
    const cuda::RopeParams good{m.data(), m.data(), ints, m.data(), 64, 32, 64, 32, 2, 2, 32, RopeStyle::kHalves, 1};
    const auto refused = [&](const char* part, auto change, D type = D::BF16, hadal_status status = HADAL_ERROR_INVALID) {
      cuda::RopeParams p = good;
      change(p);
      CHECK(throws(status, part, [&] { cuda::rope(cuda_queue(), type, p); }));
    };
    refused("width: expected a multiple of 16, at most 512, got 24", [](auto& p) { p.width = 24; });
    refused("width: expected a multiple of 8, at most 512, got 520", [](auto& p) { p.width = 520, p.style = RopeStyle::kInterleaved; });
    refused("x (heads): expected rows of 64 bytes", [](auto& p) { p.x_head_stride = 24; });
    refused("out (tokens): expected rows of 64 bytes", [](auto& p) { p.out_token_stride = 36; });
    refused("style: expected 0 or 1, got 2", [](auto& p) { p.style = static_cast<RopeStyle>(2); });
    refused("factor: expected a finite number", [](auto& p) { p.factor = INFINITY; });
    refused("heads: expected none or more", [](auto& p) { p.heads = -1; });
    refused("positions: expected an address", [](auto& p) { p.positions = nullptr; });
    refused("no kernel for F16", [](auto&) {}, D::F16, HADAL_ERROR_UNSUPPORTED);
  });
  return finish();
}
