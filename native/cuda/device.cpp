// See device.h.
#include "cuda/device.h"

#include <cstring>

#include "cuda/graph.h"
#include "cuda/kernels_file.h"
#include "cuda/ops.h"

namespace hadal::cuda {
namespace {

constexpr int kOldestDriver = 12040;  // loads compressed fatbins; has every function of driver_api.h
constexpr int kNeededMajor = 9, kNeededMinor = 0;

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

void check_driver(const Driver& driver, int version) {
  if (version < kOldestDriver)
    fail(HADAL_ERROR_UNSUPPORTED, "CUDA: the driver is too old: it is one for CUDA %s, expected %s or newer",
         version_text(version).c_str(), version_text(kOldestDriver).c_str());
  const DriverResult started = driver.init(0);
  if (started == kDriverNoDevice) fail(HADAL_ERROR_UNSUPPORTED, "CUDA: no CUDA device on this machine");
  if (started == 0) return;
  const char* text = nullptr;
  driver.error_string(started, &text);
  fail(HADAL_ERROR_UNSUPPORTED, "CUDA: the driver does not start: %s", text != nullptr ? text : "no reason given");
}

}  // namespace

Found find_gpu(const Driver& driver) {
  Found found;
  expect_success(driver, driver.driver_version(&found.driver_version), "asking for the driver's version");
  check_driver(driver, found.driver_version);
  int count = 0;
  expect_success(driver, driver.device_count(&count), "counting devices");
  if (count == 0) fail(HADAL_ERROR_UNSUPPORTED, "CUDA: no CUDA device on this machine");
  std::string others;
  for (int i = 0; i < count; ++i) {
    int major = 0, minor = 0;
    char name[128] = "";
    expect_success(driver, driver.device_get(&found.device, i), "asking for a device");
    expect_success(driver, driver.device_name(name, sizeof name, found.device), "asking for a device's name");
    expect_success(driver, driver.device_attribute(&major, kDeviceComputeMajor, found.device), "an attribute");
    expect_success(driver, driver.device_attribute(&minor, kDeviceComputeMinor, found.device), "an attribute");
    size_t bytes = 0;
    expect_success(driver, driver.device_memory(&bytes, found.device), "asking for a device's memory");
    found.name = name;
    found.memory_total = bytes;
    if (major == kNeededMajor && minor == kNeededMinor) return found;
    others += (others.empty() ? "" : ", ") + std::string(name) + " is sm_" + std::to_string(major) +
              std::to_string(minor);
  }
  fail(HADAL_ERROR_UNSUPPORTED, "CUDA: unsupported GPU: %s, need sm_90", others.c_str());
}

Gpu::Gpu(const Driver& driver, const Found& found, std::vector<char> kernels)
    : driver_(driver), found_(found), kernels_(std::move(kernels)) {
  try {
    expect_success(driver, driver.context_retain(&context_, found.device), "opening the GPU");
    enter();
    libraries_ = load_kernels(driver, kernels_);
    expect_success(driver, driver.stream_create(&stream_, kStreamNonBlocking), "a stream for runs");
    transfers_ = std::make_unique<Transfers>(driver);
    arena_ = std::make_unique<DeviceArena>(driver);
    queue_ = std::make_unique<Queue>(driver, found.device, libraries_, stream_);
  } catch (...) {
    close();
    throw;
  }
}

Gpu::~Gpu() {
  try {
    enter();
  } catch (...) {
  }
  close();
}

void Gpu::close() noexcept {
  queue_.reset();
  arena_.reset();
  transfers_.reset();
  if (stream_ != nullptr) driver_.stream_destroy(stream_);
  for (const DriverLibrary library : libraries_) driver_.library_unload(library);
  driver_.context_release(found_.device);
}

void Gpu::enter() const {
  expect_success(driver_, driver_.context_set_current(context_), "entering the GPU's context");
}

MemoryFacts Gpu::memory() const {
  enter();
  size_t free = 0, total = 0;
  expect_success(driver_, driver_.memory_info(&free, &total), "asking for free memory");
  return {total, free};
}

std::vector<const char*> CudaDevice::op_names() const {
  std::vector<const char*> names;
  for (const CudaOp* op : all_ops()) names.push_back(op->name);
  return names;
}

const Op* CudaDevice::find_op(const char* name) const {
  for (const CudaOp* op : all_ops())
    if (std::strcmp(op->name, name) == 0) return op;
  return nullptr;
}

std::shared_ptr<Buffer> CudaDevice::allocate(uint64_t bytes) {
  return std::make_shared<DeviceBuffer>(gpu_, bytes);
}

std::shared_ptr<Buffer> CudaDevice::adopt(std::shared_ptr<Buffer> mapped_file) {
  return std::make_shared<DeviceFile>(gpu_, std::move(mapped_file));
}

std::unique_ptr<Replay> CudaDevice::replay(hadal_precision precision) {
  if (precision == HADAL_REFERENCE)
    fail(HADAL_ERROR_UNSUPPORTED, "precision: the cuda backend has no reference ops; they run on device \"cpu\"");
  return std::make_unique<GraphReplay>(gpu_);
}

}  // namespace hadal::cuda
