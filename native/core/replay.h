// A recorded list of ops with their views resolved, and what runs it: each device has its own Replay, so that
// the host calls one op after the other and a GPU may start them all at once.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/buffer.h"
#include "core/op.h"
#include "core/status.h"

namespace hadal {

using Dims = std::array<int64_t, HADAL_STEP_DIMS>;

struct Recording {
  struct Extent {  // a place that a step dimension is written to
    int64_t* place;
    int symbol;
  };
  struct Node {
    const Op* op;
    std::unique_ptr<Tensor[]> tensors;
    std::unique_ptr<Argument[]> arguments;
    std::vector<double> attributes;
    std::vector<Extent> extents;  // point into tensors
    OpCall call;                  // spans over the arrays above, which stay when a Node moves
  };
  std::vector<Node> nodes;
  std::vector<std::shared_ptr<Buffer>> buffers;  // sorted by address, each once

  // Node i with the sizes of this step.
  const Node& sized(size_t i, const Dims& dims) const {
    for (const Extent& extent : nodes[i].extents) *extent.place = dims[extent.symbol];
    return nodes[i];
  }
  void check_faults() const {
    for (const auto& buffer : buffers) buffer->check_faults();
  }
  void check_not_cancelled(const volatile int32_t* cancel, size_t next) const;
  // Throws the exception that is being handled again, saying which op it came from; call from a catch block only.
  [[noreturn]] void fail_in(size_t i) const;
};

class Replay {
 public:
  virtual ~Replay() = default;
  // Runs all of it and waits. Serialised by the device; the recording only grows between two runs.
  // timings: nanoseconds of each node are wanted; may be nullptr.
  virtual void run(const Recording& recording, const Dims& dims, const volatile int32_t* cancel,
                   uint64_t* timings) = 0;
};

}  // namespace hadal
