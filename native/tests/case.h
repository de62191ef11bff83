// What every native test program shares: named tests with counts, arrays with guard bytes around them, and
// a bench of devices (every instruction set that this CPU has, one and several threads) to run one op on.
// Header-only; each *_test.cpp is its own program and ends with `return finish();`.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/host_device.h"
#include "core/status.h"
#include "cpu/convert.h"

namespace hadal::testing {

inline int passed = 0, failed = 0;
inline bool current_ok = true;

#define CHECK(condition)                                                            \
  do {                                                                              \
    if (!(condition)) {                                                             \
      std::printf("  %s:%d: expected %s\n", __FILE__, __LINE__, #condition);        \
      ::hadal::testing::current_ok = false;                                            \
    }                                                                               \
  } while (0)

// HADAL_TEST_ONLY: only tests with this text in their name.
inline void test(const std::string& name, const std::function<void()>& body) {
  static const char* only = std::getenv("HADAL_TEST_ONLY");
  if (only != nullptr && name.find(only) == std::string::npos) return;
  current_ok = true;
  try {
    body();
  } catch (const std::exception& error) {
    std::printf("  unexpected exception: %s\n", error.what());
    current_ok = false;
  }
  std::printf("%s %s\n", current_ok ? "ok  " : "FAIL", name.c_str());
  std::fflush(stdout);  // tests that fork must not repeat this
  (current_ok ? passed : failed) += 1;
}

// Whether body throws this status with this piece of text; says what came instead.
inline bool throws(hadal_status status, const char* part, const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    if (error.status == status && std::strstr(error.what(), part) != nullptr) return true;
    std::printf("  got status %d: %s\n", error.status, error.what());
    return false;
  }
  std::printf("  nothing thrown, expected status %d with \"%s\"\n", status, part);
  return false;
}

inline int finish() {
  std::printf("%d passed, %d failed, 0 skipped\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

using Shape = std::vector<int64_t>;

// A tensor with memory of its own and guard bytes on both sides; `padding` elements after each row of the
// last dimension make it a strided view. Copies are deep.
class Array {
 public:
  Array(DType dtype, Shape shape, int64_t padding = 0) : dtype_(dtype), shape_(std::move(shape)), padding_(padding) {
    int64_t elements = 1;
    for (size_t d = 0; d < shape_.size(); ++d) elements *= shape_[d] + (d + 1 == shape_.size() ? padding_ : 0);
    bytes_.assign(2 * kGuard + static_cast<size_t>(elements) * dtype_size(dtype_), kGuardByte);
    std::memset(bytes_.data() + kGuard, 0, bytes_.size() - 2 * kGuard);
  }

  Tensor view() const {
    Tensor t;
    t.data = const_cast<uint8_t*>(bytes_.data()) + kGuard;
    t.dtype = dtype_;
    t.rank = static_cast<int32_t>(shape_.size());
    int64_t stride = 1;
    for (size_t d = shape_.size(); d-- > 0;) {
      t.shape[d] = shape_[d];
      t.strides[d] = stride;
      stride *= shape_[d] + (d + 1 == shape_.size() ? padding_ : 0);
    }
    return t;
  }
  int64_t size() const {
    int64_t elements = 1;
    for (const int64_t extent : shape_) elements *= extent;
    return elements;
  }
  // Element i in row-major order, whatever the padding.
  template <typename T>
  T& at(int64_t i) {
    const int64_t width = shape_.empty() ? 1 : shape_.back();
    return view().as<T>()[i / width * (width + padding_) + i % width];
  }
  float f32(int64_t i) const { return weight_value(const_cast<Array*>(this), i); }
  // Stores f, rounded to the array's format (E4M3: the nearest code).
  void set(int64_t i, float f) {
    switch (dtype_) {
      case DType::F32: at<float>(i) = f; break;
      case DType::BF16: at<uint16_t>(i) = cpu::f32_to_bf16(f); break;
      case DType::F16: at<uint16_t>(i) = cpu::f32_to_f16(f); break;
      case DType::F8_E4M3: at<uint8_t>(i) = nearest_e4m3(f); break;
      default: at<int32_t>(i) = static_cast<int32_t>(f);
    }
  }
  bool guards_intact() const {
    for (size_t i = 0; i < kGuard; ++i)
      if (bytes_[i] != kGuardByte || bytes_[bytes_.size() - 1 - i] != kGuardByte) return false;
    return true;
  }
  bool same_bits(const Array& other) const { return bytes_ == other.bytes_; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }

  static uint8_t nearest_e4m3(float f) {
    uint8_t best = 0;
    for (int c = 0; c < 256; ++c) {
      if ((c & 0x7f) == 0x7f) continue;
      const auto code = static_cast<uint8_t>(c);
      if (std::fabs(cpu::e4m3_to_f32(code) - f) < std::fabs(cpu::e4m3_to_f32(best) - f)) best = code;
    }
    return best;
  }

 private:
  static constexpr size_t kGuard = 256;
  static constexpr uint8_t kGuardByte = 0xa5;
  static float weight_value(Array* array, int64_t i) {
    switch (array->dtype_) {
      case DType::F32: return array->at<float>(i);
      case DType::BF16: return cpu::bf16_to_f32(array->at<uint16_t>(i));
      case DType::F16: return cpu::f16_to_f32(array->at<uint16_t>(i));
      case DType::F8_E4M3: return cpu::e4m3_to_f32(array->at<uint8_t>(i));
      default: return static_cast<float>(array->at<int32_t>(i));
    }
  }
  DType dtype_;
  Shape shape_;
  int64_t padding_;
  std::vector<uint8_t> bytes_;
};

// Seeded values: the same on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  int64_t below(int64_t n) { return static_cast<int64_t>(engine_() % static_cast<uint64_t>(n)); }
  float normal() {
    const double u = uniform(), v = uniform();
    return static_cast<float>(std::sqrt(-2 * std::log(1 - u)) * std::cos(6.283185307179586 * v));
  }
  // Normal values times `scale`; FP8 takes uniform codes without NaN.
  Array array(DType dtype, Shape shape, float scale = 1, int64_t padding = 0) {
    Array a(dtype, std::move(shape), padding);
    for (int64_t i = 0; i < a.size(); ++i) {
      if (dtype == DType::F8_E4M3) a.at<uint8_t>(i) = static_cast<uint8_t>(below(127) | (below(2) << 7));
      else a.set(i, scale * normal());
    }
    return a;
  }

 private:
  std::mt19937_64 engine_;
};

inline Array ints(Shape shape, std::initializer_list<int32_t> values) {
  Array a(DType::I32, std::move(shape));
  int64_t i = 0;
  for (const int32_t v : values) a.at<int32_t>(i++) = v;
  return a;
}

// One call of one op: arguments as in the op table, outputs first.
struct Call {
  const char* op;
  std::vector<std::vector<Tensor>> args;  // an empty list: absent
  std::vector<double> attributes;

  Call(const char* name, std::vector<std::vector<Tensor>> arguments, std::vector<double> attrs = {})
      : op(name), args(std::move(arguments)), attributes(std::move(attrs)) {}
};

struct Bench {
  std::string name;  // "avx2 x2"
  std::unique_ptr<HostDevice> device;
};

// Every instruction set that this CPU has, with one thread and with three (more than it may have cores).
inline std::vector<Bench>& benches() {
  static std::vector<Bench> all = [] {
    std::vector<Bench> made;
    for (const char* isa : {"avx512bf16", "avx512vbmi", "avx512", "avx2", "portable"}) {
      for (const int threads : {1, 3}) {
        try {
          made.push_back({std::string(isa) + " x" + std::to_string(threads),
                          std::make_unique<HostDevice>(cpu_backend(), threads, isa)});
        } catch (const Error&) {
          std::printf("this CPU has no %s\n", isa);
          break;
        }
      }
    }
    return made;
  }();
  return all;
}

enum class Form { reference, fast };

// Checks as recording does (argument and attribute counts, then the op's own check), then runs.
inline void run(HostDevice& device, const Call& call, Form form) {
  const HostOp* op = device.find_op(call.op);
  HADAL_EXPECT(op != nullptr, "no op \"%s\"", call.op);
  HADAL_EXPECT(call.args.size() >= op->min_arguments && call.args.size() <= op->max_arguments &&
                   call.attributes.size() == op->attributes,
               "%s: argument or attribute count", call.op);
  const std::vector<Argument> args(call.args.begin(), call.args.end());
  const OpCall view{args, call.attributes};
  op->check(view);
  device.arena.reset();
  Context context{device.pool, device.kernels, device.arena};
  (form == Form::reference ? op->reference : op->fast)(context, view);
}

inline void run_reference(const Call& call) { run(*benches().back().device, call, Form::reference); }

// ‖a − b‖ / ‖b‖ over all elements; a NaN anywhere that is not in both gives infinity.
inline double distance(const Array& a, const Array& b) {
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < b.size(); ++i) {
    const double x = a.f32(i), y = b.f32(i);
    if (std::isnan(x) && std::isnan(y)) continue;
    if (x == y) continue;
    if (!std::isfinite(x - y)) return INFINITY;
    difference += (x - y) * (x - y);
    norm += y * y;
  }
  return difference == 0 ? 0 : std::sqrt(difference / (norm > 0 ? norm : 1));
}

}  // namespace hadal::testing
