// The benchmark of the CUDA kernels. Without a GPU: --list, the rows with their floors and predictions as JSON.
// With one: copy and read bandwidth first, then each row beside them; a row that fails is said and left behind.
//   hadal_cuda_bench [--list | --kernels] [--filter=text] [--fatbin=file] [--csv=file] [--json=file] [--seconds=N]
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "bench/cuda/report.h"
#include "cuda/kernels_file.h"
#include "cuda/table.h"

namespace hadal::bench {
namespace {

struct Flags {
  bool list = false;
  bool kernels = false;  // the names of all instances, one a line
  std::string filter, fatbin, csv, json;
  double seconds = 300;  // no row is begun after these
};

constexpr const char* kUsage =
    "hadal_cuda_bench [--list | --kernels] [--filter=text] [--fatbin=file] [--csv=file] [--json=file] [--seconds=N]\n";

Flags read_flags(int count, char** values, const std::string& folder) {
  Flags flags;
  flags.fatbin = folder + "/../kernels.sm_90a.fatbin";
  const auto value_of = [](const char* argument, const char* name) -> const char* {
    const size_t length = std::strlen(name);
    return std::strncmp(argument, name, length) == 0 ? argument + length : nullptr;
  };
  for (int i = 1; i < count; ++i) {
    if (std::strcmp(values[i], "--list") == 0) flags.list = true;
    else if (std::strcmp(values[i], "--kernels") == 0) flags.kernels = true;
    else if (const char* filter = value_of(values[i], "--filter=")) flags.filter = filter;
    else if (const char* fatbin = value_of(values[i], "--fatbin=")) flags.fatbin = fatbin;
    else if (const char* csv = value_of(values[i], "--csv=")) flags.csv = csv;
    else if (const char* json = value_of(values[i], "--json=")) flags.json = json;
    else if (const char* seconds = value_of(values[i], "--seconds=")) flags.seconds = std::atof(seconds);
    else fail(HADAL_ERROR_INVALID, "%s: not a flag of this program\n%s", values[i], kUsage);
  }
  return flags;
}

Rows wanted_rows(const Flags& flags) {
  Rows rows;
  for (Row& row : all_rows())
    if ((row.kernel + " " + row.shape).find(flags.filter) != std::string::npos)
      rows.push_back(std::move(row));
  HADAL_EXPECT(!rows.empty(), "--filter=%s: no row of this name", flags.filter.c_str());
  return rows;
}

// The device, its kernels and a stream, for the time of a run.
struct Gpu {
  const cuda::Driver& driver;
  std::vector<char> image;
  std::vector<cuda::DriverLibrary> libraries;
  cuda::DriverStream stream = nullptr;
  Run run;

  Gpu(const cuda::Driver& driver, const std::string& fatbin) : driver(driver) {
    using cuda::expect_success;
    int count = 0;
    cuda::DriverContext context = nullptr;
    expect_success(driver, driver.init(0), "cuInit");
    expect_success(driver, driver.device_count(&count), "cuDeviceGetCount");
    if (count == 0) fail(HADAL_ERROR_UNSUPPORTED, "CUDA: a driver, but no GPU");
    expect_success(driver, driver.context_retain(&context, 0), "cuDevicePrimaryCtxRetain");
    expect_success(driver, driver.context_set_current(context), "cuCtxSetCurrent");
    image = cuda::read_kernels(fatbin);
    libraries = cuda::load_kernels(driver, image);
    expect_success(driver, driver.stream_create(&stream, cuda::kStreamNonBlocking), "cuStreamCreate");
    char name[256] = {};
    expect_success(driver, driver.device_name(name, sizeof name, 0), "cuDeviceGetName");
    expect_success(driver, driver.driver_version(&run.driver), "cuDriverGetVersion");
    run.device = name;
    const std::time_t now = std::time(nullptr);
    char date[16];
    std::strftime(date, sizeof date, "%Y-%m-%d", std::gmtime(&now));
    run.date = date;
  }
};

void write_file(const std::string& path, const std::string& text, const char* mode) {
  if (path.empty()) return;
  std::FILE* file = std::fopen(path.c_str(), mode);
  HADAL_EXPECT(file != nullptr, "%s: cannot be written", path.c_str());
  std::fputs(text.c_str(), file);
  std::fclose(file);
}

int measure_all(const Flags& flags, const Rows& rows) {
  Gpu gpu(cuda::system_driver(), flags.fatbin);
  cuda::Queue queue(gpu.driver, 0, gpu.libraries, gpu.stream);
  Pools pools(gpu.driver, gpu.stream);
  Timer timer(queue, pools, {});
  gpu.run.ceilings = timer.ceilings();
  std::fputs(table_header(gpu.run).c_str(), stdout);
  write_file(flags.csv, csv_header(), "w");
  std::vector<Result> results;
  int failures = 0;
  const std::time_t started = std::time(nullptr);
  for (const Row& row : rows) {
    Result result;
    result.row = &row;
    try {
      if (std::difftime(std::time(nullptr), started) > flags.seconds)
        fail(HADAL_ERROR_INTERNAL, "not begun: --seconds=%g were over", flags.seconds);
      result.measured = timer.time(row);
    } catch (const std::exception& error) {
      result.error = error.what();
      ++failures;
    }
    std::fputs(table_line(gpu.run, result).c_str(), stdout);
    std::fflush(stdout);
    write_file(flags.csv, csv_line(gpu.run, result), "a");  // what is done stays, whatever comes after
    results.push_back(result);
  }
  write_file(flags.json, run_json(gpu.run, results), "w");
  return failures == 0 ? 0 : 1;
}

int run(int count, char** values) {
  const std::string program = values[0];
  const size_t slash = program.rfind('/');
  const Flags flags =
      read_flags(count, values, slash == std::string::npos ? "." : program.substr(0, slash));
  const Rows rows = wanted_rows(flags);
  if (flags.kernels) {
    for (const cuda::Kernel* kernel : cuda::all_kernels()) std::printf("%s\n", kernel->name);
    return 0;
  }
  if (!flags.list) return measure_all(flags, rows);
  std::fputs(list_json(rows).c_str(), stdout);
  return 0;
}

}  // namespace
}  // namespace hadal::bench

int main(int count, char** values) {
  try {
    return hadal::bench::run(count, values);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hadal: %s\n", error.what());
    return 2;
  }
}
