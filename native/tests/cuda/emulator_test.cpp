// The emulator itself: for every class of mistakes a small kernel that has it, which must be reported on every seed
// with the right words, and its twin without it, which must be silent on many more.
#include "tests/cuda/cuda_case.h"
#include "tests/cuda/kernels/emulator_kernels.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

constexpr uint64_t kFaultySeeds = 20, kCorrectSeeds = 200;

struct Case {
  const char* name;
  const char* words;         // of the report on the faulty one
  uint32_t blocks = 1;
  bool dependent = false;    // after a kernel that reads `in` and writes `out`
  uint32_t cluster = 1;
  uint32_t threads = 64;
  const char* more = "";     // also in the report
  const char* twin = "";     // another name of the correct kernel

  Case(const char* name, const char* words, const char* more = "") : name(name), words(words), more(more) {}
  Case like(const char* correct) const { return with([&](Case& c) { c.twin = correct; }); }
  Case of_blocks(uint32_t count) const { return with([&](Case& c) { c.blocks = count; }); }
  Case of_threads(uint32_t count) const { return with([&](Case& c) { c.threads = count; }); }
  Case in_clusters(uint32_t size) const { return with([&](Case& c) { c.blocks = c.cluster = size; }); }
  Case after_another() const { return with([&](Case& c) { c.dependent = true; }); }

 private:
  template <typename Change>
  Case with(const Change& change) const {
    Case copy = *this;
    change(copy);
    return copy;
  }
};

struct Bench {
  DeviceBytes in{4096}, out{4096}, words{256}, bytes{4097};
  EmulatorParams params{};

  Bench() {
    params.in = in.data<float>();
    params.out = out.data<float>();
    params.words = words.data<uint32_t>();
    params.bytes = bytes.data<uint8_t>();
    const std::vector<uint8_t> zeros(4097);
    in.write(zeros.data());
    words.write(zeros.data());
    bytes.write(zeros.data());
    params.load = map_of(params.in);
    params.store = map_of(params.out);
  }

  // 32 rows of 32 floats, in boxes of 8 rows; 128-byte swizzle.
  static cuda::TensorMap map_of(float* start) {
    cuda::TensorMap map{};
    const uint64_t extents[] = {32, 32}, strides[] = {128};
    const uint32_t box[] = {32, 8}, steps[] = {1, 1};
    cuda::expect_success(cuda_bench().driver,
                         cuda_bench().driver.encode_tensor_map(
                             &map, cuda::TensorMapType::kF32, 2, start, extents, strides, box, steps, 0,
                             cuda::TensorMapSwizzle::k128, cuda::TensorMapPromotion::k256, 0),
                         "cuTensorMapEncodeTiled");
    return map;
  }
};

// The kernel's report on a seed.
simt::Report report_of(const Case& c, const std::string& kind, uint64_t seed) {
  Bench bench;
  const bool own_name = kind == "bad" || *c.twin == 0;
  const std::string name = "emulator_" + std::string(own_name ? c.name : c.twin) + "_" + kind;
  const cuda::Kernel kernel{name.c_str(), sizeof(EmulatorParams), c.threads};
  const cuda::Kernel before{"emulator_writes_out", sizeof(EmulatorParams), 64};
  simt::options().seed = seed;
  cuda::Launch launch;
  launch.shared_bytes = 4096;
  if (c.dependent) cuda_queue().launch(before, launch, bench.params);
  launch.grid.x = c.blocks;
  launch.cluster = c.cluster;
  launch.dependent = c.dependent;
  Queue queue(cuda_bench().driver, 0, cuda_bench().libraries, cuda_bench().stream);  // kernels are kept by address
  queue.launch(kernel, launch, bench.params);
  return simt::take_report();
}

// `words` may hold alternatives between bars.
bool mentions(const simt::Report& report, const std::string& words) {
  for (size_t start = 0; start <= words.size();) {
    const size_t end = std::min(words.find('|', start), words.size());
    for (const std::string& text : report.problems)
      if (text.find(words.substr(start, end - start)) != std::string::npos) return true;
    start = end + 1;
  }
  return false;
}

void expect_report(const Case& c) {
  std::string first;
  for (uint64_t seed = 1; seed <= kFaultySeeds; ++seed) {
    const simt::Report report = report_of(c, "bad", seed);
    if (first.empty() && !report.problems.empty()) first = report.problems[0];
    if (mentions(report, c.words) && mentions(report, c.more)) continue;
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
    const simt::Report report = report_of(c, "good", seed);
    if (report.count == 0) continue;
    std::printf("  seed %llu:\n", static_cast<unsigned long long>(seed));
    for (const std::string& text : report.problems) std::printf("    %s\n", text.c_str());
    CHECK(false);
    return;
  }
}

const Case kThreadCases[] = {
    Case{"read_write_race", "read/write race"},
    Case{"write_after_read", "race"},
    Case{"write_write_race", "write/write race"},
    Case{"byte_race", "write/write race"},
    Case{"shuffle_is_no_fence", "read/write race"},
    Case{"shared_unwritten", "read of shared memory that nothing wrote"},
    Case{"shared_bounds", "shared memory out of bounds", "of 4096"},
    Case{"global_bounds", "global memory out of bounds", "at 4096 of allocation"},
    Case{"global_write_bounds", "global memory out of bounds", "writes 4 bytes at -4 of allocation"},
    Case{"global_unwritten", "read of global memory that nothing wrote"},
    Case{"misaligned", "misaligned access"},
    Case{"global_race", "race"},
    Case{"block_race", "race"}.of_blocks(4),
    Case{"missing_lane", "missing lanes in warp 0", "9 (has exited)"},
    Case{"divergent", "divergent collectives"},
    Case{"different_calls", "divergent collectives", "ballot"},
    Case{"exits_early", "deadlock", "1 threads have exited"},
    Case{"named_counts", "others one of"},
    Case{"named_partial", "no multiple of 32"},
    Case{"named_too_few", "32 of 64 threads have come"},
    Case{"named_arrive", "race"},
    Case{"last_block", "race"}.of_blocks(6),
    Case{"last_block_acquire", "race"}.of_blocks(6),
    Case{"flag", "race"}.of_blocks(3),
    Case{"flag_never_set", "threads poll flags that nobody sets"}.of_blocks(3),
    Case{"atomic_then_read", "race"},
    Case{"dependent_read", "access before wait_for_previous_kernel"}.after_another(),
    Case{"dependent_write", "write before wait_for_previous_kernel"}.after_another(),
    Case{"dependent_barrier", "access before wait_for_previous_kernel"}.after_another(),
    Case{"dependent_never", "ended without wait_for_previous_kernel"}.after_another(),
};

const Case kAsyncCases[] = {
    Case{"no_wait_full", "read before the copy has completed|nothing wrote"}.like("ring"),
    Case{"no_wait_empty", "race|write before the copy has completed"}.like("ring"),
    Case{"count_too_high", "deadlock", "1 of 33 arrivals missing"}.like("ring"),
    Case{"count_too_low", "race|more arrivals|lapped"}.like("ring"),
    Case{"expect_too_much", "deadlock", "tx 16"}.like("ring"),
    Case{"expect_too_little", "deadlock|wrong transaction bytes", "tx -16|wrong transaction bytes"}.like("ring"),
    Case{"no_proxy_fence", "missing fence_proxy_async"}.like("ring"),
    Case{"init_not_fenced", "without fence_barrier_init"}.like("ring"),
    Case{"init_not_synced", "used before init|race"}.like("ring"),
    Case{"more_arrivals", "more arrivals than it counts"}.like("ring"),
    Case{"no_wait_store", "ends without waiting for its bulk stores"}.like("ring"),
    Case{"overwrite_store", "a bulk store reads it"}.like("ring"),
    Case{"load_not_waited", "without having waited for a copy|deadlock"}.like("ring"),
    Case{"misaligned_tile", "its swizzle wants a multiple of 1024"}.like("ring"),
    Case{"wrong_parity", "read before the copy has completed|nothing wrote"}.like("ring"),
    Case{"freed_too_early", "race|read before the copy"}.like("ring"),
    Case{"load_past_end", "shared memory out of bounds"}.like("ring"),
    Case{"wrong_rank", "a tensor map of 2 dimensions"}.like("ring"),
    Case{"lapped", "lapped|deadlock"},
    Case{"init_twice", "initialised a second time"},
    Case{"bulk", "expected a multiple of 16"},
    Case{"store_visible", "read before the copy has completed"},
    Case{"global_proxy", "missing fence_proxy_async"},
    Case{"cluster_write", "race|nothing wrote"}.in_clusters(2),
    Case{"cluster_start", "used before init|race"}.in_clusters(2),
    Case{"cluster_exit", "reach into its shared memory|which has ended"}.in_clusters(2),
    Case{"multicast_no_wait", "read before the copy has completed|nothing wrote"}.in_clusters(2).like("multicast"),
    Case{"multicast_not_expected", "deadlock", "tx -1024"}.in_clusters(2).like("multicast"),
    Case{"peer_store", "read before the copy has completed|nothing wrote"}.in_clusters(2),
    Case{"registers_sum", "deadlock", "registers:"}.of_threads(384).like("registers"),
    Case{"registers_uneven", "different counts of registers"}.of_threads(384).like("registers"),
};

}  // namespace

int main() {
  for (const Case& c : kThreadCases) {
    test(std::string(c.name) + " is reported", [&] { expect_report(c); });
    test(std::string(c.name) + ": its twin is silent", [&] { expect_silence(c); });
  }
  for (const Case& c : kAsyncCases) {
    test(std::string(c.name) + " is reported", [&] { expect_report(c); });
    test(std::string(c.name) + ": its twin is silent", [&] { expect_silence(c); });
  }
  return finish();
}
