// What the tests of CUDA kernels share: a queue on the emulator (or, with HADAL_TEST_DRIVER=cuda and the
// fatbin's path in HADAL_TEST_FATBIN, on the GPU), arrays in device memory with guard bytes, and cases that run
// on several seeds and end with the emulator's report. Oracles are the CPU's reference ops or written beside.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "cuda/kernels_file.h"
#include "cuda/queue.h"
#include "simt/driver.h"
#include "tests/case.h"
#include "tests/cuda/kernels/touch.h"

namespace hadal::testing {

using cuda::DevicePointer;
using cuda::Queue;

struct CudaBench {
  const cuda::Driver& driver;
  bool emulated;
  cuda::DriverContext context = nullptr;
  std::vector<cuda::DriverLibrary> libraries;
  cuda::DriverStream stream = nullptr;
  std::vector<char> fatbin;

  explicit CudaBench(const cuda::Driver& driver) : driver(driver), emulated(std::strcmp(driver.kind, "simt") == 0) {
    cuda::expect_success(driver, driver.init(0), "cuInit");
    cuda::expect_success(driver, driver.context_retain(&context, 0), "cuDevicePrimaryCtxRetain");
    cuda::expect_success(driver, driver.context_set_current(context), "cuCtxSetCurrent");
    if (!emulated) {
      const char* path = std::getenv("HADAL_TEST_FATBIN");
      HADAL_EXPECT(path != nullptr, "HADAL_TEST_FATBIN: expected the path of the kernels' fatbin");
      fatbin = cuda::read_kernels(path);
    }
    libraries = cuda::load_kernels(driver, fatbin);
    cuda::expect_success(driver, driver.stream_create(&stream, cuda::kStreamNonBlocking), "cuStreamCreate");
  }
  void synchronize() { cuda::expect_success(driver, driver.stream_synchronize(stream), "cuStreamSynchronize"); }
};

inline CudaBench& cuda_bench() {
  static CudaBench bench = [] {
    const char* wanted = std::getenv("HADAL_TEST_DRIVER");
    return CudaBench(wanted != nullptr && std::strcmp(wanted, "cuda") == 0 ? cuda::system_driver() : simt::driver());
  }();
  return bench;
}
inline std::vector<TouchParams>& written_before() {
  static std::vector<TouchParams> arrays;
  return arrays;
}
// Asked for where an op is launched: what is said to be another kernel's output is then written by one.
inline Queue& cuda_queue() {
  static Queue queue(cuda_bench().driver, 0, cuda_bench().libraries, cuda_bench().stream);
  for (const TouchParams& array : std::exchange(written_before(), {})) {
    cuda::Launch launch;
    launch.dependent = true;
    queue.launch(kTouch, launch, array);
  }
  return queue;
}

// Bytes in device memory, freed with the object. On a GPU they lie between two guards; the emulator reports every
// access outside of an allocation, and reads of what nothing wrote.
class DeviceBytes {
 public:
  explicit DeviceBytes(size_t bytes) : bytes_(bytes) {
    const cuda::Driver& driver = cuda_bench().driver;
    cuda::expect_success(driver, driver.memory_allocate(&memory_, std::max<size_t>(bytes + 2 * guard_, 1)), "cuMemAlloc");
    if (guard_ > 0) driver.fill_bytes(memory_, kGuardByte, bytes + 2 * guard_, cuda_bench().stream);
  }
  ~DeviceBytes() {
    std::erase_if(written_before(), [this](const TouchParams& array) { return array.words == data<uint16_t>(); });
    cuda_bench().driver.memory_free(memory_);
  }
  DeviceBytes(const DeviceBytes&) = delete;
  DeviceBytes& operator=(const DeviceBytes&) = delete;

  template <typename T = void>
  T* data() const { return reinterpret_cast<T*>(memory_ + guard_); }
  void write(const void* from) {
    const cuda::Driver& driver = cuda_bench().driver;
    cuda::expect_success(driver, driver.copy_to_device(memory_ + guard_, from, bytes_, cuda_bench().stream), "upload");
    cuda_bench().synchronize();
  }
  void read(void* to) const {
    const cuda::Driver& driver = cuda_bench().driver;
    cuda::expect_success(driver, driver.copy_to_host(to, memory_ + guard_, bytes_, cuda_bench().stream), "download");
    cuda_bench().synchronize();
  }
  bool guards_intact() const {
    if (guard_ == 0) return true;
    std::vector<uint8_t> all(bytes_ + 2 * guard_);
    cuda_bench().driver.copy_to_host(all.data(), memory_, all.size(), cuda_bench().stream);
    cuda_bench().synchronize();
    for (size_t i = 0; i < guard_; ++i)
      if (all[i] != kGuardByte || all[all.size() - 1 - i] != kGuardByte) return false;
    return true;
  }
  size_t size() const { return bytes_; }
  // As if the kernel in front of the next op had written it: an op that reads it before it has waited for that
  // kernel is then reported. For what comes from other kernels, not for weights. On a GPU nothing happens.
  void written_by_kernel() const {
    if (cuda_bench().emulated) written_before().push_back({data<uint16_t>(), static_cast<int64_t>(bytes_ / 2)});
  }

 private:
  static constexpr uint8_t kGuardByte = 0xa5;
  size_t guard_ = cuda_bench().emulated ? 0 : 512;
  size_t bytes_;
  DevicePointer memory_ = 0;
};

// A vector of plain values on the device.
template <typename T>
class DeviceVector {
 public:
  explicit DeviceVector(std::vector<T> values) : host_(std::move(values)), bytes_(host_.size() * sizeof(T)) {
    if (!host_.empty()) bytes_.write(host_.data());
  }
  explicit DeviceVector(size_t count) : DeviceVector(std::vector<T>(count)) {}
  T* data() const { return bytes_.data<T>(); }
  const std::vector<T>& read() {
    if (!host_.empty()) bytes_.read(host_.data());
    return host_;
  }
  bool guards_intact() const { return bytes_.guards_intact(); }
  void written_by_kernel() const { bytes_.written_by_kernel(); }

 private:
  std::vector<T> host_;
  DeviceBytes bytes_;
};

inline uint16_t bf16_bits(float f) { return cpu::f32_to_bf16(f); }
inline float bf16_value(uint16_t bits) { return cpu::bf16_to_f32(bits); }

inline std::vector<uint16_t> to_bf16(const std::vector<float>& values) {
  std::vector<uint16_t> bits;
  for (const float value : values) bits.push_back(bf16_bits(value));
  return bits;
}
inline std::vector<float> from_bf16(const std::vector<uint16_t>& bits) {
  std::vector<float> values;
  for (const uint16_t b : bits) values.push_back(bf16_value(b));
  return values;
}
inline std::vector<float> normals(Random& random, size_t count, float scale = 1) {
  std::vector<float> values(count);
  for (float& value : values) value = scale * random.normal();
  return values;
}

// What the emulator found since it was last asked; nothing is expected.
inline void expect_no_hazards() {
  const simt::Report report = simt::take_report();
  for (const std::string& text : report.problems) std::printf("  hazard: %s\n", text.c_str());
  CHECK(report.count == 0);
}

inline uint64_t seeds_wanted() {
  const char* wanted = std::getenv("HADAL_TEST_SEEDS");
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 3;
}

// For the mutation suite (HADAL_TEST_MUTANT): every seed runs whatever came before, and says on a line of its own
// what came out. "first": a seed that has been caught is not run again; "all": every case runs with every seed.
inline void mutant_test(const std::string& name, const std::function<void()>& body, bool all) {
  static std::vector<bool> caught(seeds_wanted() + 1, false);
  const char* only = std::getenv("HADAL_TEST_ONLY_SEED");  // after a crash with all of them
  for (uint64_t seed = 1; seed < caught.size(); ++seed) {
    if (only != nullptr && std::strtoull(only, nullptr, 10) != seed) continue;
    if (caught[seed] && !all) continue;
    simt::options().seed = seed;
    test(name, body);
    const simt::Report report = simt::take_report();
    for (const std::string& text : report.problems) std::printf("  hazard: %s\n", text.c_str());
    std::printf("seed %llu: %llu hazards, numbers %s\n", static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(report.count), current_ok ? "right" : "wrong");
    if (report.count > 0 || !current_ok) caught[seed] = true;
  }
}

// A named case, run with three seeds of the emulator's scheduler (HADAL_TEST_SEEDS: with so many), or once on a GPU.
inline void kernel_test(const std::string& name, const std::function<void()>& body) {
  if (const char* mutant = std::getenv("HADAL_TEST_MUTANT"); mutant != nullptr)
    return mutant_test(name, body, std::strcmp(mutant, "all") == 0);
  test(name, [&] {
    for (uint64_t seed = 1; seed <= (cuda_bench().emulated ? seeds_wanted() : 1) && current_ok; ++seed) {
      simt::options().seed = seed;
      body();
      expect_no_hazards();
      if (!current_ok) std::printf("  with seed %llu\n", static_cast<unsigned long long>(seed));
    }
  });
}

}  // namespace hadal::testing
