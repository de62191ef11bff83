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

struct Fixture {
  DeviceBytes in{4096}, out{4096}, words{256}, bytes{4097};
  EmulatorParams params{};

  Fixture() {
    params.in = in.data<float>();
    params.out = out.data<float>();
    params.words = words.data<uint32_t>();
    params.bytes = bytes.data<uint8_t>();
    const std::vector<uint8_t> zeros(4097);
    in.write(zeros.data());
    words.write(zeros.data());
    bytes.write(zeros.data());
    make_map(params.in, params.load);
    make_map(params.out, params.store);
  }

  // 32 rows of 32 floats, in boxes of 8 rows; 128-byte swizzle.
  static void make_map(float* start, cuda::TensorMap& map) {
    const uint64_t extents[] = {32, 32}, strides[] = {128};
    const uint32_t box[] = {32, 8}, steps[] = {1, 1};
    cuda::expect_success(cuda_bench().driver,
                         cuda_bench().driver.encode_tensor_map(
                             &map, cuda::TensorMapType::kF32, 2, start, extents, strides, box, steps, 0,
                             cuda::TensorMapSwizzle::k128, cuda::TensorMapPromotion::k256, 0),
                         "cuTensorMapEncodeTiled");
  }
};

// The kernel's report on a seed.
simt::Report report_of(const Case& c, const std::string& kind, uint64_t seed) {
  Fixture bench;
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
    Case{"divergent_barrier", "divergent barrier"},
    Case{"exits_early", "deadlock", "1 threads have exited"},
    Case{"named_counts", "others one of"},
    Case{"named_partial", "no multiple of 32"},
    Case{"named_too_few", "32 of 64 threads have come"},
    Case{"named_arrive", "race"},
    Case{"last_block", "race"}.of_blocks(6),
    Case{"last_block_acquire", "race"}.of_blocks(6),
    Case{"flag", "race"}.of_blocks(3),
    Case{"flag_never_set", "threads poll flags that nobody sets"}.of_blocks(3),
    Case{"plain_flag", "race"},
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

// A tensor of floats [5, 9, 40] (or [9, 40]) and boxes of [2, 3, width].
struct TileCase {
  cuda::TensorMapSwizzle swizzle;
  int rank, width;
  int at[3], to[3];
};

constexpr int kExtents[3] = {40, 9, 5};

bool inside(const TileCase& c, const int (&at)[3]) {
  for (int d = 0; d < c.rank; ++d)
    if (at[d] < 0 || at[d] >= kExtents[d]) return false;
  return true;
}
size_t index_of(const int (&at)[3]) {
  return static_cast<size_t>((at[2] * kExtents[1] + at[1]) * kExtents[0] + at[0]);
}

// By reference: GCC 12 does not align a temporary that a function returns by more than 16 bytes.
void make_tile_map(const TileCase& c, void* start, cuda::TensorMap& map) {
  const uint64_t extents[] = {40, 9, 5}, strides[] = {160, 1440};
  const uint32_t box[] = {static_cast<uint32_t>(c.width), 3, 2}, steps[] = {1, 1, 1};
  cuda::expect_success(cuda_bench().driver,
                       cuda_bench().driver.encode_tensor_map(
                           &map, cuda::TensorMapType::kF32, static_cast<uint32_t>(c.rank), start, extents, strides, box,
                           steps, 0, c.swizzle, cuda::TensorMapPromotion::kNone, 0),
                       "cuTensorMapEncodeTiled");
}

// fn(place in the box in bytes, coordinates in the tensor of the load, of the store)
template <typename Fn>
void for_box(const TileCase& c, const Fn& fn) {
  for (int z = 0; z < (c.rank == 3 ? 2 : 1); ++z)
    for (int y = 0; y < 3; ++y)
      for (int x = 0; x < c.width; ++x) {
        const int depth = c.rank == 3 ? z : 0;
        const int from[3] = {c.at[0] + x, c.at[1] + y, c.rank == 3 ? c.at[2] + depth : 0};
        const int to[3] = {c.to[0] + x, c.to[1] + y, c.rank == 3 ? c.to[2] + depth : 0};
        fn(static_cast<size_t>((z * 3 + y) * c.width + x) * 4, from, to);
      }
}

// A line of 128 bytes has eight pieces of 16: a swizzle exchanges them by the line's number.
size_t exchanged(size_t offset, cuda::TensorMapSwizzle swizzle) {
  const size_t line = offset / 128, piece = offset / 16 % 8, rest = offset % 16;
  const size_t lines[] = {1, 2, 4, 8};
  return line * 128 + (piece ^ line % lines[static_cast<size_t>(swizzle)]) * 16 + rest;
}

void expect_tile(const TileCase& c) {
  const size_t count = 40 * 9 * 5, box_bytes = static_cast<size_t>(c.width) * (c.rank == 3 ? 6 : 3) * 4;
  std::vector<float> values(count), expected(count, -1.0f);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i + 1);
  DeviceVector<float> in(values), out(expected);
  DeviceVector<uint8_t> bytes(box_bytes);
  EmulatorParams params{};
  params.bytes = bytes.data();
  params.count = static_cast<int32_t>(box_bytes);
  std::copy_n(c.at, 3, params.at);
  std::copy_n(c.to, 3, params.to);
  make_tile_map(c, in.data(), params.load);
  make_tile_map(c, out.data(), params.store);
  const cuda::Kernel kernel{c.rank == 2 ? "emulator_tile_2d" : "emulator_tile_3d", sizeof(EmulatorParams), 64};
  cuda::Launch launch;
  launch.shared_bytes = 4096;
  Queue queue(cuda_bench().driver, 0, cuda_bench().libraries, cuda_bench().stream);
  queue.launch(kernel, launch, params);
  const std::vector<uint8_t>& shared = bytes.read();
  for_box(c, [&](size_t place, const int(&from)[3], const int(&to)[3]) {
    const float value = inside(c, from) ? values[index_of(from)] : 0.0f;
    float got;
    std::memcpy(&got, shared.data() + exchanged(place, c.swizzle), 4);
    CHECK(got == value);
    if (inside(c, to)) expected[index_of(to)] = value;
  });
  CHECK(out.read() == expected);
}

// What the driver refuses, with the reason.
using Spoil = std::function<void(uint64_t*, uint64_t*, uint32_t*, uintptr_t&, int&)>;
void expect_refused(const char* reason, const Spoil& spoil) {
  uint64_t extents[] = {64, 64}, strides[] = {128};
  uint32_t box[] = {64, 8}, steps[] = {1, 1};
  DeviceBytes memory(64 * 128);
  auto start = reinterpret_cast<uintptr_t>(memory.data());
  int swizzle = 3;
  spoil(extents, strides, box, start, swizzle);
  cuda::TensorMap map{};
  const auto result = cuda_bench().driver.encode_tensor_map(
      &map, cuda::TensorMapType::kBF16, 2, reinterpret_cast<void*>(start), extents, strides, box, steps, 0,
      static_cast<cuda::TensorMapSwizzle>(swizzle), cuda::TensorMapPromotion::kNone, 0);
  if (*reason == 0) {
    CHECK(result == 0);
    return;
  }
  CHECK(throws(HADAL_ERROR_INTERNAL, reason,
               [&] { cuda::expect_success(cuda_bench().driver, result, "cuTensorMapEncodeTiled"); }));
}

void expect_map_checks() {
  using U64 = uint64_t*;
  using U32 = uint32_t*;
  expect_refused("", [](U64, U64, U32, uintptr_t&, int&) {});
  expect_refused("global address that is a multiple of 16", [](U64, U64, U32, uintptr_t& at, int&) { at += 8; });
  expect_refused("multiple of 16 bytes below 2^40, got 130", [](U64, U64 s, U32, uintptr_t&, int&) { s[0] = 130; });
  expect_refused("from 1 to 256 elements, got 257", [](U64, U64, U32 b, uintptr_t&, int&) { b[1] = 257; });
  expect_refused("from 1 to 256 elements, got 0", [](U64, U64, U32 b, uintptr_t&, int&) { b[1] = 0; });
  expect_refused("at most the swizzle's 128 bytes, got 256", [](U64, U64, U32 b, uintptr_t&, int&) { b[0] = 128; });
  expect_refused("at most the swizzle's 64 bytes", [](U64, U64, U32, uintptr_t&, int& swizzle) { swizzle = 2; });
  expect_refused("multiple of 16 bytes, got 24", [](U64, U64, U32 b, uintptr_t&, int&) { b[0] = 12; });
  expect_refused("an extent", [](U64 e, U64, U32, uintptr_t&, int&) { e[1] = 0; });
}

}  // namespace

int main() {
  using Swizzle = cuda::TensorMapSwizzle;
  test("tiles lie as their swizzle says, zeros outside, nothing stored outside", [] {
    const TileCase cases[] = {
        {Swizzle::kNone, 2, 40, {0, 0, 0}, {0, 3, 0}},   {Swizzle::kNone, 2, 12, {34, 7, 0}, {-4, -1, 0}},
        {Swizzle::k128, 2, 32, {-3, 1, 0}, {12, 8, 0}},  {Swizzle::k64, 2, 16, {4, 8, 0}, {30, 0, 0}},
        {Swizzle::k32, 2, 8, {0, -2, 0}, {0, 100, 0}},   {Swizzle::k128, 3, 32, {8, 7, 4}, {1, 2, 3}},
        {Swizzle::k64, 3, 16, {30, 0, -1}, {0, 0, 4}},   {Swizzle::kNone, 3, 40, {0, 6, 3}, {0, 7, 0}},
    };
    for (const TileCase& c : cases)
      for (uint64_t seed = 1; seed <= 5; ++seed) {
        simt::options().seed = seed;
        expect_tile(c);
        expect_no_hazards();
      }
  });
  test("a tensor map that the driver would refuse is refused with the reason", expect_map_checks);
  test("the order of blocks and threads depends on the seed", [] {
    const auto first = [](uint64_t seed) {
      const simt::Report report = report_of(Case{"write_after_read", ""}, "bad", seed);
      return report.problems.empty() ? std::string() : report.problems[0];
    };
    CHECK(first(1) == first(1));
    CHECK(first(1) != first(2) || first(2) != first(3));
  });
  test("host memory and freed memory are reported", [] {
    const cuda::Kernel kernel{"emulator_global_bounds_good", sizeof(EmulatorParams), 64};
    std::vector<float> host(1024);
    Fixture bench;
    bench.params.in = host.data();
    Queue queue(cuda_bench().driver, 0, cuda_bench().libraries, cuda_bench().stream);
    queue.launch(kernel, cuda::Launch{}, bench.params);
    CHECK(mentions(simt::take_report(), "not device memory"));
    { bench.params.in = DeviceVector<float>(1024).data(); }
    queue.launch(kernel, cuda::Launch{}, bench.params);
    CHECK(mentions(simt::take_report(), "use of freed global memory"));
  });
  test("copies beyond an allocation and launches that do not fit are refused", [] {
    const cuda::Driver& driver = cuda_bench().driver;
    DeviceBytes memory(64);
    char host[128] = {};
    const auto start = reinterpret_cast<DevicePointer>(memory.data());
    const auto copy = driver.copy_to_device(start, host, 65, cuda_bench().stream);
    CHECK(throws(HADAL_ERROR_INTERNAL, "past the end of the allocation",
                 [&] { cuda::expect_success(driver, copy, "copy"); }));
    Fixture bench;
    Queue queue(driver, 0, cuda_bench().libraries, cuda_bench().stream);
    const cuda::Kernel wide{"emulator_global_bounds_good", sizeof(EmulatorParams), 128};
    queue.launch(wide, cuda::Launch{}, bench.params);
    CHECK(mentions(simt::take_report(), "128 threads a block, the kernel is compiled for at most 64"));
    const cuda::Kernel kernel{"emulator_read_write_race_good", sizeof(EmulatorParams), 64};
    queue.launch(kernel, cuda::Launch{}, bench.params);
    CHECK(mentions(simt::take_report(), "the launch gave 0"));
  });
  test("lint counts bank passes and sectors when asked", [] {
    simt::options().lint = true;
    simt::take_lint();
    report_of(Case{"read_write_race", ""}, "good", 1);
    simt::options().lint = false;
    const std::vector<simt::LintRow> rows = simt::take_lint();
    CHECK(!rows.empty());
    for (const simt::LintRow& row : rows) CHECK(row.warps == 2 && row.cost >= row.ideal && row.ideal > 0);
  });
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
