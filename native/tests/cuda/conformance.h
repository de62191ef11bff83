// What the conformance cases share: a device to run a probe on (the emulator or a GPU), and a case: bytes from a
// probe, and, where the specification gives them another way, the bytes that are expected.
#pragma once

#include "cuda/conformance/conformance.h"
#include "tests/cuda/cuda_case.h"

namespace hadal::testing {

using Bytes = std::vector<uint8_t>;

template <typename T>
Bytes bytes_of(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}
template <typename T>
std::vector<T> values_of(const Bytes& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

class ProbeDevice {
 public:
  explicit ProbeDevice(const cuda::Driver& driver)
      : bench_(driver), queue_(driver, 0, bench_.libraries, bench_.stream) {}
  ProbeDevice(const ProbeDevice&) = delete;
  ProbeDevice& operator=(const ProbeDevice&) = delete;
  ~ProbeDevice() { release(); }

  // Memory lives until the run's end.
  uint8_t* upload(const Bytes& bytes) {
    uint8_t* memory = allocate(bytes.size());
    check(bench_.driver.copy_to_device(reinterpret_cast<DevicePointer>(memory), bytes.data(), bytes.size(),
                                       bench_.stream));
    bench_.synchronize();
    return memory;
  }
  uint8_t* allocate(size_t bytes) {
    DevicePointer memory = 0;
    check(bench_.driver.memory_allocate(&memory, bytes));
    memory_.push_back(memory);
    check(bench_.driver.fill_bytes(memory, 0xee, bytes, bench_.stream));
    return reinterpret_cast<uint8_t*>(memory);
  }
  // Starts the probe, waits, and brings `bytes` of `out`.
  template <typename Params>
  Bytes run(const cuda::Kernel& kernel, const cuda::Launch& launch, const Params& params, const void* out,
            size_t bytes) {
    queue_.launch(kernel, launch, params);
    Bytes result(bytes);
    check(bench_.driver.copy_to_host(result.data(), reinterpret_cast<DevicePointer>(out), bytes, bench_.stream));
    bench_.synchronize();
    release();
    return result;
  }
  const cuda::Driver& driver() const { return bench_.driver; }

 private:
  void check(cuda::DriverResult result) { cuda::expect_success(bench_.driver, result, "a probe"); }
  void release() {
    for (const DevicePointer memory : memory_) bench_.driver.memory_free(memory);
    memory_.clear();
  }
  CudaBench bench_;
  Queue queue_;
  std::vector<DevicePointer> memory_;
};

// Which sum the emulator's tensor cores use, and what is made of a difference between a GPU and the emulator.
enum class ProbeKind {
  kExact,     // the same bits
  kSum,       // the same bits, of the emulator's model of Hopper's sums
  kMeasured,  // approximate functions: the largest error is recorded
};

struct ProbeCase {
  std::string name;
  ProbeKind kind = ProbeKind::kExact;
  std::function<Bytes(ProbeDevice&)> run;
  std::function<Bytes()> expected;  // empty: the golden bytes alone
};

}  // namespace hadal::testing
