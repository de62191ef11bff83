// A whole kernel of Hopper's kind in the emulator: its numbers against FP64 in shapes with every tail, silence on 100
// seeds, and each of eight planted mistakes reported on every one of 20 seeds.
#include "tests/cuda/kernels/mini_gemm.h"
#include "tests/cuda/cuda_case.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

constexpr uint64_t kFaultySeeds = 20, kCorrectSeeds = 100;

float e4m3_value(uint8_t code) {
  const int exponent = code >> 3 & 15, mantissa = code & 7;
  const float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9)
                                        : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  return code & 128 ? -magnitude : magnitude;
}
std::vector<uint8_t> random_codes(Random& random, size_t count) {
  std::vector<uint8_t> codes(count);
  for (uint8_t& code : codes) {
    code = static_cast<uint8_t>(random.uniform() * 256);
    if ((code & 127) >= 0x60) code &= 0x9f;  // up to 15: sums of many products stay in one range
  }
  return codes;
}

struct Problem {
  int rows, columns, k_blocks;
  std::vector<uint8_t> a, b;
  std::vector<float> a_scales, b_scales;
  std::vector<double> exact;  // [rows, columns]

  Problem(int rows, int columns, int k_blocks) : rows(rows), columns(columns), k_blocks(k_blocks) {
    Random random(static_cast<uint64_t>(rows * 1000 + columns + k_blocks));
    const auto k = static_cast<size_t>(k_blocks) * kMiniBlockOfK;
    a = random_codes(random, static_cast<size_t>(rows) * k);
    b = random_codes(random, static_cast<size_t>(columns) * k);
    a_scales.resize(static_cast<size_t>(rows * k_blocks));
    b_scales.resize(static_cast<size_t>((columns + kMiniTile - 1) / kMiniTile * k_blocks));
    for (float& scale : a_scales) scale = 0.5f + static_cast<float>(random.uniform());
    for (float& scale : b_scales) scale = 0.5f + static_cast<float>(random.uniform());
    for (const uint8_t code : a) values_a.push_back(e4m3_value(code));
    for (const uint8_t code : b) values_b.push_back(e4m3_value(code));
    for (int row = 0; row < rows; ++row)
      for (int column = 0; column < columns; ++column) exact.push_back(product(row, column));
  }

 private:
  double product(int row, int column) const {
    double sum = 0;
    for (int block = 0; block < k_blocks; ++block) {
      double part = 0;
      for (int i = block * kMiniBlockOfK; i < (block + 1) * kMiniBlockOfK; ++i)
        part += values_a[static_cast<size_t>(row * k_blocks * kMiniBlockOfK + i)] *
                values_b[static_cast<size_t>(column * k_blocks * kMiniBlockOfK + i)];
      sum += part * static_cast<double>(a_scales[static_cast<size_t>(row * k_blocks + block)]) *
             static_cast<double>(b_scales[static_cast<size_t>(column / kMiniTile * k_blocks + block)]);
    }
    return sum;
  }
  std::vector<double> values_a, values_b;
};

// By reference: GCC 12 returns values of this alignment in places that lack it.
void encode(cuda::TensorMap& map, cuda::TensorMapType type, void* start, int rows, int columns, int element_bytes,
            int box_rows, int box_columns) {
  const uint64_t extents[] = {static_cast<uint64_t>(columns), static_cast<uint64_t>(rows)};
  const uint64_t strides[] = {static_cast<uint64_t>(columns) * static_cast<uint64_t>(element_bytes)};
  const uint32_t box[] = {static_cast<uint32_t>(box_columns), static_cast<uint32_t>(box_rows)}, ones[] = {1, 1};
  cuda::expect_success(
      cuda_bench().driver,
      cuda_bench().driver.encode_tensor_map(&map, type, 2, start, extents, strides, box, ones, 0,
                                            cuda::TensorMapSwizzle::k128, cuda::TensorMapPromotion::k128, 0),
      "cuTensorMapEncodeTiled");
}

struct Result {
  std::vector<float> d, largest;
  simt::Report report;
};
Result run(const Problem& problem, const char* fault, uint64_t seed) {
  const int row_tiles = (problem.rows + kMiniTile - 1) / kMiniTile,
            column_tiles = (problem.columns + kMiniTile - 1) / kMiniTile;
  const int k = problem.k_blocks * kMiniBlockOfK;
  DeviceVector<uint8_t> a(problem.a), b(problem.b);
  DeviceVector<float> a_scales(problem.a_scales), b_scales(problem.b_scales);
  DeviceVector<float> d(static_cast<size_t>(problem.rows * problem.columns)),
      largest(static_cast<size_t>(row_tiles * column_tiles * 4));
  MiniGemmParams params{};
  encode(params.a, cuda::TensorMapType::kU8, a.data(), problem.rows, k, 1, kMiniTile, kMiniBlockOfK);
  encode(params.b, cuda::TensorMapType::kU8, b.data(), problem.columns, k, 1, kMiniTile, kMiniBlockOfK);
  encode(params.d, cuda::TensorMapType::kF32, d.data(), problem.rows, problem.columns, 4, kMiniTile, 32);
  params.a_scales = a_scales.data();
  params.b_scales = b_scales.data();
  params.largest = largest.data();
  params.rows = problem.rows;
  params.k_blocks = problem.k_blocks;
  const std::string name = std::string("mini_gemm_") + fault;
  const cuda::Kernel kernel{name.c_str(), sizeof params, kMiniThreads};
  cuda::Launch launch;
  launch.grid = {static_cast<uint32_t>(row_tiles), static_cast<uint32_t>(column_tiles), 1};
  launch.shared_bytes = 3 * 16384 + 1024;
  simt::options().seed = seed;
  Queue queue(cuda_bench().driver, 0, cuda_bench().libraries, cuda_bench().stream);  // kernels are kept by address
  queue.launch(kernel, launch, params);
  Result result{d.read(), largest.read(), simt::take_report()};
  CHECK(a.guards_intact() && b.guards_intact() && d.guards_intact() && largest.guards_intact());
  return result;
}

// FP32 sums of at most 1024 products of one sign in the worst case: some 1e-6 of the sum of their magnitudes, which
// the Frobenius norm stands for.
bool is_right(const Problem& problem, const Result& result) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < problem.exact.size(); ++i) {
    const double off = problem.exact[i] - static_cast<double>(result.d[i]);
    error += off * off;
    norm += problem.exact[i] * problem.exact[i];
  }
  float largest = 0, expected = 0;
  for (const float value : result.largest) largest = std::fmax(largest, value);
  for (const float value : result.d) expected = std::fmax(expected, std::fabs(value));
  return error <= norm * 1e-12 && largest == expected;
}

void expect_silent(const Problem& problem, uint64_t seed) {
  const Result result = run(problem, "kNone", seed);
  for (const std::string& text : result.report.problems)
    std::printf("  seed %llu: %s\n", static_cast<unsigned long long>(seed), text.c_str());
  CHECK(result.report.count == 0);
  CHECK(is_right(problem, result));
}

struct Fault {
  const char* name;
  const char* words;             // in one of the reports, on every seed
  const char* or_words = words;  // by which thread came first
};
const Fault kFaults[] = {
    {"kNoWaitForFull", "wgmma"},
    {"kNoWaitForEmpty", "write while an asynchronous read may still be going on",
     "write before the copy has completed"},
    {"kEmptyCountTooHigh", "deadlock"},
    {"kTooManyBytes", "deadlock"},
    {"kFreedTooEarly", "write while an asynchronous read may still be going on"},
    {"kNoProxyFence", "missing fence_proxy_async"},
    {"kReadBeforeWait", "touched before its wait"},
    {"kOutOfBounds", "out of bounds"},
};

// A report a byte is enough to end a run early, so that its numbers say nothing.
void expect_report(const Problem& problem, const Fault& fault) {
  std::string first;
  for (uint64_t seed = 1; seed <= kFaultySeeds; ++seed) {
    const simt::Report report = run(problem, fault.name, seed).report;
    bool found = false;
    for (const std::string& text : report.problems) {
      const bool right = text.find(fault.words) != std::string::npos || text.find(fault.or_words) != std::string::npos;
      if (right && first.empty()) first = text;
      found |= right;
    }
    if (found) continue;
    std::printf("  seed %llu: expected \"%s\", got %llu reports\n", static_cast<unsigned long long>(seed), fault.words,
                static_cast<unsigned long long>(report.count));
    for (const std::string& text : report.problems) std::printf("    %s\n", text.c_str());
    CHECK(false);
    return;
  }
  std::printf("  %s\n", first.c_str());
}

}  // namespace

int main() {
  for (const auto& [rows, columns, k_blocks] :
       {std::array{64, 64, 1}, {1, 64, 4}, {100, 192, 4}, {65, 128, 8}, {128, 96, 3}})
    test("mini_gemm of " + std::to_string(rows) + "x" + std::to_string(columns) + "x" +
             std::to_string(k_blocks * kMiniBlockOfK) + " is FP64's to FP32",
         [&] {
           const Problem problem(rows, columns, k_blocks);
           for (uint64_t seed = 1; seed <= 3 && current_ok; ++seed) expect_silent(problem, seed);
         });
  const Problem problem(64, 64, 4);
  test("mini_gemm is silent on 100 seeds", [&] {
    for (uint64_t seed = 1; seed <= kCorrectSeeds && current_ok; ++seed) expect_silent(problem, seed);
  });
  for (const Fault& fault : kFaults)
    test(std::string("mini_gemm with ") + fault.name + " is reported on 20 seeds",
         [&] { expect_report(problem, fault); });
  return finish();
}
