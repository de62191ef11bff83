// Whether the emulator does what the hardware does, instruction by instruction. Every case runs a probe
// (native/cuda/conformance) in the emulator and holds its bytes against conformance.golden and, where there is one,
// against a second formulation written from the specification. With HADAL_TEST_DRIVER=cuda each also runs on the GPU,
// bit for bit against the emulator's; the probes' fatbin is conformance.sm_90a.fatbin beside HADAL_TEST_FATBIN.
//   conformance_test [--write] [--golden=file] [--json=file] [--stamp=file] [--filter=text]
// --write makes the golden file anew. --json (HADAL_CONFORMANCE_JSON) gets a line for a disagreement and for each
// measured error; --stamp (HADAL_CONFORMANCE_STAMP) the line "calibrated: date, device, driver" when a GPU agrees with
// the emulator in every case. The stamp that is committed is calibration.txt.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <map>
#include <sstream>

#include "simt/wgmma.h"
#include "tests/cuda/conformance_memory.h"
#include "tests/sha256.h"

using namespace hadal;
using namespace hadal::testing;

namespace {

struct Arguments {
  std::string golden, json, stamp, filter;
  bool write = false;
};
Arguments arguments_of(int count, char** values) {
  Arguments arguments;
  arguments.golden = HADAL_TEST_FOLDER "/conformance.golden";
  const auto given = [](const char* name) { return std::getenv(name) != nullptr ? std::getenv(name) : ""; };
  arguments.json = given("HADAL_CONFORMANCE_JSON");
  arguments.stamp = given("HADAL_CONFORMANCE_STAMP");
  for (int i = 1; i < count; ++i) {
    const std::string value = values[i];
    const auto option = [&](const char* name, std::string& to) {
      if (value.rfind(name, 0) == 0) to = value.substr(std::strlen(name));
    };
    option("--golden=", arguments.golden);
    option("--json=", arguments.json);
    option("--stamp=", arguments.stamp);
    option("--filter=", arguments.filter);
    if (value == "--write") arguments.write = true;
  }
  return arguments;
}

std::vector<ProbeCase> all_cases(const std::string& filter) {
  std::vector<ProbeCase> cases, chosen;
  add_wgmma_cases(cases);
  add_warp_cases(cases);
  add_memory_cases(cases);
  for (ProbeCase& one : cases)
    if (one.name.find(filter) != std::string::npos) chosen.push_back(std::move(one));
  return chosen;
}

// "bytes digest", or the bytes themselves where they are no longer than a digest.
std::string summary(const Bytes& bytes) {
  std::string text = std::to_string(bytes.size()) + " ";
  if (bytes.size() > 32) return text + sha256(bytes);
  for (const uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::map<std::string, std::string> read_golden(const std::string& path) {
  std::map<std::string, std::string> golden;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (const size_t space = line.find(' '); !line.empty() && line[0] != '#')
      golden[line.substr(0, space)] = line.substr(space + 1);
  return golden;
}

// Where two results differ first; none where they do not.
std::string first_difference(const Bytes& expected, const Bytes& got) {
  if (expected.size() != got.size())
    return std::to_string(expected.size()) + " bytes expected, " + std::to_string(got.size()) + " came";
  const auto [e, g] = std::mismatch(expected.begin(), expected.end(), got.begin());
  if (e == expected.end()) return "";
  const auto at = static_cast<size_t>(e - expected.begin()) / 4 * 4;
  size_t differing = 0;
  for (size_t i = 0; i < got.size(); ++i) differing += expected[i] != got[i];
  std::ostringstream text;
  const auto word = [&](const Bytes& bytes) {
    text << "0x";
    for (size_t i = std::min(at + 4, bytes.size()); i-- > at;)
      text << "0123456789abcdef"[bytes[i] >> 4] << "0123456789abcdef"[bytes[i] & 15];
  };
  text << "offset " << at << ": expected ";
  word(expected);
  text << ", got ";
  word(got);
  text << " (" << differing << " of " << got.size() << " bytes differ)";
  return text.str();
}

// The fast functions' largest errors in units of the last place, as a line of JSON. Not for the emulator, whose
// functions are libm's.
std::string measured(const Bytes& bytes) {
  const std::vector<float> out = values_of<float>(bytes), in = math_input();
  const char* names[] = {"exp_fast", "log_fast", "reciprocal_fast", "rsqrt_fast"};
  std::ostringstream text;
  for (size_t f = 0; f < 4; ++f) {
    double largest = 0;
    for (size_t i = 0; i < in.size(); ++i) {
      const double x = in[i], exact = f == 0 ? std::exp(x) : f == 1 ? std::log(x) : f == 2 ? 1 / x : 1 / std::sqrt(x);
      const double unit = std::ldexp(1.0, std::max(std::ilogb(exact), -126) - 23);
      largest = std::max(largest, std::fabs(static_cast<double>(out[f * in.size() + i]) - exact) / unit);
    }
    text << (f == 0 ? "" : ", ") << '"' << names[f] << "\": " << largest;
  }
  return "{\"case\": \"fast_math\", \"largest error in ulp\": {" + text.str() + "}}";
}

std::string today() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d", std::gmtime(&now));
  return text;
}
std::string device_of(const cuda::Driver& driver) {
  char name[100] = "";
  int version = 0;
  driver.device_name(name, sizeof name, 0);
  driver.driver_version(&version);
  return std::string(name) + ", driver for CUDA " + std::to_string(version / 1000) + "." +
         std::to_string(version % 1000 / 10);
}

// The emulator's bytes: against the golden ones and the second formulation, and the same with every seed.
Bytes emulated(ProbeDevice& emulator, const ProbeCase& probe, const std::map<std::string, std::string>& golden,
               bool write) {
  simt::tensor_core_sum() = probe.kind == ProbeKind::kSum ? simt::TensorCoreSum::kHopper : simt::TensorCoreSum::kExact;
  Bytes bytes;
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    simt::options().seed = seed;
    Bytes again = probe.run(emulator);
    CHECK(seed == 1 || again == bytes);
    bytes = std::move(again);
    expect_no_hazards();
  }
  if (probe.expected) {
    const std::string difference = first_difference(probe.expected(), bytes);
    if (!difference.empty()) std::printf("  the specification: %s\n", difference.c_str());
    CHECK(difference.empty());
  }
  if (probe.kind == ProbeKind::kMeasured || write) return bytes;
  const auto found = golden.find(probe.name);
  if (found == golden.end()) {
    std::printf("  %s has no golden bytes (--write makes them)\n", probe.name.c_str());
    CHECK(false);
  } else if (found->second != summary(bytes)) {
    std::printf("  golden %s, got %s\n", found->second.c_str(), summary(bytes).c_str());
    CHECK(false);
  }
  return bytes;
}

int run_all(int count, char** values) {
  const Arguments arguments = arguments_of(count, values);
  const char* wanted = std::getenv("HADAL_TEST_DRIVER");
  const bool on_gpu = wanted != nullptr && std::strcmp(wanted, "cuda") == 0;
  ProbeDevice emulator(simt::driver());
  std::unique_ptr<ProbeDevice> gpu;
  if (const char* fatbin = std::getenv("HADAL_TEST_FATBIN"); on_gpu && fatbin != nullptr) {
    const std::string path = fatbin;
    setenv("HADAL_TEST_FATBIN", (path.substr(0, path.rfind('/') + 1) + "conformance.sm_90a.fatbin").c_str(), 1);
  }
  if (on_gpu) gpu = std::make_unique<ProbeDevice>(cuda::system_driver());
  const auto golden = read_golden(arguments.golden);
  std::ostringstream written, json;
  test("SHA-256 of the standard's example", [] {
    const uint8_t abc[] = {'a', 'b', 'c'};
    CHECK(sha256(abc) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(sha256({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });
  for (const ProbeCase& probe : all_cases(arguments.filter)) {
    test(probe.name, [&] {
      const Bytes bytes = emulated(emulator, probe, golden, arguments.write);
      if (probe.kind != ProbeKind::kMeasured) written << probe.name << ' ' << summary(bytes) << '\n';
      if (!gpu) return;
      const Bytes real = probe.run(*gpu);
      if (probe.kind == ProbeKind::kMeasured) {
        json << measured(real) << '\n';
        return;
      }
      const std::string difference = first_difference(bytes, real);
      CHECK(difference.empty());
      if (difference.empty()) return;
      std::printf("  the GPU: %s\n", difference.c_str());
      json << "{\"case\": \"" << probe.name << "\", \"difference\": \"" << difference << "\"}\n";
    });
  }
  if (arguments.write)
    std::ofstream(arguments.golden) << "# What the probes of conformance_test.cpp write in the emulator: name, bytes, "
                                       "and their SHA-256 or, to 32,\n"
                                       "# themselves. Made by conformance_test --write.\n"
                                    << written.str();
  if (gpu && !arguments.json.empty()) std::ofstream(arguments.json) << json.str();
  if (gpu && failed == 0 && arguments.filter.empty() && !arguments.stamp.empty())
    std::ofstream(arguments.stamp) << "calibrated: " << today() << ", " << device_of(gpu->driver()) << '\n';
  return finish();
}

}  // namespace

int main(int count, char** values) {
  try {
    return run_all(count, values);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
