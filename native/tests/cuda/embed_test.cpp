// embed_tokens, add and copy on CUDA: exact ops, so bit for bit against the CPU's.
#include "cuda/embed/embed_tokens.h"

#include "cuda/embed/add.h"
#include "cuda/embed/copy.h"
#include "tests/cuda/rows_case.h"
#include "tests/rounding.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

using D = DType;

// NaN of any kind is one.
void expect_same(const std::vector<float>& got, const std::vector<float>& expected) {
  CHECK(got.size() == expected.size());
  for (size_t i = 0; i < expected.size() && current_ok; ++i)
    if (!same_float(got[i], expected[i])) {
      std::printf("  element %zu: expected %.9g, got %.9g\n", i, expected[i], got[i]);
      CHECK(false);
    }
}

// --- embed_tokens --------------------------------------------------------------------------------

constexpr int64_t kVocabulary = 11;

void expect_embedding(D table, D out, int64_t width, const std::vector<int32_t>& ids, int64_t padding) {
  Random random(static_cast<uint64_t>(width));
  std::vector<float> rows = normals(random, static_cast<size_t>(kVocabulary * width));
  rows[3] = NAN, rows[5] = -INFINITY, rows[6] = 1e-7f;
  rows = rounded(rows, table);
  const auto tokens = static_cast<int64_t>(ids.size());
  Array exact(D::F32, {tokens, width}), from(table, {kVocabulary, width}), at(D::I32, {tokens});
  for (int64_t i = 0; i < from.size(); ++i) from.set(i, rows[static_cast<size_t>(i)]);
  for (int64_t t = 0; t < tokens; ++t) at.at<int32_t>(t) = ids[static_cast<size_t>(t)];
  run_reference({"embed_tokens", {{exact.view()}, {at.view()}, {from.view()}}});
  std::vector<float> expected;
  for (int64_t i = 0; i < exact.size(); ++i) expected.push_back(exact.f32(i));

  DeviceRows on_device(table, rows, width), got(out, tokens, width, padding);
  DeviceVector<int32_t> device_ids(ids);
  device_ids.written_by_kernel();
  cuda::embed_tokens(cuda_queue(), table, out,
                     {got.data(), device_ids.data(), on_device.data(), got.stride(), static_cast<int32_t>(tokens), kVocabulary, static_cast<int32_t>(width)});
  expect_same(got.read(), rounded(expected, out));
}

void embedding_tests() {
  for (const D table : {D::BF16, D::F16, D::F32})
    for (const D out : {D::BF16, D::F32})
      kernel_test(std::string("embed_tokens of ") + dtype_name(table) + " as " + dtype_name(out), [&] {
        for (const int64_t width : {8, 72, 512, 1032, 7168})
          for (const int64_t padding : {0, 8}) {
            if (!current_ok) return;
            expect_embedding(table, out, width, {}, padding);
            expect_embedding(table, out, width, {10}, padding);
            expect_embedding(table, out, width, {0, 10, 3, 3, 7}, padding);
          }
      });
  kernel_test("an id outside the vocabulary gives a row of NaN, and its neighbours their own", [] {
    DeviceRows table(D::BF16, std::vector<float>(kVocabulary * 16, 2.0f), 16), out(D::F32, 4, 16);
    DeviceVector<int32_t> ids(std::vector<int32_t>{1, -1, kVocabulary, 0});
    cuda::embed_tokens(cuda_queue(), D::BF16, D::F32, {out.data(), ids.data(), table.data(), 16, 4, kVocabulary, 16});
    const std::vector<float> got = out.read();
    for (size_t i = 0; i < got.size(); ++i) CHECK(i / 16 == 1 || i / 16 == 2 ? std::isnan(got[i]) : got[i] == 2);
  });
}

// --- add -----------------------------------------------------------------------------------------

std::vector<float> run_add(D type, const std::vector<float>& a, const std::vector<float>& b, int64_t width, int64_t padding, bool over) {
  DeviceRows left(type, a, width, padding), right(type, b, width, 2 * padding);
  DeviceRows out(type, static_cast<int64_t>(a.size()) / width, width, 3 * padding);
  DeviceRows& target = over ? right : out;
  left.written_by_kernel();
  right.written_by_kernel();
  cuda::add(cuda_queue(), type, {left.data(), right.data(), target.data(), left.stride(), right.stride(), target.stride(),
                                 static_cast<int32_t>(a.size() / static_cast<size_t>(width)), static_cast<int32_t>(width)});
  return target.read();
}

void add_tests() {
  const float edges[] = {0, -0.0f, 1e-45f, -1e-38f, 1e18f, -3e38f, 3e38f, INFINITY, -INFINITY, NAN};
  for (const D type : {D::BF16, D::F32})
    kernel_test(std::string("add of ") + dtype_name(type) + " is rounded once, over its input too", [&] {
      for (const int64_t width : {8, 72, 512, 1032, 7168})
        for (const int64_t rows : {0, 1, 3})
          for (const bool over : {false, true}) {
            Random random(static_cast<uint64_t>(width + rows));
            std::vector<float> a = normals(random, static_cast<size_t>(rows * width)), b = normals(random, a.size());
            for (size_t i = 0; i < a.size(); i += 7) a[i] = edges[random.below(10)], b[i] = edges[random.below(10)];
            a = rounded(a, type), b = rounded(b, type);
            std::vector<float> sums;
            for (size_t i = 0; i < a.size(); ++i) sums.push_back(a[i] + b[i]);
            if (current_ok) expect_same(run_add(type, a, b, width, over ? 8 : 0, over), rounded(sums, type));
          }
    });
}

// --- copy ----------------------------------------------------------------------------------------

// Bytes of every value, by rows of `bytes` that start `offset` bytes into a larger allocation.
void expect_copy(int64_t bytes, int64_t padding, int64_t offset) {
  constexpr int64_t kRows = 9;
  DeviceRows x(D::U8, kRows, bytes, padding + offset), out(D::U8, kRows, bytes, 2 * padding);
  std::vector<uint8_t> all(static_cast<size_t>(kRows * x.stride()));
  Random random(static_cast<uint64_t>(bytes));
  for (uint8_t& byte : all) byte = static_cast<uint8_t>(random.below(256));
  cuda_bench().driver.copy_to_device(reinterpret_cast<cuda::DevicePointer>(x.data()), all.data(), all.size(), cuda_bench().stream);
  cuda_bench().synchronize();
  x.written_by_kernel();
  cuda::copy(cuda_queue(), {x.data<uint8_t>() + offset, out.data(), x.stride(), out.stride(), kRows, static_cast<int32_t>(bytes)});
  const std::vector<uint32_t> got = out.read_bits();
  for (int64_t i = 0; i < kRows * bytes && current_ok; ++i) {
    CHECK(got[static_cast<size_t>(i)] == all[static_cast<size_t>(i / bytes * x.stride() + offset + i % bytes)]);
    if (!current_ok) std::printf("  byte %ld of row %ld\n", long(i % bytes), long(i / bytes));
  }
}

void copy_tests() {
  kernel_test("copy keeps every bit of strided rows, in vectors or in words", [] {
    for (const int64_t bytes : {4, 12, 16, 48, 2048, 2064, 2068, 28672})
      for (const int64_t padding : {0, 4, 16})
        for (const int64_t offset : {0, 4, 16})
          if (current_ok) expect_copy(bytes, padding, offset);
  });
}

void refusal_tests() {
  test("what the kernels cannot take is refused with what was expected", [] {
    DeviceVector<float> m(size_t{1024});
    const auto* ints = reinterpret_cast<const int32_t*>(m.data());
    float* a = m.data();
    const auto invalid = [](const char* part, const std::function<void()>& body) { CHECK(throws(HADAL_ERROR_INVALID, part, body)); };
    invalid("embed_tokens: width: expected a multiple of 8", [&] { cuda::embed_tokens(cuda_queue(), D::F32, D::F32, {a, ints, a, 16, 1, 4, 12}); });
    invalid("out: expected rows of 64 bytes", [&] { cuda::embed_tokens(cuda_queue(), D::F32, D::F32, {a, ints, a, 12, 2, 4, 16}); });
    invalid("ids: expected an address", [&] { cuda::embed_tokens(cuda_queue(), D::F32, D::F32, {a, nullptr, a, 16, 2, 4, 16}); });
    invalid("add: width: expected a multiple of 4", [&] { cuda::add(cuda_queue(), D::F32, {a, a, a, 8, 8, 8, 1, 6}); });
    invalid("add: width: expected a multiple of 8", [&] { cuda::add(cuda_queue(), D::BF16, {a, a, a, 8, 8, 8, 1, 4}); });
    invalid("b: expected an address", [&] { cuda::add(cuda_queue(), D::F32, {a, a + 1, a, 8, 8, 8, 1, 8}); });
    invalid("fewer than 2^31 vectors", [&] { cuda::add(cuda_queue(), D::F32, {a, a, a, 1 << 20, 1 << 20, 1 << 20, 1 << 14, 1 << 20}); });
    invalid("copy: width: expected a multiple of 4", [&] { cuda::copy(cuda_queue(), {a, a, 8, 8, 1, 6}); });
    invalid("copy: out: expected rows of 8 bytes", [&] { cuda::copy(cuda_queue(), {a, a, 8, 4, 2, 8}); });
    CHECK(throws(HADAL_ERROR_UNSUPPORTED, "no kernel for table I32, out F32", [&] { cuda::embed_tokens(cuda_queue(), D::I32, D::F32, {a, ints, a, 16, 1, 4, 16}); }));
    CHECK(throws(HADAL_ERROR_UNSUPPORTED, "no kernel for F16", [&] { cuda::add(cuda_queue(), D::F16, {a, a, a, 8, 8, 8, 1, 8}); }));
  });
}

}  // namespace

int main() {
  embedding_tests();
  add_tests();
  copy_tests();
  refusal_tests();
  return finish();
}
