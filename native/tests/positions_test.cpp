// The ops that go by index: rope, write_kv, embed_tokens and gather_rows. Oracle and every vector form
// against values computed here; rounding at every halfway point; indices that lead outside are refused.
#include "tests/rounding.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;

// --- rope ----------------------------------------------------------------------------------------

struct Rope {
  int64_t T, H, R;
  int style;
  double factor;
  Array x, positions, inv_freq;

  Rope(int64_t T_, int64_t H_, int64_t R_, int style_, double factor_ = 1, int64_t padding = 0)
      : T(T_), H(H_), R(R_), style(style_), factor(factor_), x(D::F32, {T, H, R}, padding),
        positions(D::I32, {T}), inv_freq(D::F32, {R / 2}) {
    constexpr int32_t kPositions[] = {0, 1, 2, 63, 64, 4095, 32768, 163839, 163840};
    Random random(static_cast<uint64_t>(R + style));
    x = random.array(D::F32, {T, H, R}, 1, padding);
    for (int64_t t = 0; t < T; ++t) positions.at<int32_t>(t) = kPositions[static_cast<size_t>(t) % 9];
    for (int64_t i = 0; i < R / 2; ++i) {
      const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(R);
      inv_freq.set(i, static_cast<float>(std::pow(10000.0, exponent)));
    }
  }
  Call call(const Tensor& view) {
    return {"rope", {{view}, {positions.view()}, {inv_freq.view()}}, {static_cast<double>(style), factor}};
  }
  // The two elements that pair i turns.
  int64_t first(int64_t i) const { return style == 1 ? i : 2 * i; }
  int64_t second(int64_t i) const { return style == 1 ? i + R / 2 : 2 * i + 1; }
};

// Two roundings of each of cosine and sine, of the products and of their sum.
bool turned(float got, double expected, double size) {
  return std::fabs(got - expected) <= 4 * 0x1p-24 * size;
}

void expect_rope(Rope& r, const Array& out) {
  for (int64_t row = 0; row < r.T * r.H; ++row) {
    for (int64_t i = 0; i < r.R / 2; ++i) {
      const long double position = r.positions.at<int32_t>(row / r.H), angle = position * r.inv_freq.f32(i);
      const double c = static_cast<double>(std::cos(angle)) * r.factor;
      const double s = static_cast<double>(std::sin(angle)) * r.factor;
      const int64_t first = row * r.R + r.first(i), second = row * r.R + r.second(i);
      const double a = r.x.f32(first), b = r.x.f32(second);
      const double size = (std::fabs(a) + std::fabs(b)) * std::fabs(r.factor);
      CHECK(turned(out.f32(first), a * c - b * s, size) && turned(out.f32(second), a * s + b * c, size));
      const double before = a * a + b * b, after = std::pow(out.f32(first), 2) + std::pow(out.f32(second), 2);
      CHECK(std::fabs(after - before * r.factor * r.factor) <= 1e-6 * before * r.factor * r.factor);
      if (!current_ok) {
        std::printf("  token %ld head %ld pair %ld of R %ld\n", static_cast<long>(row / r.H),
                    static_cast<long>(row % r.H), static_cast<long>(i), static_cast<long>(r.R));
        return;
      }
    }
  }
}

// Each element set alone turns into itself and its partner, by cosine and sine of 1 radian.
void expect_pairs(int64_t R, int style) {
  for (int64_t i = 0; i < R / 2; ++i) {
    for (const bool upper : {false, true}) {
      Rope r(1, 1, R, style);
      r.x = Array(D::F32, {1, 1, R});
      const int64_t from = upper ? r.second(i) : r.first(i), to = upper ? r.first(i) : r.second(i);
      r.x.set(from, 1);
      r.positions.at<int32_t>(0) = 1;
      for (int64_t j = 0; j < R / 2; ++j) r.inv_freq.set(j, 1);
      every_form([&](HostDevice& device, Form form) {
        Array out = r.x;
        run(device, r.call(out.view()), form);
        for (int64_t j = 0; j < R; ++j) {
          const double sine = upper ? -std::sin(1.0) : std::sin(1.0);
          const double expected = j == from ? std::cos(1.0) : j == to ? sine : 0;
          CHECK(out.f32(j) == static_cast<float>(expected));
        }
      });
    }
  }
}

void rope_tests() {
  test("rope turns neighbours (style 0) and halves (style 1), up to position 163840", [] {
    for (const int64_t R : {2, 6, 64}) {
      for (const int style : {0, 1}) {
        for (const double factor : {1.0, 1.3689, -0.5}) {
          for (const int64_t padding : {0, 3}) {
            Rope r(40, 3, R, style, factor, padding);
            Array oracle = r.x;
            run_reference(r.call(oracle.view()));
            every_form([&](HostDevice& device, Form form) {
              Array out = r.x;
              run(device, r.call(out.view()), form);
              expect_rope(r, out);
              CHECK(out.same_bits(oracle));  // on any instruction set, and the padding as it was
            });
          }
        }
      }
    }
  });
  test("rope pairs exactly the elements of its style", [] {
    for (const int64_t R : {2, 6, 64})
      for (const int style : {0, 1}) expect_pairs(R, style);
  });
  test("position 0 multiplies by the factor alone", [] {
    Rope r(1, 2, 6, 0, 0.7);
    every_form([&](HostDevice& device, Form form) {
      Array out = r.x;
      run(device, r.call(out.view()), form);
      for (int64_t i = 0; i < out.size(); ++i) CHECK(out.f32(i) == r.x.f32(i) * 0.7f);
    });
  });
  test("rope in the last columns of a wider query leaves the others, and a NaN stays in its pair", [] {
    const int64_t dn = 5;
    Random random(2);
    for (const int style : {0, 1}) {
      Rope r(9, 3, 6, style);
      Array wide = random.array(D::F32, {9, 3, dn + 6}), alone(D::F32, {9, 3, 6});
      wide.set((3 * 3 + 1) * (dn + 6) + dn + r.second(1), NAN);
      for (int64_t i = 0; i < alone.size(); ++i) alone.set(i, wide.f32(i / 6 * (dn + 6) + dn + i % 6));
      every_form([&](HostDevice& device, Form form) {
        Array turned_alone = alone, out = wide, expected = wide;
        run(device, r.call(turned_alone.view()), form);
        for (int64_t i = 0; i < alone.size(); ++i)
          expected.set(i / 6 * (dn + 6) + dn + i % 6, turned_alone.f32(i));
        Tensor view = out.view();
        view.data = view.as<float>() + dn;
        view.shape[2] = 6;
        run(device, r.call(view), form);
        CHECK(same_values(out, expected) && out.guards_intact());
        for (int64_t i = 0; i < alone.size(); ++i) {
          const bool spoiled = i / 6 == 3 * 3 + 1 && (i % 6 == r.first(1) || i % 6 == r.second(1));
          CHECK(std::isnan(turned_alone.f32(i)) == spoiled);
        }
      });
    }
  });
}

void rope_refusal_tests() {
  test("rope refuses odd dimensions, other lengths, styles and factors", [] {
    Rope r(2, 1, 6, 0);
    Array odd(D::F32, {2, 1, 5}), none(D::F32, {2, 1, 0}), half(D::F16, {2, 1, 6}), three(D::I32, {3});
    const Tensor x = r.x.view(), p = r.positions.view(), f = r.inv_freq.view();
    refused("rope: x: expected an even last dimension, got 5", {"rope", {{odd.view()}, {p}, {f}}, {0, 1}});
    refused("rope: x: expected an even last dimension, got 0", {"rope", {{none.view()}, {p}, {f}}, {0, 1}});
    refused("rope: x: expected [any, any, any] F32", {"rope", {{half.view()}, {p}, {f}}, {0, 1}});
    refused("rope: positions: expected [2] I32", {"rope", {{x}, {three.view()}, {f}}, {0, 1}});
    refused("rope: positions: expected [2] I32", {"rope", {{x}, {f}, {f}}, {0, 1}});
    refused("rope: inv_freq: expected [3] F32", {"rope", {{x}, {p}, {p}}, {0, 1}});
    for (const double bad : {2.0, -1.0, 0.5, static_cast<double>(NAN)})
      refused("rope: style: expected a whole number from 0 to 1", {"rope", {{x}, {p}, {f}}, {bad, 1}});
    for (const double bad : {static_cast<double>(INFINITY), static_cast<double>(NAN)})
      refused("rope: factor: expected a finite number", {"rope", {{x}, {p}, {f}}, {0, bad}});
  });
}

// --- write_kv ------------------------------------------------------------------------------------

Call write_call(Array& cache, const Tensor& src, Array& slots) {
  return {"write_kv", {{cache.view()}, {src}, {slots.view()}}};
}

Array filled(D dtype, Shape shape, int64_t padding) {
  Array a(dtype, std::move(shape), padding);
  for (int64_t i = 0; i < a.size(); ++i) a.set(i, 7);
  return a;
}

// A third of the tokens skipped, the others to slots of all blocks in a scattered order; the source is
// columns of a wider tensor.
void expect_write(D dtype, int64_t C, int64_t padding) {
  const int64_t T = 100, blocks = 4;
  Random random(static_cast<uint64_t>(C));
  Array wide = random.array(D::F32, {T, C + 4}, 1), slots(D::I32, {T});
  Array cache = filled(dtype, {blocks, 64, C}, padding), expected = cache;
  Tensor src = wide.view();
  src.data = src.as<float>() + 3;
  src.shape[1] = C;
  for (int64_t t = 0; t < T; ++t) {
    const int64_t slot = t % 3 == 1 ? -1 : t * 37 % (blocks * 64);  // 0 and 255 among them, none twice
    slots.at<int32_t>(t) = static_cast<int32_t>(slot);
    for (int64_t i = 0; i < C && slot >= 0; ++i) expected.set(slot * C + i, wide.f32(t * (C + 4) + 3 + i));
  }
  every_form([&](HostDevice& device, Form form) {
    Array out = cache;
    run(device, write_call(out, src, slots), form);
    CHECK(out.same_bits(expected));
  });
}

void expect_write_rounding(D dtype) {
  const std::vector<Rounding> all = roundings(dtype);
  const int64_t C = 677, T = (static_cast<int64_t>(all.size()) + C - 1) / C;
  Array src(D::F32, {T, C}), slots(D::I32, {T});
  for (size_t i = 0; i < all.size(); ++i) src.set(static_cast<int64_t>(i), all[i].value);
  for (int64_t t = 0; t < T; ++t) slots.at<int32_t>(t) = static_cast<int32_t>(T - 1 - t);
  every_form([&](HostDevice& device, Form form) {
    Array cache(dtype, {(T + 63) / 64, 64, C});
    run(device, write_call(cache, src.view(), slots), form);
    for (size_t i = 0; i < all.size(); ++i) {
      const auto n = static_cast<int64_t>(i);
      const uint16_t got = cache.at<uint16_t>((T - 1 - n / C) * C + n % C);
      if (got == all[i].code) continue;
      std::printf("  %.9g: expected %04x, got %04x\n", all[i].value, all[i].code, got);
      CHECK(false);
      return;
    }
    CHECK(cache.guards_intact());
  });
}

void write_tests() {
  for (const D dtype : {D::F32, D::BF16, D::F16}) {
    test(std::string("write_kv puts rows into their slots of ") + dtype_name(dtype) + " and skips -1", [&] {
      for (const int64_t C : {1, 7, 8, 15, 16, 17, 576})
        for (const int64_t padding : {0, 3})
          if (current_ok) expect_write(dtype, C, padding);
    });
  }
  test("write_kv rounds to BF16 to the nearest even at every halfway point",
       [] { expect_write_rounding(D::BF16); });
  test("write_kv rounds to F16 likewise and saturates at 65504", [] { expect_write_rounding(D::F16); });
  test("write_kv keeps NaN, and every bit in F32", [] {
    Array src(D::F32, {1, 3}), slots = ints({1}, {2});
    src.at<uint32_t>(0) = 0x7f800001;
    src.at<uint32_t>(1) = 0xffc12345;
    src.at<uint32_t>(2) = 1;
    every_form([&](HostDevice& device, Form form) {
      Array full(D::F32, {1, 64, 3}), bf16(D::BF16, {1, 64, 3}), f16(D::F16, {1, 64, 3});
      for (Array* cache : {&full, &bf16, &f16}) run(device, write_call(*cache, src.view(), slots), form);
      for (int64_t i = 0; i < 3; ++i) {
        CHECK(full.at<uint32_t>(6 + i) == src.at<uint32_t>(i));
        CHECK(nan_code(D::BF16, bf16.at<uint16_t>(6 + i)) == (i < 2));
        CHECK(nan_code(D::F16, f16.at<uint16_t>(6 + i)) == (i < 2));
      }
    });
  });
  test("write_kv refuses slots outside the cache and writes nothing then", [] {
    Array src = filled(D::F32, {3, 5}, 0), slots = ints({3}, {0, 127, -1}), cache(D::F16, {2, 64, 5});
    const Array before = cache;
    for (const int32_t bad : {-2, 128, INT32_MAX, INT32_MIN}) {
      slots.at<int32_t>(2) = bad;
      every_form([&](HostDevice& device, Form form) {
        const std::string part = "write_kv: slots[2]: expected -1 to 127, got " + std::to_string(bad);
        CHECK(throws(HADAL_ERROR_INVALID, part.c_str(),
                     [&] { run(device, write_call(cache, src.view(), slots), form); }));
        CHECK(cache.same_bits(before));
      });
    }
    Array fp8(D::F8_E4M3, {2, 64, 5}), narrow(D::F16, {2, 64, 4}), two(D::I32, {2});
    refused("write_kv: cache: expected [any, 64, 5] F32 or BF16 or F16", write_call(fp8, src.view(), slots));
    refused("write_kv: cache: expected [any, 64, 5]", write_call(narrow, src.view(), slots));
    refused("write_kv: slots: expected [3] I32", write_call(cache, src.view(), two));
    refused("write_kv: src: expected [any, any] F32", write_call(cache, narrow.view(), slots));
  });
}

// --- embed_tokens and gather_rows ----------------------------------------------------------------

void expect_embedding(D dtype, int64_t width, int64_t padding) {
  const int64_t vocabulary = 19, T = 70;
  Random random(static_cast<uint64_t>(width));
  const Array table = random.array(dtype, {vocabulary, width});
  Array ids(D::I32, {T}), expected(D::F32, {T, width}, padding);
  for (int64_t t = 0; t < T; ++t) {
    const int64_t id = t == 0 ? 0 : t == 1 ? vocabulary - 1 : random.below(vocabulary);
    ids.at<int32_t>(t) = static_cast<int32_t>(id);
    for (int64_t i = 0; i < width; ++i) expected.set(t * width + i, table.f32(id * width + i));
  }
  every_form([&](HostDevice& device, Form form) {
    Array out(D::F32, {T, width}, padding);
    run(device, {"embed_tokens", {{out.view()}, {ids.view()}, {table.view()}}}, form);
    CHECK(out.same_bits(expected));
  });
}

void expect_gather(int64_t width, int64_t padding) {
  Random random(static_cast<uint64_t>(width));
  Array x = random.array(D::F32, {23, width}, 1, 2 * padding), rows(D::I32, {40});
  for (int64_t i = 0; i < x.size(); i += 3)  // bits that a computation would change
    x.at<uint32_t>(i) = 0x7f800001u + static_cast<uint32_t>(random.below(1000));
  Array expected(D::F32, {40, width}, padding);
  for (int64_t n = 0; n < 40; ++n) {
    const int64_t row = n == 0 ? 22 : n == 1 ? 0 : random.below(23);
    rows.at<int32_t>(n) = static_cast<int32_t>(row);
    for (int64_t i = 0; i < width; ++i)
      expected.at<uint32_t>(n * width + i) = x.at<uint32_t>(row * width + i);
  }
  every_form([&](HostDevice& device, Form form) {
    Array out(D::F32, {40, width}, padding);
    run(device, {"gather_rows", {{out.view()}, {x.view()}, {rows.view()}}}, form);
    CHECK(out.same_bits(expected));
  });
}

void lookup_tests() {
  for (const D dtype : {D::F32, D::BF16, D::F16}) {
    test(std::string("embed_tokens reads rows of ") + dtype_name(dtype) + " exactly", [&] {
      for (const int64_t width : {1, 7, 8, 15, 16, 17, 576, 7168})
        for (const int64_t padding : {0, 3})
          if (current_ok) expect_embedding(dtype, width, padding);
    });
  }
  test("gather_rows keeps every bit, strided on either side", [] {
    for (const int64_t width : {1, 7, 8, 15, 16, 17, 576})
      for (const int64_t padding : {0, 3})
        if (current_ok) expect_gather(width, padding);
  });
  test("ids and rows outside are refused", [] {
    Array table(D::BF16, {9, 4}), x(D::F32, {9, 4}), out(D::F32, {3, 4}), index(D::I32, {3});
    for (const int32_t bad : {-1, 9, INT32_MAX, INT32_MIN}) {
      index.at<int32_t>(1) = bad;
      const std::string got = "[1]: expected 0 to 8, got " + std::to_string(bad);
      every_form([&](HostDevice& device, Form form) {
        CHECK(throws(HADAL_ERROR_INVALID, ("embed_tokens: ids" + got).c_str(), [&] {
          run(device, {"embed_tokens", {{out.view()}, {index.view()}, {table.view()}}}, form);
        }));
        CHECK(throws(HADAL_ERROR_INVALID, ("gather_rows: rows" + got).c_str(), [&] {
          run(device, {"gather_rows", {{out.view()}, {x.view()}, {index.view()}}}, form);
        }));
      });
    }
  });
  test("other shapes and dtypes are refused with what was expected", [] {
    Array table(D::BF16, {9, 4}), x(D::F32, {9, 4}), out(D::F32, {3, 4}), index(D::I32, {3});
    Array two(D::I32, {2}), fp8(D::F8_E4M3, {9, 4}), wide(D::BF16, {9, 4}, 1), five(D::F32, {9, 5});
    const Tensor o = out.view(), i = index.view(), w = table.view();
    refused("table: expected [any, any] F32 or BF16 or F16", {"embed_tokens", {{o}, {i}, {fp8.view()}}});
    refused("embed_tokens: table: expected a contiguous tensor", {"embed_tokens", {{o}, {i}, {wide.view()}}});
    refused("embed_tokens: out: expected [3, 5]", {"embed_tokens", {{o}, {i}, {five.view()}}});
    refused("embed_tokens: out: expected [2, 4]", {"embed_tokens", {{o}, {two.view()}, {w}}});
    refused("embed_tokens: ids: expected [any] I32", {"embed_tokens", {{o}, {w}, {w}}});
    refused("gather_rows: x: expected [any, any] F32", {"gather_rows", {{o}, {w}, {i}}});
    refused("gather_rows: out: expected [2, 4]", {"gather_rows", {{o}, {x.view()}, {two.view()}}});
    refused("gather_rows: out: expected [3, 5]", {"gather_rows", {{o}, {five.view()}, {i}}});
    refused("gather_rows: rows: expected [any] I32", {"gather_rows", {{o}, {x.view()}, {x.view()}}});
  });
  test("no tokens are no work", [] {
    Array none(D::F32, {0, 6}), heads(D::F32, {0, 2, 6}), index(D::I32, {0}), table(D::BF16, {3, 6});
    Array inv_freq(D::F32, {3}), cache = filled(D::F16, {1, 64, 6}, 0), empty(D::F32, {0, 6});
    const Array before = cache;
    const Tensor n = none.view(), i = index.view();
    every_form([&](HostDevice& device, Form form) {
      run(device, {"rope", {{heads.view()}, {i}, {inv_freq.view()}}, {0, 1}}, form);
      run(device, write_call(cache, n, index), form);
      run(device, {"embed_tokens", {{n}, {i}, {table.view()}}}, form);
      run(device, {"gather_rows", {{n}, {empty.view()}, {i}}}, form);
      CHECK(cache.same_bits(before) && none.guards_intact() && heads.guards_intact());
    });
  });
}

}  // namespace

int main() {
  rope_tests();
  rope_refusal_tests();
  write_tests();
  lookup_tests();
  return finish();
}
