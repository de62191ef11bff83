// The benchmark without a GPU: every row can be launched (on a driver that does nothing, so that the launchers'
// checks see the full shapes), the small ones run in the emulator, and the timer times them there.
#include <algorithm>
#include <set>

#include "bench/cuda/report.h"
#include "tests/cuda/cuda_case.h"

using namespace hadal;
using namespace hadal::testing;
using namespace hadal::bench;

namespace {

int dry_launches = 0;
DevicePointer dry_address = 1 << 20;

// The emulator's kernels by name, and nothing that touches memory.
cuda::Driver dry_driver() {
  cuda::Driver driver = simt::driver();
  driver.memory_allocate = [](DevicePointer* pointer, size_t bytes) {
    *pointer = dry_address;
    dry_address += (bytes + 255) / 256 * 256;
    return 0;
  };
  driver.memory_free = [](DevicePointer) { return 0; };
  driver.copy_to_device = [](DevicePointer, const void*, size_t, cuda::DriverStream) { return 0; };
  driver.copy_on_device = [](DevicePointer, DevicePointer, size_t, cuda::DriverStream) { return 0; };
  driver.fill_bytes = [](DevicePointer, unsigned char, size_t, cuda::DriverStream) { return 0; };
  driver.launch = [](const cuda::LaunchConfig*, cuda::DriverKernel, void**, void**) { return ++dry_launches, 0; };
  return driver;
}

std::string name_of(const Row& row) { return row.kernel + " " + row.shape; }

Row small_row() {
  const Rows rows = all_rows();
  return *std::min_element(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.bytes < b.bytes; });
}

// Fields of a CSV line; commas inside quotes are none.
size_t fields(const std::string& line) {
  bool inside = false;
  size_t count = 1;
  for (const char c : line) {
    if (c == '"') inside = !inside;
    if (c == ',' && !inside) ++count;
  }
  return count;
}

}  // namespace

int main() {
  test("every row says what it moves, what it predicts and why, and no prediction beats its floor", [] {
    std::set<std::string> names;
    for (const Row& row : all_rows()) {
      const bool fine = !row.kernel.empty() && !row.shape.empty() && row.bytes > 0 && row.prepare &&
                        row.reason.size() >= 10 && row.predicted_us >= row.floor_us();
      if (!fine) std::printf("  %s: floor %g us, predicted %g us\n", name_of(row).c_str(), row.floor_us(), row.predicted_us);
      CHECK(fine);
      CHECK(names.insert(name_of(row)).second);
    }
  });
  test("every row's launch passes the launcher's checks", [] {
    const cuda::Driver driver = dry_driver();
    Queue queue(driver, 0, {nullptr}, nullptr);
    Pools pools(driver, nullptr, 1024);
    for (const Row& row : all_rows()) {
      RowMemory memory(pools);
      const int before = dry_launches;
      try {
        row.prepare(memory)(queue);
      } catch (const std::exception& error) {
        std::printf("  %s: %s\n", name_of(row).c_str(), error.what());
        CHECK(false);
        continue;
      }
      if (dry_launches == before) std::printf("  %s started nothing\n", name_of(row).c_str());
      CHECK(dry_launches > before);
    }
  });
  test("the rows of little traffic run without a hazard", [] {
    Pools pools(simt::driver(), nullptr, size_t{1} << 16);
    for (const Row& row : all_rows()) {
      if (row.bytes > 1.5e6) continue;
      RowMemory memory(pools);
      row.prepare(memory)(cuda_queue());
      if (simt::take_report().count == 0) continue;
      std::printf("  %s: hazards\n", name_of(row).c_str());
      CHECK(false);
    }
  });
  test("the timer rotates inputs, and its report has all columns", [] {
    Pools pools(simt::driver(), nullptr, 1024);
    Limits limits;
    limits.rotate_bytes = 4 << 20;
    limits.most_sets = 3;
    limits.graph_ms = 1e-3;
    limits.repeats = 3;
    limits.copy_bytes = 1 << 18;
    Timer timer(cuda_queue(), pools, limits);
    const Row row = small_row();
    Run run{"a GPU, emulated", "2026-01-01", 13000, timer.ceilings()};
    CHECK(run.ceilings.copy > 0 && run.ceilings.read > 0);
    Result result{&row, timer.time(row), ""};
    CHECK(result.measured.median_us >= result.measured.least_us && result.measured.least_us > 0);
    CHECK(result.measured.sets == 3 && result.measured.launches >= 3);
    CHECK(fields(csv_line(run, result)) == fields(csv_header()));
    const Result failed{&row, {}, "why, \"said\""};
    CHECK(fields(csv_line(run, failed)) == fields(csv_header()));
    CHECK(run_json(run, {result, failed}).find("\"percent_of_measured\"") != std::string::npos);
    CHECK(simt::take_report().count == 0);
  });
  return finish();
}
