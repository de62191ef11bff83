// The emulated tensor cores: every mistake with wgmma and tiles is reported on every seed with the right words, its
// twin is silent and right, and sums cut as Hopper's are what they are said to be.
#include "simt/wgmma.h"
#include "tests/cuda/cuda_case.h"
#include "tests/cuda/kernels/tensor_kernels.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

constexpr uint64_t kFaultySeeds = 20, kCorrectSeeds = 100;

struct Case {
  const char* name;
  const char* words;  // of the report on the faulty one
  float result = 32;  // all of the twin's D; NaN: the twin has none
};

simt::Report report_of(const Case& c, const char* kind, uint64_t seed, std::vector<float>* result = nullptr) {
  DeviceVector<float> out(128 * 8);
  const TensorParams params{out.data(), 1};
  const std::string name = "tensor_" + std::string(c.name) + "_" + kind;
  const cuda::Kernel kernel{name.c_str(), sizeof params, 128};
  simt::options().seed = seed;
  cuda::Launch launch;
  launch.shared_bytes = 4096;
  Queue queue(cuda_bench().driver, 0, cuda_bench().libraries, cuda_bench().stream);  // kernels are kept by address
  queue.launch(kernel, launch, params);
  if (result != nullptr) *result = out.read();
  return simt::take_report();
}

void expect_report(const Case& c) {
  std::string first;
  for (uint64_t seed = 1; seed <= kFaultySeeds; ++seed) {
    const simt::Report report = report_of(c, "bad", seed);
    if (first.empty() && !report.problems.empty()) first = report.problems[0];
    bool found = false;
    for (const std::string& text : report.problems) found |= text.find(c.words) != std::string::npos;
    if (found) continue;
    std::printf("  seed %llu: expected \"%s\", got %llu reports\n", static_cast<unsigned long long>(seed), c.words,
                static_cast<unsigned long long>(report.count));
    for (const std::string& text : report.problems) std::printf("    %s\n", text.c_str());
    CHECK(false);
    return;
  }
  std::printf("  %s\n", first.c_str());
}

void expect_silence(const Case& c) {
  for (uint64_t seed = 1; seed <= kCorrectSeeds; ++seed) {
    std::vector<float> result;
    const simt::Report report = report_of(c, "good", seed, &result);
    for (size_t thread = 0; thread < 128 && c.result == c.result; ++thread)
      for (size_t i = 0; i < 4; ++i) CHECK(result[thread * 8 + i] == c.result);
    if (report.count == 0 && current_ok) continue;
    std::printf("  seed %llu:\n", static_cast<unsigned long long>(seed));
    for (const std::string& text : report.problems) std::printf("    %s\n", text.c_str());
    CHECK(false);
    return;
  }
}

const Case kCases[] = {
    {"no_fence", "no wgmma_fence before the first product"},
    {"no_fence_again", "no wgmma_fence since the wait"},
    {"read_before_wait", "touched before its wait"},
    {"wait_count", "touched before its wait"},
    {"write_in_flight", "accumulators were written while a product was in flight"},
    {"no_commit", "touched before its wait"},
    {"ends_in_flight", "the thread ends with a wgmma in flight"},
    {"source_changed", "A's registers changed while the product was in flight"},
    {"source_not_fenced", "A's registers were written with no wgmma_fence after"},
    {"lanes_disagree", "the lanes of a warp disagree"},
    {"warps_disagree", "the warps of a warpgroup disagree"},
    {"warp_leaves_one_out", "issued different numbers of products"},
    {"no_proxy_fence", "missing fence_proxy_async"},
    {"operand_unwritten", "nothing wrote"},
    {"operand_overwritten", "write while an asynchronous read may still be going on"},
    {"others_still_read", "write while an asynchronous read may still be going on"},
    {"descriptor_bounds", "shared memory"},
    {"missing_lane_at_wait", "missing lanes"},
    {"half_a_warpgroup", "issued different numbers of products"},
    {"mn_major", "shared memory that nothing wrote"},
    {"tile_race", "race", NAN},
    {"tile_misaligned", "a tile's row is no multiple of 16 bytes", NAN},
    {"tile_store_race", "write/write race", NAN},
    {"tile_bounds", "out of bounds", NAN},
    {"tile_missing_lane", "missing lanes", NAN},
    {"mma_missing_lane", "missing lanes", NAN},
};

// One instruction's sum of d and products x[i] · 1.
float sum_of(float d, std::vector<float> x, int fraction_bits) {
  x.resize(32);
  const std::vector<float> ones(32, 1.0f);
  return simt::hopper_sum(d, x.data(), ones.data(), 32, fraction_bits);
}

void expect_hopper_sums() {
  CHECK(sum_of(0, {1, 0x1p-6f}, 13) == 1 + 0x1p-6f);
  CHECK(sum_of(1, {0x1p-9f}, 13) == 1 + 0x1p-9f);
  CHECK(sum_of(0x1p4f, {0x1p-9f}, 13) == 0x1p4f + 0x1p-9f);              // the last bit that is kept
  CHECK(sum_of(0x1p5f, {0x1p-9f}, 13) == 0x1p5f);                        // and the first that is not
  CHECK(sum_of(0x1p5f, std::vector<float>(32, 0x1p-9f), 13) == 0x1p5f);  // each term is cut, not the sum
  CHECK(sum_of(0x1p5f, {-0x1p-9f}, 13) == 0x1p5f);                       // towards zero
  CHECK(sum_of(0, {256, 0x1p-9f, -256}, 13) == 0);                       // lost before it is alone
  CHECK(sum_of(0x1p5f, {0x1p-9f}, 25) == 0x1p5f + 0x1p-9f);
  CHECK(sum_of(0x1.fffffep0f, {0x1p-24f, 0x1p-25f}, 25) == 0x1.fffffep0f);  // FP32 is cut, not rounded
  CHECK(sum_of(0, {448, 448}, 13) == 896);
  CHECK(std::isnan(sum_of(NAN, {1}, 13)) && std::isinf(sum_of(INFINITY, {1}, 13)));
  CHECK(sum_of(0, {}, 13) == 0);
}

}  // namespace

int main() {
  for (const Case& c : kCases) {
    test(std::string(c.name) + " is reported", [&] { expect_report(c); });
    test(std::string(c.name) + ": its twin is silent and right", [&] { expect_silence(c); });
  }
  test("sums are cut as Hopper's are said to be", expect_hopper_sums);
  return finish();
}
