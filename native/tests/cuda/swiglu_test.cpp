// swiglu against the CPU's oracle; swiglu_quantize bit for bit against the oracle's codes of what swiglu gives, plain
// and masked: experts without rows, with all rows, counts out of range, unused rows untouched.
#include "cuda/quantize/swiglu.h"

#include "cuda/quantize/swiglu_quantize.h"
#include "tests/cuda/rows_case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;
using cuda::ScaleKind;

// Exponential to 2 ulp and |x|·2^-21 of range reduction, reciprocal to 1 ulp, three products; and where e^-x leaves
// F32 the result is a zero instead of something below 1e-36.
constexpr double kF32 = 2e-6, kLeast = 1e-35;
constexpr double kBf16 = 0x1p-8 + 1e-5;

std::vector<float> oracle(const std::vector<float>& gate, const std::vector<float>& up) {
  const auto n = static_cast<int64_t>(gate.size());
  Array g(D::F32, {1, n}), u(D::F32, {1, n}), out(D::F32, {1, n});
  for (int64_t i = 0; i < n; ++i) {
    g.set(i, gate[static_cast<size_t>(i)]);
    u.set(i, up[static_cast<size_t>(i)]);
  }
  run_reference({"swiglu", {{out.view()}, {g.view()}, {u.view()}}});
  std::vector<float> y;
  for (int64_t i = 0; i < n; ++i) y.push_back(out.f32(i));
  return y;
}

// Gate and up in one tensor of [rows, 2·width + padding], or each in its own.
struct Inputs {
  std::vector<float> gate, up;
  int64_t rows, width, padding;
  bool joined;
  DeviceRows first, second;

  Inputs(D type, const std::vector<float>& gate, const std::vector<float>& up, int64_t width, int64_t padding, bool joined)
      : gate(rounded(gate, type)), up(rounded(up, type)), rows(static_cast<int64_t>(gate.size()) / width), width(width),
        padding(padding), joined(joined), first(joined ? make(type) : DeviceRows(type, gate, width, padding)),
        second(type, joined ? std::vector<float>{} : up, width, 2 * padding) {}

  template <typename Params>
  void put(Params& p, D type) const {
    first.written_by_kernel();
    second.written_by_kernel();
    p.gate = first.data();
    p.up = joined ? first.data<char>() + width * static_cast<int64_t>(dtype_size(type)) : second.data<char>();
    p.gate_stride = first.stride();
    p.up_stride = joined ? first.stride() : second.stride();
    p.width = static_cast<int32_t>(width);
  }

 private:
  DeviceRows make(D type) const {
    std::vector<float> both;
    for (int64_t row = 0; row < rows; ++row)
      for (const auto* half : {&gate, &up}) both.insert(both.end(), half->begin() + row * width, half->begin() + (row + 1) * width);
    return DeviceRows(type, both, 2 * width, padding);
  }
};

Inputs inputs(D type, int64_t rows, int64_t width, int64_t padding, bool joined) {
  Random random(static_cast<uint64_t>(rows * 7 + width));
  const auto count = static_cast<size_t>(rows * width);
  const std::vector<float> gate = normals(random, count, 4);
  return Inputs(type, gate, normals(random, count, 2), width, padding, joined);
}

std::vector<float> run_swiglu(D type, const Inputs& in, int64_t padding = 0) {
  DeviceRows out(type, in.rows, in.width, padding);
  cuda::SwigluParams p{};
  in.put(p, type);
  p.out = out.data();
  p.out_stride = out.stride();
  p.rows = static_cast<int32_t>(in.rows);
  cuda::swiglu(cuda_queue(), type, p);
  return out.read();
}

// What swiglu gives in F32: the values that swiglu_quantize quantises.
std::vector<float> exact_rows(const Inputs& in) {
  const Inputs wide(D::F32, in.gate, in.up, in.width, 0, false);
  return run_swiglu(D::F32, wide);
}

Quantised run_plain(D type, const Inputs& in, ScaleKind kind, int64_t padding = 0) {
  DeviceQuantised out(in.rows, in.width, padding, padding / 2);
  cuda::SwigluQuantizeParams p{};
  in.put(p, type);
  p.codes = out.codes.data<uint8_t>();
  p.scales = out.scales.data<float>();
  p.code_stride = out.codes.stride();
  p.scale_stride = out.scale_stride();
  p.experts = 1;
  p.rows = static_cast<int32_t>(in.rows);
  p.scale_kind = kind;
  cuda::swiglu_quantize(cuda_queue(), type, p);
  return out.read();
}

struct Masked {
  std::vector<int32_t> counts;
  int64_t rows, width;  // rows of every expert
  D type;
  ScaleKind kind;
  bool joined;
};

// Every row in use as the plain form has it; what is not in use still holds the fill.
void expect_masked(const Masked& m, const Inputs& in, const std::vector<uint32_t>& codes, const std::vector<uint32_t>& scales,
                   int64_t scale_stride) {
  const Quantised expected = oracle_quantise(exact_rows(in), m.width, m.kind);
  const int64_t groups = cuda::scale_groups(m.width);
  const uint32_t fill = 0x01010101u * kPaddingByte;
  for (int64_t expert = 0; expert < static_cast<int64_t>(m.counts.size()); ++expert) {
    const int64_t used = std::clamp<int64_t>(m.counts[static_cast<size_t>(expert)], 0, m.rows);
    for (int64_t row = 0; row < scale_stride && current_ok; ++row) {
      const int64_t at = expert * m.rows + row;
      for (int64_t i = 0; i < m.width && row < m.rows; ++i)
        CHECK(codes[static_cast<size_t>(at * m.width + i)] ==
              (row < used ? expected.codes[static_cast<size_t>(at * m.width + i)] : kPaddingByte));
      for (int64_t group = 0; group < groups; ++group)
        CHECK(scales[static_cast<size_t>((expert * groups + group) * scale_stride + row)] ==
              (row < used ? bits(expected.scales[static_cast<size_t>(at * groups + group)]) : fill));
      if (!current_ok) std::printf("  expert %ld row %ld of %ld\n", long(expert), long(row), long(used));
    }
  }
}

void masked_test(const Masked& m) {
  const auto experts = static_cast<int64_t>(m.counts.size());
  const Inputs in = inputs(m.type, experts * m.rows, m.width, 8, m.joined);
  const int64_t stride = cuda::scale_stride_of(m.rows) + 4;
  DeviceRows codes(D::F8_E4M3, experts * m.rows, m.width, 16);
  DeviceRows scales(D::F32, experts * cuda::scale_groups(m.width), stride);
  DeviceVector<int32_t> counts(m.counts);
  counts.written_by_kernel();
  cuda::SwigluQuantizeParams p{};
  in.put(p, m.type);
  p.codes = codes.data<uint8_t>();
  p.scales = scales.data<float>();
  p.counts = counts.data();
  p.code_stride = codes.stride();
  p.scale_stride = stride;
  p.experts = static_cast<int32_t>(experts);
  p.rows = static_cast<int32_t>(m.rows);
  p.scale_kind = m.kind;
  cuda::swiglu_quantize(cuda_queue(), m.type, p);
  expect_masked(m, in, codes.read_bits(), scales.read_bits(), stride);
}

}  // namespace

int main() {
  for (const D type : {D::BF16, D::F32}) {
    const std::string name = dtype_name(type);
    kernel_test("swiglu of " + name + ", of the halves of a row and of two tensors", [&] {
      for (const int64_t width : {8, 64, 520, 1024, 1032, 2048})
        for (const int64_t rows : {0, 1, 3, 4, 6})
          for (const bool joined : {false, true})
            if (current_ok) {
              const Inputs in = inputs(type, rows, width, 8, joined);
              expect_near(run_swiglu(type, in, 8), oracle(in.gate, in.up), type == D::F32 ? kF32 : kBf16, kLeast);
            }
    });
    kernel_test("swiglu of " + name + " where the exponential leaves F32, and on NaN and infinities", [&] {
      std::vector<float> gate = {0, -0.0f, 1e-45f, 1e-38f, -1e-30f, 1e4f, -1e4f, 1e30f, -1e30f, 3e38f, INFINITY, -INFINITY, NAN};
      for (int i = -440; i <= 440; ++i) gate.push_back(0.25f * static_cast<float>(i));
      gate.resize((gate.size() + 7) / 8 * 8, 1.0f);
      for (const float up : {1.0f, -0.25f, 100.0f}) {
        const Inputs in(type, gate, std::vector<float>(gate.size(), up), static_cast<int64_t>(gate.size()), 0, false);
        expect_near(run_swiglu(type, in), oracle(in.gate, in.up), type == D::F32 ? kF32 : kBf16, kLeast * 100);
      }
    });
    kernel_test("swiglu_quantize of " + name + " has the codes of swiglu's values, bit for bit", [&] {
      for (const int64_t width : {16, 128, 528, 1024, 1040, 2048})
        for (const int64_t rows : {0, 1, 3, 4, 6})
          for (const bool joined : {false, true})
            for (const ScaleKind kind : {ScaleKind::kExact, ScaleKind::kPowerOfTwo})
              if (current_ok) {
                const Inputs in = inputs(type, rows, width, 8, joined);
                expect_quantised(run_plain(type, in, kind, 16), oracle_quantise(exact_rows(in), width, kind));
              }
    });
    kernel_test("masked swiglu_quantize of " + name + ": unused rows are untouched", [&] {
      masked_test({{3, 0, 9, 4, 0, 1}, 9, 272, type, ScaleKind::kExact, true});
      masked_test({{0, 0, 0}, 5, 128, type, ScaleKind::kExact, false});
      masked_test({{}, 5, 128, type, ScaleKind::kExact, false});
      masked_test({{7}, 8, 1040, type, ScaleKind::kPowerOfTwo, true});
      masked_test({{-3, 100, 2}, 6, 16, type, ScaleKind::kPowerOfTwo, false});
      masked_test({{2}, 0, 16, type, ScaleKind::kPowerOfTwo, false});
    });
  }
  kernel_test("masked swiglu_quantize over hundreds of experts, on both sides of 32 and of a block's tiles", [] {
    for (const int32_t experts : {32, 33, 300}) {
      Random random(static_cast<uint64_t>(experts));
      std::vector<int32_t> counts;
      for (int32_t e = 0; e < experts; ++e) counts.push_back(static_cast<int32_t>(random.below(3) ? random.below(7) : 0));
      if (current_ok) masked_test({counts, 6, 16, D::BF16, ScaleKind::kExact, true});
    }
    // More tiles than the grid has blocks, of one tile across and of two.
    masked_test({std::vector<int32_t>(800, 1), 1, 16, D::BF16, ScaleKind::kExact, false});
    masked_test({std::vector<int32_t>(400, 1), 1, 528, D::F32, ScaleKind::kExact, false});
  });
  kernel_test("a row has the same bits alone, in company, and in the masked layout", [] {
    const Inputs all = inputs(D::BF16, 9, 512, 0, false);
    const Quantised together = run_plain(D::BF16, all, ScaleKind::kExact);
    for (const int64_t row : {0, 3, 8}) {
      const Inputs one(D::BF16, slice(all.gate, row * 512, 512), slice(all.up, row * 512, 512), 512, 0, true);
      const Quantised alone = run_plain(D::BF16, one, ScaleKind::kExact);
      expect_equal(alone.codes, slice(together.codes, row * 512, 512), "code");
      expect_equal(alone.scales, slice(together.scales, row * 4, 4), "scale");
    }
  });
  test("what the kernels cannot take is refused with what was expected", [] {
    DeviceVector<float> m(size_t{1024});
    auto* bytes = reinterpret_cast<uint8_t*>(m.data());
    const cuda::SwigluParams plain{m.data(), m.data(), m.data(), 32, 32, 32, 2, 32};
    const cuda::SwigluQuantizeParams quantise{m.data(), m.data(), bytes, m.data(), nullptr, 32, 32, 32, 4, 1, 2, 32, ScaleKind::kExact};
    const auto refused = [&](const char* part, auto p, auto change, D type = D::F32, hadal_status status = HADAL_ERROR_INVALID) {
      change(p);
      CHECK(throws(status, part, [&] {
        if constexpr (requires { p.codes; }) cuda::swiglu_quantize(cuda_queue(), type, p);
        else cuda::swiglu(cuda_queue(), type, p);
      }));
    };
    refused("swiglu: width: expected a multiple of 8", plain, [](auto& p) { p.width = 12; });
    refused("up: expected rows of 128 bytes", plain, [](auto& p) { p.up_stride = 28; });
    refused("out: expected an address", plain, [](auto& p) { p.out = nullptr; });
    refused("no kernel for F16", plain, [](auto&) {}, D::F16, HADAL_ERROR_UNSUPPORTED);
    refused("swiglu_quantize: width: expected a multiple of 16", quantise, [](auto& p) { p.width = 24; });
    refused("experts: expected 1 without counts, got 2", quantise, [](auto& p) { p.experts = 2; });
    refused("experts: expected 0 to 1024, got 1025", quantise, [](auto& p) { p.experts = 1025, p.counts = reinterpret_cast<const int32_t*>(p.scales); });
    refused("gate: expected rows of 128 bytes", quantise, [](auto& p) { p.gate_stride = 16; });
    refused("scales: expected a stride", quantise, [](auto& p) { p.scale_stride = 0; });
  });
  return finish();
}
