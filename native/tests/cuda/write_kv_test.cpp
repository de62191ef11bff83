// write_kv against the CPU's oracle bit for bit, and write_mla_kv: the latent bit for bit (BF16 or codes and scales), the
// rotary key as rope turns it; slots that skip, blocks in any order, what is not written stays.
#include "cuda/rope/write_kv.h"

#include "cuda/rope/write_mla_kv.h"
#include "tests/cuda/rows_case.h"
#include "tests/rounding.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;
using cuda::RopeStyle;
using cuda::ScaleKind;

constexpr int64_t kBlocks = 3, kRows = kBlocks * 64;

// Rows in some order, no slot twice, every third one skipped; the last block's last row is among them.
std::vector<int32_t> some_slots(int64_t tokens) {
  std::vector<int32_t> slots;
  for (int64_t t = 0; t < tokens; ++t)
    slots.push_back(t % 3 == 2 ? -1 : static_cast<int32_t>((kRows - 1 + t * 77) % kRows));
  return slots;
}

// NaN of any kind is one in 16 bits: a GPU writes another one than the CPU.
void expect_bits(const std::vector<uint32_t>& got, const std::vector<uint32_t>& expected, D type) {
  CHECK(got.size() == expected.size());
  for (size_t i = 0; i < expected.size() && current_ok; ++i) {
    if (got[i] == expected[i]) continue;
    if (type != D::F32 && nan_code(type, static_cast<uint16_t>(got[i])) && nan_code(type, static_cast<uint16_t>(expected[i]))) continue;
    std::printf("  element %zu: expected %08x, got %08x\n", i, expected[i], got[i]);
    CHECK(false);
  }
}

// The CPU's op on a cache that held the fill.
std::vector<uint32_t> oracle(D cache, const std::vector<float>& src, const std::vector<int32_t>& slots, int64_t width) {
  const auto tokens = static_cast<int64_t>(slots.size());
  Array to(cache, {kBlocks, 64, width}), from(D::F32, {tokens, width}), at(D::I32, {tokens});
  std::memset(to.view().data, kPaddingByte, static_cast<size_t>(to.size()) * dtype_size(cache));
  for (int64_t i = 0; i < from.size(); ++i) from.set(i, src[static_cast<size_t>(i)]);
  for (int64_t t = 0; t < tokens; ++t) at.at<int32_t>(t) = slots[static_cast<size_t>(t)];
  run_reference({"write_kv", {{to.view()}, {from.view()}, {at.view()}}});
  std::vector<uint32_t> words;
  for (int64_t i = 0; i < to.size(); ++i) words.push_back(cache == D::F32 ? to.at<uint32_t>(i) : to.at<uint16_t>(i));
  return words;
}

std::vector<uint32_t> run_write(D type, D cache, const std::vector<float>& src, const std::vector<int32_t>& slots, int64_t width,
                                int64_t padding) {
  DeviceRows from(type, src, width, padding), to(cache, kRows, width, padding);
  DeviceVector<int32_t> at(slots);
  from.written_by_kernel();
  at.written_by_kernel();
  cuda::WriteKvParams p{};
  p.src = from.data();
  p.cache = to.data();
  p.slots = at.data();
  p.src_stride = from.stride();
  p.cache_stride = to.stride();
  p.cache_rows = kRows;
  p.rows = static_cast<int32_t>(slots.size());
  p.width = static_cast<int32_t>(width);
  cuda::write_kv(cuda_queue(), type, cache, p);
  return to.read_bits();
}

void expect_write(D type, D cache, int64_t tokens, int64_t width, int64_t padding) {
  Random random(static_cast<uint64_t>(tokens + width));
  const std::vector<float> src = rounded(normals(random, static_cast<size_t>(tokens * width), 30), type);
  const std::vector<int32_t> slots = some_slots(tokens);
  expect_bits(run_write(type, cache, src, slots, width, padding), oracle(cache, src, slots, width), cache);
}

// Every rounding of the cache's format in one go.
void expect_roundings(D type, D cache) {
  std::vector<float> src;
  for (const Rounding& r : roundings(cache))
    if (src.size() % 5 < 4 || cache == D::F16) src.push_back(r.value);
  for (const float value : {NAN, -NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 70000.0f, -70000.0f, 65519.99f, 65520.0f}) src.push_back(value);
  const int64_t width = 2048;
  src.resize(static_cast<size_t>((static_cast<int64_t>(src.size()) + width - 1) / width * width), 1.0f);
  src = rounded(src, type);
  for (size_t first = 0; first < src.size(); first += static_cast<size_t>(128 * width)) {
    const std::vector<float> part(src.begin() + static_cast<int64_t>(first), src.begin() + static_cast<int64_t>(std::min(src.size(), first + static_cast<size_t>(128 * width))));
    std::vector<int32_t> slots;
    for (size_t t = 0; t < part.size() / static_cast<size_t>(width); ++t) slots.push_back(static_cast<int32_t>(t));
    expect_bits(run_write(type, cache, part, slots, width, 0), oracle(cache, part, slots, width), cache);
    if (!current_ok) return;
  }
}

// --- MLA -----------------------------------------------------------------------------------------

struct Mla {
  D type, cache;
  int64_t tokens, latent, rotary;
  RopeStyle style = RopeStyle::kInterleaved;
  ScaleKind kind = ScaleKind::kPowerOfTwo;
  int64_t padding = 0;  // elements between the rows of what comes in, and 16 times as many bytes in the cache
};

struct MlaInputs {
  std::vector<float> kv;  // [tokens, latent + rotary]
  std::vector<int32_t> positions, slots;
  std::vector<float> inv_freq;

  explicit MlaInputs(const Mla& m) : slots(some_slots(m.tokens)) {
    Random random(static_cast<uint64_t>(m.tokens * 3 + m.latent));
    kv = rounded(normals(random, static_cast<size_t>(m.tokens * (m.latent + m.rotary)), 2), m.type);
    for (int64_t t = 0; t < m.tokens; ++t) positions.push_back(static_cast<int32_t>(t == 1 ? 163000 : 17 * t));
    for (int64_t i = 0; i < m.rotary / 2; ++i) inv_freq.push_back(static_cast<float>(std::pow(1e4, -2.0 * double(i) / double(m.rotary))));
  }
  std::vector<float> columns(const Mla& m, int64_t first, int64_t count) const {
    std::vector<float> some;
    for (int64_t t = 0; t < m.tokens; ++t)
      for (int64_t i = 0; i < count; ++i) some.push_back(kv[static_cast<size_t>(t * (m.latent + m.rotary) + first + i)]);
    return some;
  }
  // The rotary keys turned by the CPU's op, in F32.
  std::vector<float> turned(const Mla& m) const {
    Array x(D::F32, {m.tokens, 1, m.rotary}), at(D::I32, {m.tokens}), inv(D::F32, {m.rotary / 2});
    const std::vector<float> raw = columns(m, m.latent, m.rotary);
    for (int64_t i = 0; i < x.size(); ++i) x.set(i, raw[static_cast<size_t>(i)]);
    for (int64_t t = 0; t < m.tokens; ++t) at.at<int32_t>(t) = positions[static_cast<size_t>(t)];
    for (int64_t i = 0; i < m.rotary / 2; ++i) inv.set(i, inv_freq[static_cast<size_t>(i)]);
    run_reference({"rope", {{x.view()}, {at.view()}, {inv.view()}}, {static_cast<double>(m.style), 1.5}});
    std::vector<float> y;
    for (int64_t i = 0; i < x.size(); ++i) y.push_back(x.f32(i));
    return y;
  }
};

int64_t row_bytes(const Mla& m) {
  const int64_t bytes = m.cache == D::F8_E4M3 ? cuda::mla_fp8_row_bytes(m.latent, m.rotary) : 2 * (m.latent + m.rotary);
  return (bytes + 15) / 16 * 16 + 16 * m.padding;
}

// The cache's bytes, row by row.
std::vector<uint8_t> run_mla(const Mla& m, const MlaInputs& in) {
  DeviceRows kv(m.type, in.kv, m.latent + m.rotary, m.padding);
  DeviceRows cache(D::U8, kRows, row_bytes(m));
  DeviceVector<int32_t> positions(in.positions), slots(in.slots);
  DeviceVector<float> inv(in.inv_freq);
  kv.written_by_kernel();
  positions.written_by_kernel();
  slots.written_by_kernel();
  cuda::WriteMlaKvParams p{};
  p.latent = kv.data();
  p.rotary = kv.data<char>() + m.latent * static_cast<int64_t>(dtype_size(m.type));
  p.positions = positions.data();
  p.slots = slots.data();
  p.inv_freq = inv.data();
  p.cache = cache.data<uint8_t>();
  p.latent_stride = p.rotary_stride = kv.stride();
  p.cache_row_bytes = row_bytes(m);
  p.cache_rows = kRows;
  p.tokens = static_cast<int32_t>(m.tokens);
  p.latent_width = static_cast<int32_t>(m.latent);
  p.rotary_width = static_cast<int32_t>(m.rotary);
  p.style = m.style;
  p.factor = 1.5f;
  p.scale_kind = m.kind;
  cuda::write_mla_kv(cuda_queue(), m.type, m.cache, p);
  std::vector<uint8_t> bytes;
  for (const uint32_t b : cache.read_bits()) bytes.push_back(static_cast<uint8_t>(b));
  return bytes;
}

void expect_bytes(const uint8_t* got, const void* expected, int64_t count, const char* what) {
  for (int64_t i = 0; i < count && current_ok; ++i)
    if (got[i] != static_cast<const uint8_t*>(expected)[i]) {
      std::printf("  %s, byte %ld: expected %02x, got %02x\n", what, long(i), static_cast<const uint8_t*>(expected)[i], got[i]);
      CHECK(false);
    }
}

void expect_mla(const Mla& m) {
  const MlaInputs in(m);
  const std::vector<uint8_t> cache = run_mla(m, in);
  const std::vector<float> latent = in.columns(m, 0, m.latent), rotary = in.turned(m);
  const Quantised q = oracle_quantise(latent, m.latent, m.kind);
  const std::vector<uint16_t> narrow = to_bf16(latent);
  const int64_t groups = m.latent / 128, bytes = row_bytes(m);
  std::vector<bool> written(static_cast<size_t>(kRows));
  for (int64_t t = 0; t < m.tokens && current_ok; ++t) {
    if (in.slots[static_cast<size_t>(t)] < 0) continue;
    const int64_t slot = in.slots[static_cast<size_t>(t)];
    written[static_cast<size_t>(slot)] = true;
    const uint8_t* row = cache.data() + slot * bytes;
    int64_t end = 2 * m.latent;
    if (m.cache == D::F8_E4M3) {
      const std::vector<uint8_t> codes(q.codes.begin() + t * m.latent, q.codes.begin() + (t + 1) * m.latent);
      expect_bytes(row, codes.data(), m.latent, "codes");
      expect_bytes(row + m.latent, q.scales.data() + t * groups, 4 * groups, "scales");
      end = m.latent + 4 * groups;
    } else {
      expect_bytes(row, narrow.data() + t * m.latent, end, "latent");
    }
    for (int64_t i = 0; i < m.rotary && current_ok; ++i) {
      uint16_t code;
      std::memcpy(&code, row + end + 2 * i, 2);
      const float exact = rotary[static_cast<size_t>(t * m.rotary + i)];
      CHECK(std::fabs(bf16_value(code) - exact) <= std::fabs(exact) * 0x1.01p-8 + 1e-5);
    }
    const std::vector<uint8_t> fill(static_cast<size_t>(bytes), kPaddingByte);
    expect_bytes(row + end + 2 * m.rotary, fill.data(), bytes - end - 2 * m.rotary, "the row's end");
  }
  const std::vector<uint8_t> fill(static_cast<size_t>(bytes), kPaddingByte);
  for (int64_t slot = 0; slot < kRows && current_ok; ++slot)
    if (!written[static_cast<size_t>(slot)]) expect_bytes(cache.data() + slot * bytes, fill.data(), bytes, "another row");
}

}  // namespace

int main() {
  struct Pair { D src, cache; };
  for (const Pair& pair : {Pair{D::F32, D::F32}, Pair{D::F32, D::BF16}, Pair{D::F32, D::F16}, Pair{D::BF16, D::BF16}, Pair{D::BF16, D::F16}}) {
    const std::string name = std::string(dtype_name(pair.src)) + " to " + dtype_name(pair.cache);
    kernel_test("write_kv of " + name + " is the oracle's, bit for bit", [&] {
      for (const int64_t width : {8, 64, 576, 1024, 1032, 2056})
        for (const int64_t tokens : {0, 1, 3, 7})
          for (const int64_t padding : {0, 8})
            if (current_ok) expect_write(pair.src, pair.cache, tokens, width, padding);
    });
    if (pair.cache != D::F32 && pair.src == D::F32)
      test("every rounding of " + name, [&] {
        simt::options().seed = 1;
        expect_roundings(pair.src, pair.cache);
        expect_no_hazards();
      });
  }
  kernel_test("slots beyond the cache write nothing", [] {
    const std::vector<float> src(64, 1.0f);
    for (const uint32_t word : run_write(D::F32, D::F32, src, {static_cast<int32_t>(kRows), 2147483647}, 32, 0)) CHECK(word == 0x5a5a5a5au);
  });
  for (const D type : {D::BF16, D::F32}) {
    const std::string name = dtype_name(type);
    kernel_test("write_mla_kv of " + name + " into BF16", [&] {
      for (const int64_t tokens : {0, 1, 4, 6})
        for (const RopeStyle style : {RopeStyle::kInterleaved, RopeStyle::kHalves}) {
          if (current_ok) expect_mla({type, D::BF16, tokens, 512, 64, style, ScaleKind::kExact, tokens == 4 ? 8 : 0});
          if (current_ok) expect_mla({type, D::BF16, tokens, 40, 4, style, ScaleKind::kExact, 4});
          if (current_ok) expect_mla({type, D::BF16, tokens, 264, 136, style, ScaleKind::kExact, 0});
        }
    });
    kernel_test("write_mla_kv of " + name + " into rows of 656 bytes of FP8, and other widths", [&] {
      for (const int64_t tokens : {0, 1, 4, 6})
        for (const ScaleKind kind : {ScaleKind::kExact, ScaleKind::kPowerOfTwo}) {
          if (current_ok) expect_mla({type, D::F8_E4M3, tokens, 512, 64, RopeStyle::kInterleaved, kind, tokens == 4 ? 8 : 0});
          if (current_ok) expect_mla({type, D::F8_E4M3, tokens, 128, 16, RopeStyle::kHalves, kind, 8});
          if (current_ok) expect_mla({type, D::F8_E4M3, tokens, 384, 72, RopeStyle::kInterleaved, kind, 0});
        }
      CHECK(cuda::mla_fp8_row_bytes(512, 64) == 656);
    });
  }
  kernel_test("a token's row has the same bits alone and in company", [] {
    const Mla many{D::BF16, D::F8_E4M3, 6, 512, 64}, one{D::BF16, D::F8_E4M3, 1, 512, 64};
    const MlaInputs all(many);
    const std::vector<uint8_t> together = run_mla(many, all);
    for (const int64_t t : {0, 1, 4}) {
      MlaInputs alone(one);
      alone.kv = slice(all.kv, t * 576, 576);
      alone.positions = {all.positions[static_cast<size_t>(t)]};
      alone.slots = {all.slots[static_cast<size_t>(t)]};
      const std::vector<uint8_t> got = run_mla(one, alone);
      expect_bytes(got.data() + alone.slots[0] * 656, together.data() + alone.slots[0] * 656, 656, "row");
    }
  });
  test("what the kernels cannot take is refused with what was expected", [] {
    DeviceVector<float> m(size_t{4096});
    auto* ints = reinterpret_cast<const int32_t*>(m.data());
    const cuda::WriteKvParams plain{m.data(), m.data(), ints, 32, 32, 64, 2, 32};
    const cuda::WriteMlaKvParams mla{m.data(), m.data(), ints, ints, m.data(), reinterpret_cast<uint8_t*>(m.data()), 192, 192, 448, 64, 2, 128, 64,
                                     RopeStyle::kInterleaved, 1, ScaleKind::kExact};
    const auto refused = [&](const char* part, auto p, auto change, D type, D cache, hadal_status status = HADAL_ERROR_INVALID) {
      change(p);
      CHECK(throws(status, part, [&] {
        if constexpr (requires { p.latent; }) cuda::write_mla_kv(cuda_queue(), type, cache, p);
        else cuda::write_kv(cuda_queue(), type, cache, p);
      }));
    };
    refused("width: expected a multiple of 8", plain, [](auto& p) { p.width = 12; }, D::F32, D::F32);
    refused("cache: expected rows of 128 bytes", plain, [](auto& p) { p.cache_stride = 16; }, D::F32, D::F32);
    refused("slots: expected an address", plain, [](auto& p) { p.slots = nullptr; }, D::F32, D::F32);
    refused("no kernel for BF16 to F32", plain, [](auto&) {}, D::BF16, D::F32, HADAL_ERROR_UNSUPPORTED);
    refused("width: expected a multiple of 128, at most 512, got 64", mla, [](auto& p) { p.latent_width = 64; }, D::F32, D::F8_E4M3);
    refused("width: expected a multiple of 8, at most 512, got 520", mla, [](auto& p) { p.latent_width = 520; }, D::F32, D::BF16);
    refused("rotary: expected a width that is a multiple of 8, got 60", mla, [](auto& p) { p.rotary_width = 60; }, D::F32, D::F8_E4M3);
    refused("rotary: expected a width that is a multiple of 4, got 66", mla, [](auto& p) { p.rotary_width = 66; }, D::F32, D::BF16);
    refused("rotary: expected a width that is a multiple of 4, got 0", mla, [](auto& p) { p.rotary_width = 0; }, D::F32, D::BF16);
    refused("cache: expected rows of 260 bytes a multiple of 16 bytes apart, got 260", mla, [](auto& p) { p.cache_row_bytes = 260; }, D::F32, D::F8_E4M3);
    refused("latent: expected rows of 512 bytes", mla, [](auto& p) { p.latent_stride = 126; }, D::F32, D::BF16);
    refused("no kernel for F16 to BF16", mla, [](auto&) {}, D::F16, D::BF16, HADAL_ERROR_UNSUPPORTED);
  });
  return finish();
}
