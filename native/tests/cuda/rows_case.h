// What the tests of row-wise CUDA kernels share: matrices of any format on the device with padding after each row
// that must stay as it was, comparisons, and the quantiser's oracle, written from quantize/scales.h in double and
// by search over the 127 magnitudes of E4M3, not by the kernel's arithmetic.
#pragma once

#include <algorithm>

#include "cuda/quantize/scales.h"
#include "tests/cuda/cuda_case.h"
#include "tests/rows.h"

namespace hadal::testing {

inline constexpr uint8_t kPaddingByte = 0x5a;

inline void put_value(uint8_t* to, DType type, float value) {
  const uint16_t half = type == DType::F16 ? cpu::f32_to_f16(value) : cpu::f32_to_bf16(value);
  if (type == DType::F32) std::memcpy(to, &value, 4);
  else std::memcpy(to, &half, 2);
}
inline float get_value(const uint8_t* from, DType type) {
  return type == DType::F8_E4M3 ? cpu::e4m3_to_f32(*from) : cpu::weight_at(from, type, 0);
}
inline std::vector<float> rounded(std::vector<float> values, DType type) {
  uint8_t bytes[4];
  for (float& value : values) {
    put_value(bytes, type, value);
    value = get_value(bytes, type);
  }
  return values;
}

// [rows, width] on the device, rows width + padding elements apart.
class DeviceRows {
 public:
  DeviceRows(DType type, int64_t rows, int64_t width, int64_t padding = 0)
      : type_(type), rows_(rows), width_(width), padding_(padding),
        host_(static_cast<size_t>(rows * (width + padding)) * dtype_size(type), kPaddingByte), bytes_(host_.size()) {
    upload();
  }
  DeviceRows(DType type, const std::vector<float>& values, int64_t width, int64_t padding = 0)
      : DeviceRows(type, width == 0 ? 0 : static_cast<int64_t>(values.size()) / width, width, padding) {
    for (size_t i = 0; i < values.size(); ++i) put_value(at(static_cast<int64_t>(i)), type, values[i]);
    upload();
  }
  template <typename T = void>
  T* data() const { return bytes_.data<T>(); }
  int64_t stride() const { return width_ + padding_; }
  void written_by_kernel() const { bytes_.written_by_kernel(); }
  // The elements as numbers; checks that padding and guards are untouched.
  std::vector<float> read() {
    download();
    std::vector<float> values;
    for (int64_t i = 0; i < rows_ * width_; ++i) values.push_back(get_value(at(i), type_));
    return values;
  }
  // The elements as bits, each in a word.
  std::vector<uint32_t> read_bits() {
    download();
    std::vector<uint32_t> values;
    for (int64_t i = 0; i < rows_ * width_; ++i) {
      uint32_t word = 0;
      std::memcpy(&word, at(i), dtype_size(type_));
      values.push_back(word);
    }
    return values;
  }

 private:
  uint8_t* at(int64_t i) {
    return host_.data() + static_cast<size_t>(i / width_ * stride() + i % width_) * dtype_size(type_);
  }
  void upload() {
    if (!host_.empty()) bytes_.write(host_.data());
  }
  void download() {
    if (host_.empty()) return;
    bytes_.read(host_.data());
    CHECK(bytes_.guards_intact());
    const size_t size = dtype_size(type_), row = static_cast<size_t>(stride()) * size;
    for (size_t b = 0; b < host_.size(); ++b)
      if (b % row >= static_cast<size_t>(width_) * size && host_[b] != kPaddingByte) {
        std::printf("  byte %zu of row %zu, behind its end, was written\n", b % row, b / row);
        CHECK(false);
        return;
      }
  }
  DType type_;
  int64_t rows_, width_, padding_;
  std::vector<uint8_t> host_;
  DeviceBytes bytes_;
};

// Equal within `relative` of the expected value, and `least`; NaN and infinities must be the same ones.
inline void expect_near(const std::vector<float>& got, const std::vector<float>& expected, double relative,
                        double least = 1e-30) {
  CHECK(got.size() == expected.size());
  for (size_t i = 0; i < expected.size() && i < got.size(); ++i) {
    if (got[i] == expected[i] || (std::isnan(got[i]) && std::isnan(expected[i]))) continue;
    if (std::fabs(static_cast<double>(got[i]) - expected[i]) <= relative * std::fabs(expected[i]) + least &&
        std::isfinite(expected[i]))
      continue;
    std::printf("  element %zu: expected %.9g, got %.9g\n", i, expected[i], got[i]);
    CHECK(false);
    return;
  }
}
template <typename T>
void expect_equal(const std::vector<T>& got, const std::vector<T>& expected, const char* what) {
  CHECK(got.size() == expected.size());
  for (size_t i = 0; i < expected.size() && i < got.size(); ++i) {
    if (std::memcmp(&got[i], &expected[i], sizeof(T)) == 0) continue;
    std::printf("  %s %zu: expected %.9g, got %.9g\n", what, i, static_cast<double>(expected[i]),
                static_cast<double>(got[i]));
    CHECK(false);
    return;
  }
}

// A row's worth of a vector.
template <typename T>
std::vector<T> slice(const std::vector<T>& all, int64_t first, int64_t count) {
  return {all.begin() + first, all.begin() + first + count};
}

// --- the quantiser's oracle ------------------------------------------------------------------------

struct Quantised {
  std::vector<uint32_t> codes;  // [rows, width]
  std::vector<float> scales;    // [rows, groups], row by row
};

inline uint8_t oracle_code(float value) {
  static const std::vector<double> magnitudes = [] {
    std::vector<double> all;
    for (int code = 0; code < 127; ++code) all.push_back(cpu::e4m3_to_f32(static_cast<uint8_t>(code)));
    return all;
  }();
  const uint8_t sign = std::signbit(value) ? 0x80 : 0;
  if (std::isnan(value)) return sign | 0x7f;
  const double magnitude = std::fabs(static_cast<double>(value));
  auto above = static_cast<size_t>(std::lower_bound(magnitudes.begin(), magnitudes.end(), magnitude) -
                                   magnitudes.begin());
  if (above == magnitudes.size()) return sign | 0x7e;
  if (above == 0) return sign;
  const double up = magnitudes[above] - magnitude, down = magnitude - magnitudes[above - 1];
  if (down < up || (down == up && above % 2 == 1)) --above;  // a tie goes to the even code
  return sign | static_cast<uint8_t>(above);
}

inline float oracle_scale(float most, cuda::ScaleKind kind) {
  if (!std::isfinite(most)) return most;
  const float scale = std::fmax(most, 0x1p-100f) / 448.0f;
  int exponent = 0;
  if (kind == cuda::ScaleKind::kExact || std::frexp(scale, &exponent) == 0.5f) return scale;
  return std::ldexp(1.0f, exponent);
}

inline Quantised oracle_quantise(const std::vector<float>& x, int64_t width, cuda::ScaleKind kind) {
  Quantised q;
  q.codes.resize(x.size());
  for (size_t row = 0; row * static_cast<size_t>(width) < x.size(); ++row) {
    for (int64_t first = 0; first < width; first += cuda::kScaleGroup) {
      const float* values = x.data() + static_cast<int64_t>(row) * width + first;
      const int64_t count = std::min<int64_t>(cuda::kScaleGroup, width - first);
      float most = 0;
      for (int64_t i = 0; i < count; ++i)
        most = std::isnan(values[i]) || std::isnan(most) ? NAN : std::fmax(most, std::fabs(values[i]));
      const float scale = oracle_scale(most, kind), inverse = 1 / scale;
      q.scales.push_back(scale);
      for (int64_t i = 0; i < count; ++i)
        q.codes[static_cast<size_t>(static_cast<int64_t>(row) * width + first + i)] = oracle_code(values[i] * inverse);
    }
  }
  return q;
}

// Codes and scales on the device as scales.h lays them out, filled with a pattern first.
class DeviceQuantised {
 public:
  DeviceQuantised(int64_t rows, int64_t width, int64_t code_padding = 0, int64_t scale_padding = 0)
      : codes(DType::F8_E4M3, rows, width, code_padding), rows_(rows), groups_(cuda::scale_groups(width)),
        stride_(cuda::scale_stride_of(rows) + scale_padding),
        scales(DType::F32, groups_, rows, stride_ - rows) {}
  int64_t scale_stride() const { return stride_; }
  Quantised read() {
    Quantised q;
    q.codes = codes.read_bits();
    const std::vector<float> columns = scales.read();  // [groups, rows]; what lies behind the rows is checked there
    for (int64_t row = 0; row < rows_; ++row)
      for (int64_t group = 0; group < groups_; ++group)
        q.scales.push_back(columns[static_cast<size_t>(group * rows_ + row)]);
    return q;
  }
  DeviceRows codes;

 private:
  int64_t rows_, groups_, stride_;

 public:
  DeviceRows scales;
};

// NaN codes and scales of either sign are one: a GPU's NaN is positive.
inline bool nan_code8(uint32_t code) { return (code & 0x7f) == 0x7f; }
inline void expect_quantised(const Quantised& got, const Quantised& expected) {
  CHECK(got.codes.size() == expected.codes.size() && got.scales.size() == expected.scales.size());
  for (size_t i = 0; i < expected.scales.size() && current_ok; ++i)
    if (!same_float(got.scales[i], expected.scales[i])) {
      std::printf("  scale %zu: expected %.9g, got %.9g\n", i, expected.scales[i], got.scales[i]);
      CHECK(false);
    }
  for (size_t i = 0; i < expected.codes.size() && current_ok; ++i)
    if (got.codes[i] != expected.codes[i] && !(nan_code8(got.codes[i]) && nan_code8(expected.codes[i]))) {
      std::printf("  code %zu: expected %02x, got %02x\n", i, expected.codes[i], got.codes[i]);
      CHECK(false);
    }
}

}  // namespace hadal::testing
