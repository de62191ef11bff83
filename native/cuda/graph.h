// Running a recording on a GPU. Sizes seen for the first time run op by op, which also loads kernels and makes
// scratch memory; the second time the launches are captured into a graph, and from then on a step of these sizes is
// one launch. A step that comes once (a prompt's odd end) never pays for a graph. With timings, op by op as well.
#pragma once

#include <list>

#include "core/replay.h"
#include "cuda/device.h"

namespace hadal::cuda {

class GraphReplay final : public Replay {
 public:
  explicit GraphReplay(std::shared_ptr<Gpu> gpu) : gpu_(std::move(gpu)) {}
  ~GraphReplay() override;

  // The cancel flag is read between ops where they run op by op; a graph is one launch and runs to its end.
  void run(const Recording& recording, const Dims& dims, const volatile int32_t* cancel,
           uint64_t* timings) override;

  static constexpr size_t kMostGraphs = 32;  // the least recently used goes

 private:
  struct Seen {
    Dims dims;
    DriverGraphExec exec;  // nullptr until the second time
  };
  void run_op(const Recording& recording, size_t i, const Dims& dims);
  void run_step(const Recording& recording, const Dims& dims, const volatile int32_t* cancel);
  void run_each(const Recording& recording, const Dims& dims, const volatile int32_t* cancel);
  void run_timed(const Recording& recording, const Dims& dims, const volatile int32_t* cancel, uint64_t* timings);
  DriverGraphExec capture(const Recording& recording, const Dims& dims);
  Seen* find(const Dims& dims);
  void forget_all() noexcept;
  void wait();

  const std::shared_ptr<Gpu> gpu_;
  std::list<Seen> seen_;  // the last used first
  size_t nodes_ = 0;      // that the graphs were captured from
  std::vector<DriverEvent> events_;
};

}  // namespace hadal::cuda
