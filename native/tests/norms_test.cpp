// The row-wise ops: rms_norm, add_rms_norm, add, swiglu and copy. Oracle and every vector form against a
// double computation written here; huge, tiny and zero rows; a row alone and in company bit for bit.
#include "tests/rows.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;

// Magnitudes of the rows, in turn: the squares of the second and third leave F32.
constexpr float kMagnitudes[] = {1, 1e18f, 1e-30f, 0, 1e37f, 3};

Array varied_rows(Random& random, Shape shape, int64_t padding) {
  Array a = random.array(D::F32, shape, 1, padding);
  const int64_t width = shape.back();
  for (int64_t i = 0; i < a.size(); ++i) a.at<float>(i) *= kMagnitudes[i / width % std::size(kMagnitudes)];
  return a;
}

// --- norms ---------------------------------------------------------------------------------------

std::vector<double> exact_norm(const Array& x, const Array& weight, double eps) {
  const int64_t width = weight.size();
  std::vector<double> y(static_cast<size_t>(x.size()));
  for (int64_t first = 0; first < x.size(); first += width) {
    double sum = 0;
    for (int64_t i = first; i < first + width; ++i) sum += static_cast<double>(x.f32(i)) * x.f32(i);
    const double root = std::sqrt(sum / static_cast<double>(width) + eps);
    for (int64_t i = first; i < first + width; ++i)
      y[static_cast<size_t>(i)] = x.f32(i) / root * weight.f32(i - first);
  }
  return y;
}

// Eight lanes add D/8 squares each, of one sign, so the sum is off by D/8 · 2⁻²⁴ and its root by half of
// that; eight more for the lanes, the division and the products. The oracle rounds once.
void expect_norm(const Array& out, const std::vector<double>& exact, Form form, int64_t width) {
  const double slack = (form == Form::reference ? 1.01 : static_cast<double>(width) / 16 + 8) * 0x1p-24;
  for (int64_t i = 0; i < out.size(); ++i) {
    const double expected = exact[static_cast<size_t>(i)];
    if (std::fabs(out.f32(i) - expected) <= slack * std::fabs(expected) + 1e-44) continue;
    std::printf("  element %ld: expected %.9g, got %.9g\n", static_cast<long>(i), expected, out.f32(i));
    CHECK(false);
    return;
  }
}

Call norm_call(Array& out, const Array& x, const Array& weight, double eps) {
  return {"rms_norm", {{out.view()}, {x.view()}, {weight.view()}}, {eps}};
}
Call add_norm_call(Array& out, Array& residual, const Array& delta, const Array& weight, double eps) {
  return {"add_rms_norm", {{out.view()}, {residual.view()}, {delta.view()}, {weight.view()}}, {eps}};
}

constexpr int64_t kWidths[] = {1, 7, 8, 15, 16, 17, 576, 7168};

void expect_rms_norm(D dtype, int64_t width, int64_t padding, double eps) {
  Random random(static_cast<uint64_t>(width));
  // Row 3 is all zeros, which only an eps above 0 divides.
  Array x = varied_rows(random, {eps == 0 ? 3 : 7, width}, padding);
  if (eps == 0)
    for (int64_t i = 0; i < x.size(); ++i) x.at<float>(i) += x.f32(i) == 0 ? 1e-30f : 0;
  const Array weight = random.array(dtype, {width}, 0.5f), before = x;
  const std::vector<double> exact = exact_norm(x, weight, eps);
  every_form([&](HostDevice& device, Form form) {
    Array out(D::F32, x.shape(), padding);
    run(device, norm_call(out, x, weight, eps), form);
    expect_norm(out, exact, form, width);
    CHECK(only_elements(out, padding));
    CHECK(x.same_bits(before));
  });
}

void expect_add_rms_norm(D dtype, int64_t width, int64_t padding) {
  Random random(static_cast<uint64_t>(width) + 5);
  Array residual = varied_rows(random, {8, width}, padding), delta = varied_rows(random, {8, width}, padding);
  const Array weight = random.array(dtype, {width}, 0.5f), before = delta;
  Array sum(D::F32, residual.shape(), padding);
  for (int64_t i = 0; i < sum.size(); ++i) sum.set(i, residual.f32(i) + delta.f32(i));
  const std::vector<double> exact = exact_norm(sum, weight, 1e-5);
  every_form([&](HostDevice& device, Form form) {
    Array out(D::F32, residual.shape(), padding), updated = residual;
    run(device, add_norm_call(out, updated, delta, weight, 1e-5), form);
    expect_norm(out, exact, form, width);
    CHECK(updated.same_bits(sum));
    CHECK(only_elements(out, padding));
    CHECK(delta.same_bits(before));
  });
}

// Seven thousand columns make a task of four rows, seventeen one of all.
void expect_norms_alone(int64_t width) {
  Random random(77);
  Array x = varied_rows(random, {37, width}, 0), delta = varied_rows(random, {37, width}, 0);
  const Array weight = random.array(D::BF16, {width});
  std::string isa;
  Array first(D::F32, {37, width}), first_added(D::F32, {37, width});
  for (const Bench& bench : benches()) {
    Array all(D::F32, {37, width}), added(D::F32, {37, width}), residual = x;
    run(*bench.device, norm_call(all, x, weight, 1e-6), Form::fast);
    run(*bench.device, add_norm_call(added, residual, delta, weight, 1e-6), Form::fast);
    const std::string name = bench.name.substr(0, bench.name.find(' '));
    if (name == isa) CHECK(all.same_bits(first) && added.same_bits(first_added));
    isa = name;
    first = all;
    first_added = added;
    for (const int64_t count : {1, 2, 5, 20}) {
      Array part = rows_of(x, 3, count), out(D::F32, {count, width});
      run(*bench.device, norm_call(out, part, weight, 1e-6), Form::fast);
      CHECK(out.same_bits(rows_of(all, 3, count)));
      run(*bench.device, add_norm_call(out, part, rows_of(delta, 3, count), weight, 1e-6), Form::fast);
      CHECK(out.same_bits(rows_of(added, 3, count)));
    }
  }
}

void norm_tests() {
  for (const D dtype : {D::F32, D::BF16, D::F16}) {
    const std::string name = dtype_name(dtype);
    test("rms_norm with a weight of " + name + ", from zeros to rows whose squares leave F32", [&] {
      for (const int64_t width : kWidths)
        for (const int64_t padding : {0, 5})
          for (const double eps : {1e-6, 0.0})
            if (current_ok) expect_rms_norm(dtype, width, padding, eps);
    });
    test("add_rms_norm with a weight of " + name + " updates the residual exactly and normalises it", [&] {
      for (const int64_t width : kWidths)
        for (const int64_t padding : {0, 3})
          if (current_ok) expect_add_rms_norm(dtype, width, padding);
    });
  }
  test("a row's norm has the same bits alone, in company, on any thread count", [] {
    for (const int64_t width : {17, 7168}) expect_norms_alone(width);
  });
  test("rms_norm may write over its input, and over columns of a wider tensor", [] {
    Random random(4);
    const Array weight = random.array(D::F16, {37});
    every_form([&](HostDevice& device, Form form) {
      Array wide = random.array(D::F32, {5, 50}), x(D::F32, {5, 37}), out(D::F32, {5, 37});
      for (int64_t i = 0; i < x.size(); ++i) x.set(i, wide.f32(i / 37 * 50 + 9 + i % 37));
      Tensor view = wide.view();
      view.data = view.as<float>() + 9;
      view.shape[1] = 37;
      Array expected = wide;
      run(device, norm_call(out, x, weight, 1e-6), form);
      for (int64_t i = 0; i < x.size(); ++i) expected.set(i / 37 * 50 + 9 + i % 37, out.f32(i));
      run(device, {"rms_norm", {{view}, {view}, {weight.view()}}, {1e-6}}, form);
      CHECK(wide.same_bits(expected));
    });
  });
  test("a NaN or an infinity spoils its row and no other", [] {
    Random random(6);
    const Array x = random.array(D::F32, {5, 45}), weight = random.array(D::F32, {45});
    const Array zeros(D::F32, {5, 45});
    every_form([&](HostDevice& device, Form form) {
      Array clean(D::F32, {5, 45}), out(D::F32, {5, 45}), added(D::F32, {5, 45}), bad = x, residual = x;
      run(device, norm_call(clean, x, weight, 1e-6), form);
      bad.set(2 * 45 + 44, NAN);
      bad.set(4 * 45 + 3, INFINITY);
      residual = bad;
      run(device, norm_call(out, bad, weight, 1e-6), form);
      run(device, add_norm_call(added, residual, zeros, weight, 1e-6), form);
      for (int64_t i = 0; i < out.size(); ++i) {
        const int64_t row = i / 45;
        if (row == 2) CHECK(std::isnan(out.f32(i)));
        else if (row == 4) CHECK(i % 45 == 3 ? std::isnan(out.f32(i)) : out.f32(i) == 0);
        else CHECK(same_float(out.f32(i), clean.f32(i)));
      }
      CHECK(same_values(added, out));
    });
  });
}

// --- add and copy --------------------------------------------------------------------------------

void add_tests() {
  test("add is exact, in place too, whatever the values", [] {
    const float edges[] = {0, -0.0f, 1e-45f, -1e-38f, 1e18f, -3e38f, 3e38f, INFINITY, -INFINITY, NAN};
    for (const int64_t width : kWidths) {
      for (const int64_t padding : {0, 3}) {
        Random random(static_cast<uint64_t>(width));
        Array a = varied_rows(random, {7, width}, padding), b = varied_rows(random, {7, width}, 2 * padding);
        for (int64_t i = 0; i < a.size(); i += 3) {
          a.set(i, edges[random.below(10)]);
          b.set(i, edges[random.below(10)]);
        }
        Array expected(D::F32, {7, width}, padding);
        for (int64_t i = 0; i < a.size(); ++i) expected.set(i, a.f32(i) + b.f32(i));
        every_form([&](HostDevice& device, Form form) {
          Array out(D::F32, {7, width}, padding), over = a;
          run(device, {"add", {{out.view()}, {a.view()}, {b.view()}}}, form);
          run(device, {"add", {{over.view()}, {over.view()}, {b.view()}}}, form);
          CHECK(same_values(out, expected) && same_values(over, expected));
          CHECK(only_elements(out, padding) && only_elements(over, padding));
        });
      }
    }
  });
  test("copy keeps every bit of F32 and I32, strided on either side", [] {
    for (const D dtype : {D::F32, D::I32}) {
      for (const int64_t width : kWidths) {
        Random random(static_cast<uint64_t>(width));
        Array a(dtype, {9, width}, 3), expected(dtype, {9, width}, 5);
        for (int64_t i = 0; i < a.size(); ++i)
          a.at<uint32_t>(i) = static_cast<uint32_t>(random.below(int64_t{1} << 32));
        a.at<uint32_t>(0) = 0x7f800001;  // a signalling NaN
        for (int64_t i = 0; i < a.size(); ++i) expected.at<uint32_t>(i) = a.at<uint32_t>(i);
        every_form([&](HostDevice& device, Form form) {
          Array out(dtype, {9, width}, 5), same = a;
          run(device, {"copy", {{out.view()}, {a.view()}}}, form);
          CHECK(out.same_bits(expected));
          run(device, {"copy", {{same.view()}, {same.view()}}}, form);
          CHECK(same.same_bits(a));
        });
      }
    }
  });
}

// --- swiglu --------------------------------------------------------------------------------------

// The vector exp is good to about 2 ulp and is infinite from 88.4, where silu is above −4e-37.
bool swiglu_close(float got, float gate, float up, Form form) {
  const double g = gate, exact = g / (1 + std::exp(-g)) * up;
  if (!std::isfinite(exact)) return std::isnan(exact) ? std::isnan(got) : got == exact;
  if (form == Form::reference) return std::fabs(got - exact) <= 0x1.1p-24 * std::fabs(exact) + 1e-44;
  return std::fabs(got - exact) <= 6 * 0x1p-24 * std::fabs(exact) + 4e-37 * std::fabs(up) + 1e-44;
}

void expect_swiglu(const Array& gate, const Array& up, int64_t padding) {
  every_form([&](HostDevice& device, Form form) {
    Array out(D::F32, gate.shape(), padding), over = gate;
    run(device, {"swiglu", {{out.view()}, {gate.view()}, {up.view()}}}, form);
    run(device, {"swiglu", {{over.view()}, {over.view()}, {up.view()}}}, form);
    CHECK(same_values(over, out));
    CHECK(only_elements(out, padding));
    for (int64_t i = 0; i < out.size() && current_ok; ++i) {
      if (swiglu_close(out.f32(i), gate.f32(i), up.f32(i), form)) continue;
      std::printf("  gate %.9g up %.9g: got %.9g\n", gate.f32(i), up.f32(i), out.f32(i));
      CHECK(false);
    }
  });
}

void swiglu_tests() {
  test("swiglu over [T,F] and [T,K,F], over the gate too", [] {
    for (const int64_t width : {1, 7, 8, 15, 16, 17, 576, 2048}) {
      for (const int64_t padding : {0, 3}) {
        Random random(static_cast<uint64_t>(width));
        for (const Shape& shape : {Shape{9, width}, Shape{5, 3, width}}) {
          const Array gate = random.array(D::F32, shape, 6, padding);
          expect_swiglu(gate, random.array(D::F32, shape, 2, 2 * padding), padding);
          if (!current_ok) return;
        }
      }
    }
  });
  test("swiglu where exp leaves F32, and on NaN and infinities", [] {
    std::vector<float> gates = {0, 1e-45f, 1e-38f, 1e-30f, 1e4f, 1e18f, 1e30f, 3e38f};
    for (int i = 1; i <= 440; ++i) gates.push_back(0.25f * static_cast<float>(i));  // up to 110
    for (size_t i = 0, n = gates.size(); i < n; ++i) gates.push_back(-gates[i]);
    gates.push_back(INFINITY);
    gates.push_back(-INFINITY);
    gates.push_back(NAN);
    const auto n = static_cast<int64_t>(gates.size());
    Array gate(D::F32, {3, n}), up(D::F32, {3, n});
    for (int64_t i = 0; i < gate.size(); ++i) {
      gate.set(i, gates[static_cast<size_t>(i % n)]);
      up.set(i, i / n == 0 ? 1 : i / n == 1 ? -0.25f : 1e-3f);
    }
    up.set(5, NAN);
    expect_swiglu(gate, up, 0);
  });
  test("a row of swiglu has the same bits alone, in company, on any thread count", [] {
    Random random(8);
    const Array gate = random.array(D::F32, {33, 1500}, 5), up = random.array(D::F32, {33, 1500});
    std::string isa;
    Array first(D::F32, {33, 1500});
    for (const Bench& bench : benches()) {
      Array all(D::F32, {33, 1500});
      run(*bench.device, {"swiglu", {{all.view()}, {gate.view()}, {up.view()}}}, Form::fast);
      const std::string name = bench.name.substr(0, bench.name.find(' '));
      if (name == isa) CHECK(all.same_bits(first));
      isa = name;
      first = all;
      for (const int64_t count : {1, 2, 20}) {
        Array g = rows_of(gate, 3, count), u = rows_of(up, 3, count);
        run(*bench.device, {"swiglu", {{g.view()}, {g.view()}, {u.view()}}}, Form::fast);
        CHECK(g.same_bits(rows_of(all, 3, count)));
      }
    }
  });
}

// --- refusals ------------------------------------------------------------------------------------

void refusal_tests() {
  test("other shapes, dtypes, strides and epsilons are refused with what was expected", [] {
    Array x(D::F32, {2, 6}), out(D::F32, {2, 6}), other(D::F32, {2, 5}), three(D::F32, {3, 6});
    Array half(D::F16, {2, 6}), ints(D::I32, {2, 6}), fp8(D::F8_E4M3, {6});
    Array w(D::F32, {6}), fewer(D::F32, {5});
    const Tensor o = out.view(), in = x.view(), weight = w.view();
    Tensor transposed = in;
    transposed.strides[1] = 2;
    refused("rms_norm: x: expected [any, any] F32", {"rms_norm", {{o}, {half.view()}, {weight}}, {1e-6}});
    refused("[any, any] F32 with last stride 1", {"rms_norm", {{o}, {transposed}, {weight}}, {1e-6}});
    refused("rms_norm: out: expected [2, 6] F32", {"rms_norm", {{three.view()}, {in}, {weight}}, {1e-6}});
    refused("weight: expected [6] F32 or BF16 or F16", {"rms_norm", {{o}, {in}, {fewer.view()}}, {1e-6}});
    refused("got [6] F8_E4M3", {"rms_norm", {{o}, {in}, {fp8.view()}}, {1e-6}});
    for (const double bad : {static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
      refused("rms_norm: eps: expected a finite number", {"rms_norm", {{o}, {in}, {weight}}, {bad}});
      refused("eps: expected a finite number", {"add_rms_norm", {{o}, {in}, {o}, {weight}}, {bad}});
    }
    refused("delta: expected [2, 6]", {"add_rms_norm", {{o}, {in}, {other.view()}, {weight}}, {1}});
    refused("out: expected [2, 6]", {"add_rms_norm", {{three.view()}, {in}, {o}, {weight}}, {1}});
    refused("weight: expected [6]", {"add_rms_norm", {{o}, {in}, {o}, {fewer.view()}}, {1}});
    refused("add: b: expected [2, 6] F32", {"add", {{o}, {in}, {other.view()}}});
    refused("add: out: expected [2, 6] F32", {"add", {{half.view()}, {in}, {in}}});
    refused("copy: out: expected the dtype of a, I32, got F32", {"copy", {{o}, {ints.view()}}});
    refused("copy: a: expected [any, any] F32 or I32", {"copy", {{o}, {half.view()}}});
    refused("copy: out: expected [2, 5]", {"copy", {{o}, {other.view()}}});
    refused("one tensor, got 2", {"add", {{o}, {in, in}, {in}}});
  });
  test("swiglu refuses a rank or an extent that differs", [] {
    Array two(D::F32, {4, 6}), three(D::F32, {2, 2, 6}), other(D::F32, {2, 3, 6}), one(D::F32, {6});
    refused("swiglu: up: expected [4, 6]", {"swiglu", {{two.view()}, {two.view()}, {three.view()}}});
    refused("swiglu: out: expected [2, 2, 6]", {"swiglu", {{two.view()}, {three.view()}, {three.view()}}});
    refused("swiglu: up: expected [2, 2, 6]", {"swiglu", {{three.view()}, {three.view()}, {other.view()}}});
    refused("swiglu: ", {"swiglu", {{one.view()}, {one.view()}, {one.view()}}});
  });
  test("no tokens are no work", [] {
    Array none(D::F32, {0, 6}), pairs(D::F32, {0, 2, 6}), weight(D::BF16, {6});
    const Tensor n = none.view();
    every_form([&](HostDevice& device, Form form) {
      run(device, {"rms_norm", {{n}, {n}, {weight.view()}}, {1e-6}}, form);
      run(device, {"add_rms_norm", {{n}, {n}, {n}, {weight.view()}}, {1e-6}}, form);
      run(device, {"add", {{n}, {n}, {n}}}, form);
      run(device, {"copy", {{n}, {n}}}, form);
      run(device, {"swiglu", {{n}, {n}, {n}}}, form);
      run(device, {"swiglu", {{pairs.view()}, {pairs.view()}, {pairs.view()}}}, form);
      CHECK(none.guards_intact() && pairs.guards_intact());
    });
  });
}

}  // namespace

int main() {
  norm_tests();
  add_tests();
  swiglu_tests();
  refusal_tests();
  return finish();
}
