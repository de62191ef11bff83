// Conformance of what one warp does: 8x8 tiles, products of mma.sync, shuffles and votes; and of conversions, whose
// expected values are found by looking for the nearest value among all of the type.
#pragma once

#include "tests/cuda/conformance_wgmma.h"

namespace hadal::testing {

inline cuda::Launch blocks_of(const cuda::Kernel& kernel, int count, uint32_t shared_bytes = 0) {
  cuda::Launch launch;
  launch.grid.x = (static_cast<uint32_t>(count) + kernel.threads - 1) / kernel.threads;
  launch.shared_bytes = shared_bytes;
  return launch;
}
inline Bytes run_probe(ProbeDevice& device, const cuda::Kernel& kernel, const cuda::Launch& launch, const Bytes& in,
                       int count, size_t bytes) {
  cuda::ProbeParams params{};
  if (!in.empty()) params.in = device.upload(in);
  params.out = device.allocate(bytes);
  params.count = count;
  return device.run(kernel, launch, params, params.out, bytes);
}

// ---- tiles ----

// Lane's row of 16 bytes is number (5 · lane + 3) % 32; tile t has the rows of lanes 8t .. 8t + 7.
inline int probe_row_of(int lane) {
  return (lane * 5 + 3) % 32;
}

inline Bytes expected_load(int tiles, bool transposed) {
  std::vector<uint16_t> out(static_cast<size_t>(32 * tiles * 2));
  for (int tile = 0; tile < tiles; ++tile)
    for (int row = 0; row < 8; ++row)
      for (int column = 0; column < 8; ++column) {
        const int down = transposed ? column : row, across = transposed ? row : column;
        const int lane = down * 4 + across / 2;
        out[static_cast<size_t>((lane * tiles + tile) * 2 + across % 2)] =
            static_cast<uint16_t>(probe_row_of(tile * 8 + row) * 8 + column);
      }
  return bytes_of(out);
}
inline Bytes expected_store(int tiles, bool transposed) {
  std::vector<uint16_t> out(32 * 8, 0xffff);
  for (int tile = 0; tile < tiles; ++tile)
    for (int row = 0; row < 8; ++row)
      for (int column = 0; column < 8; ++column) {
        const int down = transposed ? column : row, across = transposed ? row : column;
        out[static_cast<size_t>(probe_row_of(tile * 8 + row) * 8 + column)] =
            static_cast<uint16_t>((tile * 32 + down * 4 + across / 2) * 2 + across % 2);
      }
  return bytes_of(out);
}
inline void add_tiles(std::vector<ProbeCase>& cases) {
  const auto add = [&](const char* name, const cuda::Kernel& kernel, bool loads, int tiles, bool transposed) {
    const size_t bytes = loads ? static_cast<size_t>(32 * tiles * 4) : 512;
    cases.push_back({name, ProbeKind::kExact,
                     [=, &kernel](ProbeDevice& device) {
                       return run_probe(device, kernel, blocks_of(kernel, 32, 512), {}, 0, bytes);
                     },
                     [=] { return loads ? expected_load(tiles, transposed) : expected_store(tiles, transposed); }});
  };
  constexpr bool load_matrix = true, store_matrix = false;
#define HADAL_ADD(name, way, tiles, transposed) add(#name, cuda::probes::name, way, tiles, transposed);
  HADAL_MATRIX_PROBES(HADAL_ADD)
#undef HADAL_ADD
}

// A[16, k] and B[8, k] as the PTX ISA's figures deal them out to lanes: four bytes of K a register.
inline void add_mma(std::vector<ProbeCase>& cases, const char* name, const cuda::Kernel& kernel, int size,
                    bool integers) {
  const int k = 32 / size;
  const auto made = [=](int rows, uint64_t seed) {
    return integers    ? small_integers(rows, k, seed)
           : size == 1 ? random_e4m3(rows, k, seed, false)
                       : random_bf16(rows, k, seed);
  };
  const Logical a = made(16, 31), b = made(8, 32), c = integers ? small_integers(16, 8, 33) : random_bf16(16, 8, 33);
  std::vector<uint8_t> in(32 * 40), rows_a(16 * 32), rows_b(8 * 32);
  const auto encode = [&](std::vector<uint8_t>& to, const Logical& from) {
    for (size_t i = 0; i < from.values.size(); ++i) {
      const uint16_t bits = bf16_bits(from.values[i]);
      if (size == 1)
        to[i] = e4m3_code(from.values[i]);
      else
        std::memcpy(&to[2 * i], &bits, 2);
    }
  };
  encode(rows_a, a);
  encode(rows_b, b);
  for (int row = 0; row < 16; ++row)
    for (int byte = 0; byte < 32; byte += 4) {
      const int lane = row % 8 * 4 + byte % 16 / 4;
      std::memcpy(&in[static_cast<size_t>(lane * 40 + (byte / 16 * 2 + row / 8) * 4)],
                  &rows_a[static_cast<size_t>(row * 32 + byte)], 4);
      if (row < 8)
        std::memcpy(&in[static_cast<size_t>(lane * 40 + 16 + byte / 16 * 4)],
                    &rows_b[static_cast<size_t>(row * 32 + byte)], 4);
    }
  std::vector<float> sums(32 * 4);
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column) {
      const size_t lane = static_cast<size_t>(row % 8 * 4 + column / 2),
                   i = static_cast<size_t>(row / 8 * 2 + column % 2);
      std::memcpy(&in[lane * 40 + 24 + i * 4], &c.values[static_cast<size_t>(row * 8 + column)], 4);
      float sum = c.at(row, column);
      for (int at = 0; at < k; ++at) sum += a.at(row, at) * b.at(column, at);
      sums[lane * 4 + i] = sum;
    }
  ProbeCase added{
      name, integers ? ProbeKind::kExact : ProbeKind::kSum,
      [=, &kernel](ProbeDevice& device) { return run_probe(device, kernel, blocks_of(kernel, 32), in, 0, 512); },
      nullptr};
  if (integers) added.expected = [=] { return bytes_of(sums); };
  cases.push_back(added);
}

// ---- conversions ----

// Floats around every value of BF16: itself, its neighbours, the tie to the next one and what lies beside.
inline std::vector<float> dense_floats() {
  std::vector<float> values;
  for (uint32_t upper = 0; upper < 65536; ++upper)
    for (const uint32_t lower : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu})
      values.push_back(std::bit_cast<float>(upper << 16 | lower));
  return values;
}
inline Bytes expected_bf16(const std::vector<float>& values) {
  std::vector<uint16_t> out;
  for (const float value : values) {
    if (value != value) {
      out.push_back(0x7fff);
      continue;
    }
    const auto upper = static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16);  // towards zero
    const double below = std::bit_cast<float>(static_cast<uint32_t>(upper) << 16);
    // Beyond the largest value the next step up would be 2^128.
    const double step = std::ldexp(1.0, std::max(static_cast<int>(upper >> 7 & 255), 1) - 127 - 7);
    const double above = std::signbit(value) ? below - step : below + step, exact = value;
    const double down = std::fabs(exact - below), up = std::fabs(above - exact);
    const bool takes_above = !std::isinf(value) && (up < down || (up == down && upper % 2 != 0));
    out.push_back(static_cast<uint16_t>(upper + (takes_above ? 1 : 0)));
  }
  return bytes_of(out);
}
inline Bytes expected_e4m3(const std::vector<float>& values) {
  Bytes out;
  for (const float value : values) {
    if (value != value) {
      out.push_back(std::signbit(value) ? 0xff : 0x7f);  // the toolkit's software conversion keeps the sign
      continue;
    }
    const float magnitude = std::min(std::fabs(value), 448.0f);
    int low = 0, high = 0x7e;  // codes are in the order of their values
    while (low < high) {
      const int middle = (low + high + 1) / 2;
      e4m3_value(middle) <= magnitude ? low = middle : high = middle - 1;
    }
    if (low < 0x7e) {
      const double down = static_cast<double>(magnitude) - e4m3_value(low),
                   up = static_cast<double>(e4m3_value(low + 1)) - magnitude;
      if (up < down || (up == down && low % 2 != 0)) ++low;
    }
    out.push_back(static_cast<uint8_t>(low | (std::signbit(value) ? 0x80 : 0)));
  }
  return out;
}
inline void add_conversions(std::vector<ProbeCase>& cases) {
  cases.push_back({"bf16_to_float", ProbeKind::kExact,
                   [](ProbeDevice& device) {
                     const cuda::Kernel& kernel = cuda::probes::bf16_to_float;
                     return run_probe(device, kernel, blocks_of(kernel, 65536), {}, 65536, 65536 * 4);
                   },
                   [] {
                     std::vector<uint16_t> out;
                     for (uint32_t i = 0; i < 65536; ++i) out.insert(out.end(), {0, static_cast<uint16_t>(i)});
                     return bytes_of(out);
                   }});
  cases.push_back({"e4m3_to_float", ProbeKind::kExact,
                   [](ProbeDevice& device) {
                     const cuda::Kernel& kernel = cuda::probes::e4m3_to_float;
                     return run_probe(device, kernel, blocks_of(kernel, 256), {}, 256, 256 * 4);
                   },
                   [] {
                     std::vector<uint32_t> out;
                     for (int i = 0; i < 256; ++i)  // conversions have one NaN
                       out.push_back((i & 127) == 127 ? 0x7fffffffu : std::bit_cast<uint32_t>(e4m3_value(i)));
                     return bytes_of(out);
                   }});
  const auto floats = std::make_shared<const std::vector<float>>(dense_floats());
  const auto count = static_cast<int>(floats->size());
  cases.push_back({"float_to_bf16", ProbeKind::kExact,
                   [=](ProbeDevice& device) {
                     const cuda::Kernel& kernel = cuda::probes::float_to_bf16;
                     return run_probe(device, kernel, blocks_of(kernel, count), bytes_of(*floats), count,
                                      floats->size() * 2);
                   },
                   [=] { return expected_bf16(*floats); }});
  cases.push_back({"float_to_e4m3", ProbeKind::kExact,
                   [=](ProbeDevice& device) {
                     const cuda::Kernel& kernel = cuda::probes::float_to_e4m3;
                     return run_probe(device, kernel, blocks_of(kernel, count), bytes_of(*floats), count,
                                      floats->size());
                   },
                   [=] { return expected_e4m3(*floats); }});
}

// ---- words of a warp ----

inline std::vector<uint32_t> warp_input() {
  std::mt19937 random(5);
  std::vector<uint32_t> in;
  for (int row = 0; row < 32; ++row)
    for (uint32_t lane = 0; lane < 32; ++lane) {
      const uint32_t any = static_cast<uint32_t>(random());
      // All equal, two alternatives (ties), one different lane, few bits, anything.
      in.push_back(row < 4    ? 7u * static_cast<uint32_t>(row)
                   : row < 12 ? any % 2 * 15
                   : row < 16 ? (lane == 2u * static_cast<uint32_t>(row) % 32 ? any : 0)
                   : row < 20 ? 1u << lane
                              : any);
    }
  return in;
}
inline Bytes expected_warp_words() {
  const std::vector<uint32_t> in = warp_input();
  std::vector<uint32_t> out;
  for (size_t row = 0; row < in.size() / 32; ++row) {
    const uint32_t* x = &in[row * 32];
    uint32_t votes = 0, largest = 0, least = ~0u, total = 0, largest16 = 0, sum1024 = 0;
    for (uint32_t lane = 0; lane < 32; ++lane) {
      votes |= (x[lane] & 1) << lane;
      largest = std::max(largest, x[lane]);
      least = std::min(least, x[lane]);
      total += x[lane];
      largest16 = std::max(largest16, x[lane] % 16);
      sum1024 += x[lane] % 1024;
    }
    uint32_t first16 = 0;
    while (x[first16] % 16 != largest16) ++first16;
    const auto each = [&](auto of_lane) {
      for (uint32_t lane = 0; lane < 32; ++lane) out.push_back(of_lane(lane));
    };
    const auto bits = [](double value) { return std::bit_cast<uint32_t>(static_cast<float>(value)); };
    each([&](uint32_t lane) { return x[x[lane] >> 8 & 31]; });
    each([&](uint32_t lane) { return x[lane ^ 5]; });
    each([&](uint32_t lane) { return x[lane < 3 ? lane : lane - 3]; });
    each([&](uint32_t lane) { return x[lane + 9 < 32 ? lane + 9 : lane]; });
    each([&](uint32_t) { return votes; });
    each([&](uint32_t) { return largest; });
    each([&](uint32_t) { return least; });
    each([&](uint32_t) { return total; });
    each([&](uint32_t) { return bits(sum1024); });
    each([&](uint32_t lane) {
      uint32_t of_eight = 0;
      for (uint32_t i = 0; i < 8; ++i) of_eight = std::max(of_eight, x[lane / 8 * 8 + i] % 1024);
      return bits(of_eight);
    });
    each([&](uint32_t lane) { return static_cast<uint32_t>(std::popcount(x[lane])); });
    each([&](uint32_t lane) { return x[lane] == 0 ? ~0u : static_cast<uint32_t>(std::countr_zero(x[lane])); });
    each([&](uint32_t) { return first16; });
    each([&](uint32_t lane) { return bits(x[lane] % 1024 * 0x1p-23); });  // exact before the one rounding
  }
  return bytes_of(out);
}

inline std::vector<float> math_input() {
  std::mt19937 random(6);
  std::vector<float> in;
  for (int i = 0; i < 1 << 14; ++i)
    in.push_back(std::ldexp(1 + static_cast<float>(random() >> 9) * 0x1p-23f, static_cast<int>(random() % 12) - 6));
  return in;
}

inline void add_warp_cases(std::vector<ProbeCase>& cases) {
  add_tiles(cases);
  add_mma(cases, "mma_bf16", cuda::probes::mma_bf16, 2, true);
  add_mma(cases, "mma_e4m3", cuda::probes::mma_e4m3, 1, true);
  add_mma(cases, "sum_mma_bf16", cuda::probes::mma_bf16, 2, false);
  add_mma(cases, "sum_mma_e4m3", cuda::probes::mma_e4m3, 1, false);
  add_conversions(cases);
  cases.push_back({"warp_words", ProbeKind::kExact,
                   [](ProbeDevice& device) {
                     const cuda::Kernel& kernel = cuda::probes::warp_words;
                     return run_probe(device, kernel, blocks_of(kernel, 32), bytes_of(warp_input()), 32,
                                      32 * cuda::kWarpWords * 128);
                   },
                   expected_warp_words});
  cases.push_back({"fast_math", ProbeKind::kMeasured,
                   [](ProbeDevice& device) {
                     const cuda::Kernel& kernel = cuda::probes::fast_math;
                     const std::vector<float> in = math_input();
                     const auto count = static_cast<int>(in.size());
                     return run_probe(device, kernel, blocks_of(kernel, count), bytes_of(in), count, in.size() * 16);
                   },
                   nullptr});
}

}  // namespace hadal::testing
