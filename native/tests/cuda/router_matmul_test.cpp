// router_matmul on CUDA against the CPU's matmul in double; every token count around the instances' borders, experts
// that do not fill a block, and a token's bits the same in all of them.
#include "cuda/router/router_matmul.h"

#include "tests/cuda/rows_case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;

struct Case {
  D x;
  int64_t tokens, experts, width, padding;
};

struct Inputs {
  std::vector<float> x, weight;
  explicit Inputs(const Case& c) {
    Random random(static_cast<uint64_t>(c.tokens + 31 * c.experts + c.width));
    x = rounded(normals(random, static_cast<size_t>(c.tokens * c.width)), c.x);
    weight = rounded(normals(random, static_cast<size_t>(c.experts * c.width), 0.03f), D::BF16);
  }
};

std::vector<float> run_router(const Case& c, const std::vector<float>& x, const std::vector<float>& weight) {
  DeviceRows in(c.x, x, c.width, c.padding), w(D::BF16, weight, c.width), out(D::F32, c.tokens, c.experts, c.padding / 8);
  in.written_by_kernel();
  cuda::RouterMatmulParams p{};
  p.x = in.data();
  p.weight = w.data();
  p.logits = out.data<float>();
  p.x_stride = in.stride();
  p.logits_stride = out.stride();
  p.tokens = static_cast<int32_t>(c.tokens);
  p.experts = static_cast<int32_t>(c.experts);
  p.width = static_cast<int32_t>(c.width);
  cuda::router_matmul(cuda_queue(), c.x, p);
  return out.read();
}

// A chain of at most 32 products, a tree of 5 and a chain of 8: each addition rounds by half of 2^-23 of a sum that is at
// most Σ|x·w|.
void expect_logits(const Case& c) {
  const Inputs in(c);
  const std::vector<float> got = run_router(c, in.x, in.weight);
  CHECK(static_cast<int64_t>(got.size()) == c.tokens * c.experts);
  for (int64_t i = 0; i < static_cast<int64_t>(got.size()) && current_ok; ++i) {
    const float* x = in.x.data() + i / c.experts * c.width;
    const float* w = in.weight.data() + i % c.experts * c.width;
    double exact = 0, size = 0;
    for (int64_t k = 0; k < c.width; ++k) {
      exact += static_cast<double>(x[k]) * w[k];
      size += std::fabs(static_cast<double>(x[k]) * w[k]);
    }
    if (std::fabs(got[static_cast<size_t>(i)] - exact) <= 45 * 0x1p-24 * size + 1e-37) continue;
    std::printf("  token %ld expert %ld: expected %.9g, got %.9g\n", long(i / c.experts), long(i % c.experts), exact, got[static_cast<size_t>(i)]);
    std::printf("  tokens %ld experts %ld width %ld\n", long(c.tokens), long(c.experts), long(c.width));
    CHECK(false);
  }
}

// The CPU's own op on the same inputs: our double sum is its reference.
void expect_cpu(const Case& c) {
  const Inputs in(c);
  Array x(D::F32, {c.tokens, c.width}), w(D::BF16, {c.experts, c.width}), out(D::F32, {c.tokens, c.experts});
  for (int64_t i = 0; i < x.size(); ++i) x.set(i, in.x[static_cast<size_t>(i)]);
  for (int64_t i = 0; i < w.size(); ++i) w.set(i, in.weight[static_cast<size_t>(i)]);
  run_reference({"matmul", {{out.view()}, {x.view()}, {w.view()}, {}}});
  const std::vector<float> got = run_router(c, in.x, in.weight);
  Array ours(D::F32, {c.tokens, c.experts});
  for (int64_t i = 0; i < out.size(); ++i) ours.set(i, got[static_cast<size_t>(i)]);
  CHECK(distance(ours, out) < 1e-6);
}

}  // namespace

int main() {
  for (const D type : {D::BF16, D::F32}) {
    const std::string name = dtype_name(type);
    kernel_test("router_matmul of " + name + " is within rounding of the double sum", [&] {
      for (const int64_t tokens : {0, 1, 2, 4, 5, 7, 32, 33})
        for (const int64_t experts : {1, 6, 17})
          if (current_ok) expect_logits({type, tokens, experts, tokens % 2 || tokens > 4 ? 136 : 2056, tokens % 3 ? 0 : 8});
      for (const int64_t width : {8, 248, 2048, 7168, 8192})
        if (current_ok) expect_logits({type, 3, 5, width, 8});
      if (current_ok) expect_logits({type, 34, 2, 7168, 0});
    });
    kernel_test("router_matmul of " + name + " is the CPU's matmul", [&] { expect_cpu({type, 6, 16, 512, 0}); });
    kernel_test("a token of " + name + " has the same bits whatever the number of tokens", [&] {
      // 264 columns: more tokens than a grid is high. 7168: all vectors of a thread.
      for (const int64_t width : {264, 7168}) {
        const Case all{type, width == 264 ? 230 : 35, width == 264 ? 40 : 3, width, 0};
        const Inputs in(all);
        const std::vector<float> together = run_router(all, in.x, in.weight);
        for (const int64_t count : {1, 4, 5, 32, 33})
          for (const int64_t first : {0, 2}) {
            if (width == 7168 && first == 0) continue;
            const std::vector<float> part = run_router({type, count, all.experts, width, 8}, slice(in.x, first * width, count * width), in.weight);
            if (current_ok) expect_equal(part, slice(together, first * all.experts, count * all.experts), "logit");
          }
      }
    });
  }
  kernel_test("a NaN or an infinity of a token spoils its logits and no other's", [] {
    for (const int64_t tokens : {4, 20, 50}) {
      const Case c{D::F32, tokens, 10, 264, 0};
      Inputs in(c);
      const std::vector<float> clean = run_router(c, in.x, in.weight);
      in.x[static_cast<size_t>(2 * 264 + 263)] = NAN;
      in.x[static_cast<size_t>(3 * 264)] = INFINITY;
      const std::vector<float> got = run_router(c, in.x, in.weight);
      for (int64_t i = 0; i < tokens * 10; ++i) {
        const float value = got[static_cast<size_t>(i)];
        if (i / 10 == 2) CHECK(std::isnan(value));
        else if (i / 10 == 3) CHECK(std::isinf(value));
        else CHECK(value == clean[static_cast<size_t>(i)]);
      }
    }
  });
  test("what router_matmul cannot take is refused with what was expected", [] {
    DeviceVector<float> m(size_t{1024});
    const cuda::RouterMatmulParams good{m.data(), m.data(), m.data(), 16, 4, 2, 4, 16};
    const auto refused = [&](const char* part, auto change, D type = D::F32, hadal_status status = HADAL_ERROR_INVALID) {
      cuda::RouterMatmulParams p = good;
      change(p);
      CHECK(throws(status, part, [&] { cuda::router_matmul(cuda_queue(), type, p); }));
    };
    refused("width: expected a multiple of 8, at most 8192, got 12", [](auto& p) { p.width = 12; });
    refused("width: expected a multiple of 8, at most 8192, got 8200", [](auto& p) { p.width = 8200; });
    refused("experts: expected one or more, got 0", [](auto& p) { p.experts = 0; });
    refused("logits: expected rows of 16 bytes", [](auto& p) { p.logits_stride = 3; });
    refused("x: expected rows of 64 bytes", [](auto& p) { p.x_stride = 8; });
    refused("weight: expected an address", [](auto& p) { p.weight = nullptr; });
    refused("no kernel for F16", [](auto&) {}, D::F16, HADAL_ERROR_UNSUPPORTED);
  });
  return finish();
}
