// A recorded list of ops with their views resolved once; a run fills in the step's sizes and calls each
// op in order, without allocating. The program shares the device and every buffer that it names.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/device.h"
#include "core/op.h"

namespace hadal {

using Dims = std::array<int64_t, HADAL_STEP_DIMS>;

// A view whose extents may be step dimensions (negative), before it is resolved.
struct View {
  std::shared_ptr<Buffer> buffer;
  uint64_t offset = 0;  // bytes
  int32_t dtype = HADAL_F32;
  int32_t rank = 0;
  int64_t shape[HADAL_MAX_RANK] = {};
  int64_t strides[HADAL_MAX_RANK] = {};
};

class Program {
 public:
  Program(std::shared_ptr<Device> device, hadal_precision precision, const Dims& max_dims);

  // Throws INVALID and leaves the program as it was if anything is wrong.
  void append(const char* op, const std::vector<std::vector<View>>& arguments,
              std::span<const double> attributes);
  void run(const Dims& dims, const volatile int32_t* cancel);
  void profile(bool enable);
  void timings(uint64_t* nanoseconds, uint32_t count) const;
  uint32_t size() const { return size_.load(); }

 private:
  struct Extent {  // a place that a step dimension is written to
    int64_t* place;
    int symbol;
  };
  struct Node {
    const Op* op;
    RunFn body;
    std::unique_ptr<Tensor[]> tensors;
    std::unique_ptr<Argument[]> arguments;
    std::vector<double> attributes;
    std::vector<Extent> extents;  // point into tensors
    OpCall call;                  // spans over the arrays above, which stay when a Node moves
  };

  Tensor resolve(const View& view, const std::string& where) const;
  void check_smaller_steps(Node& node) const;
  void keep(const std::vector<View>& views);
  void run_node(Context& context, size_t index, const Dims& dims);
  void check_faults() const;

  const std::shared_ptr<Device> device_;
  const hadal_precision precision_;
  const Dims max_dims_;
  mutable std::mutex mutex_;  // recording, running and reading timings exclude one another
  std::vector<Node> nodes_;
  std::vector<std::shared_ptr<Buffer>> buffers_;  // sorted by address, each once
  std::vector<uint64_t> timings_;
  std::atomic<uint32_t> size_{0};
  bool profile_ = false;
};

}  // namespace hadal
