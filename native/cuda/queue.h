// Where kernels are started: one stream of one device, and the kernels of its loaded libraries. The launchers
// of the ops (<family>/<op>.cpp) know nothing else. A queue is used from one thread at a time.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cuda/driver.h"

namespace hadal::cuda {

// One compiled instance: what nvcc makes of a HADAL_KERNEL. All are listed in table.cpp.
struct Kernel {
  const char* name;         // without the prefix "hadal_"
  uint32_t params_bytes;    // sizeof of the one parameter, a plain struct
  uint32_t threads;         // a block's, as in __launch_bounds__
};

struct Grid {
  uint32_t x = 1, y = 1, z = 1;
};

struct Launch {
  Grid grid;
  uint32_t shared_bytes = 0;  // dynamic, a block's; at most 227 KB
  uint32_t cluster = 1;       // blocks of a cluster along x; divides grid.x
  // May start before the kernel before it has ended: its body must wait_for_previous_kernel() first.
  bool dependent = false;
};

class Queue {
 public:
  // Starts nothing: for launchers that only check.
  Queue() = default;
  // Neither the driver, the libraries nor the stream is owned.
  Queue(const Driver& driver, DriverDevice device, std::vector<DriverLibrary> libraries, DriverStream stream)
      : driver_(&driver), device_(device), libraries_(std::move(libraries)), stream_(stream) {}

  template <typename Params>
  void launch(const Kernel& kernel, const Launch& launch, const Params& params) {
    HADAL_EXPECT(sizeof(Params) == kernel.params_bytes, "%s: expected %u bytes of parameters, got %zu",
                 kernel.name, kernel.params_bytes, sizeof(Params));
    start(kernel, launch, &params);
  }
  const Driver& driver() const { return *driver_; }
  DriverStream stream() const { return stream_; }

 private:
  struct Loaded {
    DriverKernel handle = nullptr;
    uint32_t shared_bytes = 48 * 1024;  // the most that a launch may ask for without more ado
  };
  Loaded& load(const Kernel& kernel);
  void start(const Kernel& kernel, const Launch& launch, const void* params);

  const Driver* driver_ = nullptr;
  DriverDevice device_ = 0;
  std::vector<DriverLibrary> libraries_;
  DriverStream stream_ = nullptr;
  std::unordered_map<const Kernel*, Loaded> kernels_;
};

// Launchers run on it to check their arguments.
inline Queue& checking_queue() {
  static Queue queue;
  return queue;
}

}  // namespace hadal::cuda
