// See queue.h. Kernels are looked up at their first launch and kept.
#include "cuda/queue.h"

namespace hadal::cuda {

Queue::Loaded& Queue::load(const Kernel& kernel) {
  Loaded& loaded = kernels_[&kernel];
  if (loaded.handle != nullptr) return loaded;
  const std::string symbol = std::string("hadal_") + kernel.name;
  DriverResult result = kDriverNotFound;
  for (size_t i = 0; i < libraries_.size() && result == kDriverNotFound; ++i)
    result = driver_->library_kernel(&loaded.handle, libraries_[i], symbol.c_str());
  if (result != 0) kernels_.erase(&kernel);
  expect_success(*driver_, result, symbol.c_str());
  return loaded;
}

void Queue::start(const Kernel& kernel, const Launch& launch, const void* params) {
  if (driver_ == nullptr) return;
  const Grid& grid = launch.grid;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;  // a step without rows
  Loaded& loaded = load(kernel);
  if (launch.shared_bytes > loaded.shared_bytes) {
    expect_success(*driver_,
                   driver_->kernel_set_attribute(kKernelMaxDynamicShared,
                                                static_cast<int>(launch.shared_bytes),
                                                loaded.handle, device_),
                   kernel.name);
    loaded.shared_bytes = launch.shared_bytes;
  }
  LaunchAttribute attributes[2] = {};
  uint32_t count = 0;
  if (launch.cluster > 1) {
    attributes[count].id = kLaunchClusterDimension;
    attributes[count++].value.cluster = {launch.cluster, 1, 1};
  }
  if (launch.dependent) {
    attributes[count].id = kLaunchProgrammaticSerialization;
    attributes[count++].value.programmatic_serialization = 1;
  }
  const LaunchConfig config{grid.x,         grid.y, grid.z,     kernel.threads, 1,
                            1,              launch.shared_bytes, stream_,       attributes,
                            count};
  void* arguments[] = {const_cast<void*>(params)};
  expect_success(*driver_, driver_->launch(&config, loaded.handle, arguments, nullptr), kernel.name);
}

}  // namespace hadal::cuda
