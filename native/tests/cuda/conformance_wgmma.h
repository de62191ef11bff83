// Conformance of wgmma: where operands and accumulators lie, for every N, type, major and swizzle, and how sums are
// cut. What is expected is written from the PTX ISA's figures of the layouts (which 16 bytes change places in which
// row), not from the emulator's address arithmetic, and products are plain loops over logical matrices.
#pragma once

#include "tests/cuda/conformance.h"

namespace hadal::testing {

// One operand: rows of K elements, each of `size` bytes, as a tile in shared memory.
struct TileLayout {
  int size, rows, k;  // bytes of an element; of M or N; of all instructions together
  bool mn_major = false;
  int span = 128;            // bytes of a swizzled row; 16: not swizzled; 0: no tile, rows of 128 bytes
  uint32_t offset = 0;       // of the tile in shared memory
  bool far_columns = false;  // not swizzled: blocks of 8 rows follow one another first, then columns

  // In the figures the 16-byte pieces of a row of the span change places within it by the row's number.
  int moved(int piece, int line) const {
    switch (span) {
      case 128:
        return piece ^ line % 8;
      case 64:
        return piece ^ line / 2 % 4;
      case 32:
        return piece ^ line / 4 % 2;
      default:
        return piece;
    }
  }
  // Bytes from the tile's start to an element.
  size_t place(int row, int column) const {
    return static_cast<size_t>(mn_major ? mn_place(row, column) : k_place(row, column));
  }
  int k_place(int row, int column) const {
    const int byte = column * size;
    if (span == 0) return row * 128 + byte;
    if (span == 16) return row / 8 * stride() + byte / 16 * leading() + row % 8 * 16 + byte % 16;
    return byte / span * (rows * span) + row * span + moved(byte % span / 16, row) * 16 + byte % 16;
  }
  int mn_place(int row, int column) const {
    const int byte = row * size;
    if (span == 16) return byte / 16 * stride() + column / 8 * leading() + column % 8 * 16 + byte % 16;
    return byte / span * leading() + column / 8 * stride() + column % 8 * span + moved(byte % span / 16, column) * 16 +
           byte % 16;
  }
  int leading() const {
    if (mn_major) return span == 16 ? (far_columns ? rows / 8 * 128 : 128) : k * span;
    return span == 16 ? (far_columns ? rows / 8 * 128 : 128) : 16;
  }
  int stride() const {
    if (mn_major) return span == 16 ? (far_columns ? 128 : k / 8 * 128) : 8 * span;
    return span == 16 ? (far_columns ? 128 : k * size / 16 * 128) : 8 * span;
  }
  size_t bytes() const { return static_cast<size_t>(rows) * static_cast<size_t>(k) * static_cast<size_t>(size); }
  int k_of_one() const { return 32 / size; }
  int steps() const { return k / k_of_one(); }
  cuda::ProbeTile tile() const {
    cuda::ProbeTile tile{};
    tile.offset = offset;
    tile.swizzle = span == 128 ? 1 : span == 64 ? 2 : span == 32 ? 3 : 0;
    tile.leading = static_cast<uint32_t>(leading());
    tile.stride = static_cast<uint32_t>(stride());
    if (span > 16) tile.base_offset = offset >> 7 & 7 & static_cast<uint32_t>(span / 16 - 1);
    for (int step = 0; step < steps() && step < 4; ++step) {
      // K-major and swizzled: on inside the row of one span, where row 0 has nothing moved.
      tile.step[step] =
          static_cast<uint32_t>(mn_major || span == 16 ? step * (k_of_one() / (mn_major ? 8 : 16 / size)) *
                                                             (mn_major && span > 16 ? stride() : leading())
                                                       : step * 32 / span * rows * span + step * 32 % span);
    }
    return tile;
  }
};

struct Logical {
  int rows, k;
  std::vector<float> values;
  float& at(int row, int column) { return values[static_cast<size_t>(row * k + column)]; }
  float at(int row, int column) const { return values[static_cast<size_t>(row * k + column)]; }
  Logical(int rows, int k) : rows(rows), k(k), values(static_cast<size_t>(rows * k)) {}
};
inline Logical small_integers(int rows, int k, uint64_t seed) {
  std::mt19937_64 random(seed);
  Logical logical(rows, k);
  for (float& value : logical.values) value = static_cast<float>(static_cast<int>(random() % 7) - 3);
  return logical;
}

// E4M3's code of a value that it has exactly, found among all.
inline float e4m3_value(int code) {
  const int exponent = code >> 3 & 15, mantissa = code & 7;
  if ((code & 127) == 127) return NAN;
  const float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(mantissa) / 8, -6)
                                        : std::ldexp(1 + static_cast<float>(mantissa) / 8, exponent - 7);
  return code & 128 ? -magnitude : magnitude;
}
inline uint8_t e4m3_code(float value) {
  if (value != value) return 0x7f;
  for (int code = 0; code < 256; ++code)
    if (e4m3_value(code) == value && std::signbit(e4m3_value(code)) == std::signbit(value))
      return static_cast<uint8_t>(code);
  fail(HADAL_ERROR_INTERNAL, "%g is no value of E4M3", static_cast<double>(value));
}

inline void put(Bytes& image, const TileLayout& layout, const Logical& logical) {
  for (int row = 0; row < logical.rows; ++row)
    for (int column = 0; column < logical.k; ++column) {
      const size_t at = layout.offset + layout.place(row, column);
      if (layout.size == 1) {
        image[at] = e4m3_code(logical.at(row, column));
      } else {
        const uint16_t bits = bf16_bits(logical.at(row, column));
        std::memcpy(&image[at], &bits, 2);
      }
    }
}

// Owner of D[row, column] among 128 threads, and the number in its array: the figure of the PTX ISA, read backwards.
inline size_t accumulator_index(int row, int column, int n) {
  const int thread = row / 16 * 32 + row % 8 * 4 + column % 8 / 2;
  return static_cast<size_t>(thread * (n / 2) + column / 8 * 4 + row % 16 / 8 * 2 + column % 2);
}
inline float initial_accumulator(size_t index, int n) {
  const size_t floats = static_cast<size_t>(n) / 2;
  return static_cast<float>((index / floats + 3 * (index % floats)) & 7);
}

struct WgmmaCase {
  const cuda::Kernel* kernel;
  int size, n;
  bool registers = false;
  TileLayout a, b;
  bool add = false;
};

inline WgmmaCase wgmma_case(const cuda::Kernel& kernel, int size, int n, bool registers, bool a_mn, bool b_mn,
                            int span_a = 128, int span_b = 128) {
  WgmmaCase c{&kernel, size, n, registers, {}, {}, false};
  c.a = {size, 64, 128 / size, a_mn, span_a, 0, false};
  if (b_mn) span_b = std::min(span_b, n * size);  // a span holds rows of B
  c.b = {size, n, 128 / size, b_mn, span_b, 16384, false};
  return c;
}
inline Bytes run_wgmma(ProbeDevice& device, const WgmmaCase& c, const Logical& a, const Logical& b) {
  Bytes image(c.b.offset + c.b.bytes());
  // In front of registers: rows of 128 bytes as they are.
  TileLayout in_image = c.a;
  if (c.registers) in_image.span = 0;
  put(image, in_image, a);
  put(image, c.b, b);
  image.resize((image.size() + 15) / 16 * 16);
  cuda::WgmmaProbeParams params{};
  params.image = device.upload(image);
  const size_t bytes = static_cast<size_t>(64 * c.n) * 4;
  params.out = reinterpret_cast<float*>(device.allocate(bytes));
  params.a = c.a.tile();
  params.b = c.b.tile();
  params.image_bytes = static_cast<uint32_t>(image.size());
  params.add = c.add;
  cuda::Launch launch;
  launch.shared_bytes = cuda::kProbeBytes;
  return device.run(*c.kernel, launch, params, params.out, bytes);
}
// Of integers so small that every way of summing is exact.
inline Bytes expected_wgmma(const WgmmaCase& c, const Logical& a, const Logical& b) {
  std::vector<float> d(static_cast<size_t>(64 * c.n));
  for (int row = 0; row < 64; ++row)
    for (int column = 0; column < c.n; ++column) {
      const size_t index = accumulator_index(row, column, c.n);
      float sum = c.add ? initial_accumulator(index, c.n) : 0;
      for (int k = 0; k < a.k; ++k) sum += a.at(row, k) * b.at(column, k);
      d[index] = sum;
    }
  return bytes_of(d);
}

inline void add_integer_case(std::vector<ProbeCase>& cases, const std::string& name, const WgmmaCase& c) {
  const uint64_t seed = cases.size() + 1;
  const Logical a = small_integers(64, c.a.k, seed), b = small_integers(c.n, c.b.k, seed + 1000);
  cases.push_back({name, ProbeKind::kExact, [=](ProbeDevice& device) { return run_wgmma(device, c, a, b); },
                   [=] { return expected_wgmma(c, a, b); }});
}

inline std::string span_name(int span) {
  return span == 16 ? "plain" : "sw" + std::to_string(span);
}

inline void add_products(std::vector<ProbeCase>& cases) {
  constexpr int e4m3 = 1, bf16 = 2;
  constexpr bool kK = false, kMN = true;
#define HADAL_ADD(name, type, n, registers, a, b) \
  add_integer_case(cases, #name, wgmma_case(cuda::probes::name, type, n, registers, a, b));
  HADAL_WGMMA_PROBES(HADAL_ADD)
#undef HADAL_ADD
  // Each swizzle on each side, not swizzled with columns near and far, and added to D.
  for (const int span : {16, 32, 64, 128}) {
    const std::string tail = "_" + span_name(span);
    const auto add = [&](const std::string& name, WgmmaCase c) {
      c.add = span == 64;
      add_integer_case(cases, name + tail, c);
      if (span != 16) return;
      c.a.far_columns = c.b.far_columns = true;
      add_integer_case(cases, name + tail + "_far", c);
    };
    add("wgmma_e4m3_n64_ab", wgmma_case(cuda::probes::wgmma_e4m3_n64, e4m3, 64, false, kK, kK, span, span));
    add("wgmma_bf16_n64_ab", wgmma_case(cuda::probes::wgmma_bf16_n64, bf16, 64, false, kK, kK, span, span));
    add("wgmma_bf16_ma_n64", wgmma_case(cuda::probes::wgmma_bf16_ma_n64, bf16, 64, false, kMN, kK, span, 128));
    add("wgmma_bf16_mb_n64", wgmma_case(cuda::probes::wgmma_bf16_mb_n64, bf16, 64, false, kK, kMN, 128, span));
    add("wgmma_bf16_mab_n128", wgmma_case(cuda::probes::wgmma_bf16_mab_n128, bf16, 128, false, kMN, kMN, span, span));
    add("wgmma_bf16_rs_mb_n64", wgmma_case(cuda::probes::wgmma_bf16_rs_mb_n64, bf16, 64, true, kK, kMN, 128, span));
  }
}

// ---- where elements are taken from ----

inline Bytes run_places(ProbeDevice& device, const cuda::Kernel& kernel, const TileLayout& layout, int n) {
  const int steps = std::min(layout.steps(), 4);
  const size_t bytes = static_cast<size_t>(steps * 64 * n) * 2;
  cuda::PlacesParams params{};
  params.out = reinterpret_cast<uint16_t*>(device.allocate(bytes));
  params.tile = layout.tile();
  params.steps = steps;
  while (size_t{1} << params.bits < layout.bytes() / static_cast<size_t>(layout.size)) ++params.bits;
  cuda::Launch launch;
  launch.shared_bytes = cuda::kProbeBytes;
  return device.run(kernel, launch, params, params.out, bytes);
}
inline Bytes expected_places(const TileLayout& layout, bool of_a, int n) {
  const int steps = std::min(layout.steps(), 4), k_of_one = layout.k_of_one();
  std::vector<uint16_t> places(static_cast<size_t>(steps * 64 * n));
  for (int step = 0; step < steps; ++step)
    for (int row = 0; row < 64; ++row)
      for (int column = 0; column < n; ++column) {
        // D[row, column] is A[row, k = column] or B[column, k = row]; zero where there is no such k.
        const int k = of_a ? column : row;
        const size_t index = static_cast<size_t>(step * 64 * n) + accumulator_index(row, column, n);
        if (k < k_of_one)
          places[index] = static_cast<uint16_t>(layout.place(of_a ? row : column, step * k_of_one + k) /
                                                static_cast<size_t>(layout.size));
      }
  return bytes_of(places);
}
inline void add_places(std::vector<ProbeCase>& cases) {
  const auto add = [&](const std::string& name, const cuda::Kernel& kernel, int size, bool of_a, bool mn_major) {
    const int n = of_a ? 32 / size : 64;
    const auto add_layout = [&](const std::string& tail, const TileLayout& layout) {
      cases.push_back({name + "_" + tail, ProbeKind::kExact,
                       [=, &kernel](ProbeDevice& device) { return run_places(device, kernel, layout, n); },
                       [=] { return expected_places(layout, of_a, n); }});
    };
    for (const int span : {16, 32, 64, 128}) {
      // K-major: one row of the span; MN-major: two instructions' K.
      const int k = span == 16 ? 64 / size : mn_major ? 32 : span / size;
      TileLayout layout{size, 64, k, mn_major, span, 0, false};
      add_layout(span_name(span), layout);
      layout.far_columns = true;
      if (span == 16) add_layout("plain_far", layout);
    }
    // The pattern begins three rows after a multiple of 1024.
    if (!mn_major) add_layout("sw128_moved", {size, 64, 128 / size, false, 128, 3 * 128, false});
  };
  add("places_a_e4m3", cuda::probes::places_a_e4m3, 1, true, false);
  add("places_b_e4m3", cuda::probes::places_b_e4m3, 1, false, false);
  add("places_a_bf16", cuda::probes::places_a_bf16, 2, true, false);
  add("places_b_bf16", cuda::probes::places_b_bf16, 2, false, false);
  add("places_a_bf16_mn", cuda::probes::places_a_bf16_mn, 2, true, true);
  add("places_b_bf16_mn", cuda::probes::places_b_bf16_mn, 2, false, true);
}

// ---- sums ----

inline void add_sum_case(std::vector<ProbeCase>& cases, const std::string& name, const WgmmaCase& c, const Logical& a,
                         const Logical& b) {
  cases.push_back({name, ProbeKind::kSum, [=](ProbeDevice& device) { return run_wgmma(device, c, a, b); }, nullptr});
}
// 1, a power of two further along K that gets smaller by the row and the column, and a last term.
inline Logical one_and_less(int k, int least, float last, float sign) {
  Logical a(64, k);
  for (int row = 0; row < 60; ++row) {
    const int places[] = {1, 17, k / 4 - 1, k / 4, k / 2, k - 2};
    a.at(row, 0) = 1;
    a.at(row, places[row / 10]) = sign * std::ldexp(1.0f, -(row % 10 * least / 9));
    a.at(row, k - 1) = last;
  }
  return a;
}
inline Logical descending(int k, int most) {
  Logical b(8, k);
  for (int column = 0; column < 8; ++column)
    for (int i = 0; i < k; ++i) b.at(column, i) = i == 0 || i == k - 1 ? 1 : std::ldexp(1.0f, -(column * most / 7));
  return b;
}
inline Logical random_e4m3(int rows, int k, uint64_t seed, bool with_nan) {
  std::mt19937_64 random(seed);
  Logical logical(rows, k);
  for (float& value : logical.values) {
    const auto code = static_cast<int>(random() % 256);
    value = (code & 127) == 127 ? (with_nan ? NAN : 1.0f) : e4m3_value(code);
  }
  return logical;
}
inline Logical random_bf16(int rows, int k, uint64_t seed) {
  Random random(seed);
  Logical logical(rows, k);
  for (float& value : logical.values)
    value = bf16_value(bf16_bits(random.normal() * std::ldexp(1.0f, static_cast<int>(random.normal() * 3))));
  return logical;
}
inline void add_sums(std::vector<ProbeCase>& cases) {
  WgmmaCase fp8 = wgmma_case(cuda::probes::wgmma_e4m3_n8, 1, 8, false, false, false);
  add_sum_case(cases, "sum_e4m3_one_and_less", fp8, one_and_less(128, 9, 0, 1), descending(128, 7));
  add_sum_case(cases, "sum_e4m3_one_less_less", fp8, one_and_less(128, 9, 0, -1), descending(128, 7));
  add_sum_case(cases, "sum_e4m3_cancels", fp8, one_and_less(128, 9, -1, 1), descending(128, 7));
  add_sum_case(cases, "sum_e4m3_cancels_less", fp8, one_and_less(128, 9, -1, -1), descending(128, 7));
  add_sum_case(cases, "sum_e4m3_random", fp8, random_e4m3(64, 128, 1, false), random_e4m3(8, 128, 2, false));
  fp8.add = true;
  add_sum_case(cases, "sum_e4m3_random_added", fp8, random_e4m3(64, 128, 3, false), random_e4m3(8, 128, 4, false));
  Logical nan_a = random_e4m3(64, 128, 5, false);
  for (int row = 0; row < 64; row += 5) nan_a.at(row, row * 2) = NAN;
  add_sum_case(cases, "sum_e4m3_nan", fp8, nan_a, random_e4m3(8, 128, 6, false));
  Logical largest(64, 128), largest_b(8, 128);
  for (float& value : largest.values) value = 448;
  for (float& value : largest_b.values) value = 448;
  add_sum_case(cases, "sum_e4m3_largest", fp8, largest, largest_b);
  WgmmaCase bf16 = wgmma_case(cuda::probes::wgmma_bf16_n8, 2, 8, false, false, false);
  add_sum_case(cases, "sum_bf16_one_and_less", bf16, one_and_less(64, 18, 0, 1), descending(64, 14));
  add_sum_case(cases, "sum_bf16_one_less_less", bf16, one_and_less(64, 18, 0, -1), descending(64, 14));
  add_sum_case(cases, "sum_bf16_cancels", bf16, one_and_less(64, 18, -1, 1), descending(64, 14));
  add_sum_case(cases, "sum_bf16_random", bf16, random_bf16(64, 64, 7), random_bf16(8, 64, 8));
  Logical infinite = random_bf16(64, 64, 9);
  for (int row = 0; row < 64; row += 5) infinite.at(row, row) = row % 2 ? INFINITY : -INFINITY;
  for (int row = 1; row < 64; row += 9) infinite.at(row, row) = NAN;
  add_sum_case(cases, "sum_bf16_infinite", bf16, infinite, random_bf16(8, 64, 10));
}

inline ProbeCase groups_case() {
  WgmmaCase c = wgmma_case(cuda::probes::wgmma_groups, 1, 16, false, false, false);
  const Logical a = small_integers(64, 128, 77), b = small_integers(16, 128, 78);
  const auto run = [=](ProbeDevice& device) {
    Bytes image(c.b.offset + c.b.bytes());
    put(image, c.a, a);
    put(image, c.b, b);
    cuda::WgmmaProbeParams params{};
    params.image = device.upload(image);
    params.out = reinterpret_cast<float*>(device.allocate(256 * 8 * 4));
    params.a = c.a.tile();
    params.b = c.b.tile();
    params.image_bytes = static_cast<uint32_t>(image.size());
    cuda::Launch launch;
    launch.shared_bytes = cuda::kProbeBytes;
    return device.run(cuda::probes::wgmma_groups, launch, params, params.out, 256 * 8 * 4);
  };
  const auto expected = [=] {
    std::vector<float> out(256 * 8);
    for (int row = 0; row < 64; ++row)
      for (int column = 0; column < 16; ++column) {
        const size_t index = accumulator_index(row, column % 8, 8);
        float first = 0, second = initial_accumulator(index, 8);
        if (column >= 8) second = static_cast<float>((128 + index / 4 + 3 * (index % 4)) & 7);
        for (int k = 0; k < 64; ++k) first += a.at(row, k) * b.at(column, k);
        for (int k = 64; k < 96; ++k) second += a.at(row, k) * b.at(column, k);
        const size_t thread = static_cast<size_t>(column / 8) * 128 + index / 4;
        out[thread * 8 + index % 4] = first;
        out[thread * 8 + 4 + index % 4] = second;
      }
    return bytes_of(out);
  };
  return {"wgmma_groups", ProbeKind::kExact, run, expected};
}

inline void add_wgmma_cases(std::vector<ProbeCase>& cases) {
  add_products(cases);
  add_places(cases);
  add_sums(cases);
  cases.push_back(groups_case());
}

}  // namespace hadal::testing
