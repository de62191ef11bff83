// See graph.h.
#include "cuda/graph.h"

#include <cmath>

#include "cuda/ops.h"

namespace hadal::cuda {

GraphReplay::~GraphReplay() {
  gpu_->free_behind_copies([&] {
    for (const DriverEvent event : events_) gpu_->driver().event_destroy(event);
    forget_all();
  });
}

void GraphReplay::forget_all() noexcept {
  for (const Seen& seen : seen_)
    if (seen.exec != nullptr) gpu_->driver().graph_exec_destroy(seen.exec);
  seen_.clear();
}

GraphReplay::Seen* GraphReplay::find(const Dims& dims) {
  for (auto i = seen_.begin(); i != seen_.end(); ++i) {
    if (i->dims != dims) continue;
    seen_.splice(seen_.begin(), seen_, i);
    return &seen_.front();
  }
  return nullptr;
}

void GraphReplay::run(const Recording& recording, const Dims& dims, const volatile int32_t* cancel,
                      uint64_t* timings) {
  const Driver& driver = gpu_->driver();
  gpu_->enter();
  if (nodes_ != recording.nodes.size()) forget_all();
  nodes_ = recording.nodes.size();
  if (nodes_ == 0) return;
  recording.check_not_cancelled(cancel, 0);
  gpu_->transfers().order_before(gpu_->queue().stream());
  try {
    if (timings != nullptr) run_timed(recording, dims, cancel, timings);
    else run_step(recording, dims, cancel);
  } catch (...) {
    driver.stream_synchronize(gpu_->queue().stream());  // what was started may still write
    throw;
  }
}

void GraphReplay::run_step(const Recording& recording, const Dims& dims, const volatile int32_t* cancel) {
  const Driver& driver = gpu_->driver();
  Seen* seen = find(dims);
  if (seen == nullptr) {
    run_each(recording, dims, cancel);
    wait();
    seen_.push_front({dims, nullptr});
    if (seen_.size() <= kMostGraphs) return;
    if (seen_.back().exec != nullptr) driver.graph_exec_destroy(seen_.back().exec);
    seen_.pop_back();
    return;
  }
  if (seen->exec == nullptr) seen->exec = capture(recording, dims);
  expect_success(driver, driver.graph_launch(seen->exec, gpu_->queue().stream()), "starting a step");
  wait();
}

void GraphReplay::wait() {
  expect_success(gpu_->driver(), gpu_->driver().stream_synchronize(gpu_->queue().stream()), "running the program");
}

void GraphReplay::run_op(const Recording& recording, size_t i, const Dims& dims) {
  const Recording::Node& node = recording.sized(i, dims);
  gpu_->arena().reset();
  Context context{gpu_->queue(), &gpu_->arena()};
  try {
    static_cast<const CudaOp*>(node.op)->run(context, node.call);
  } catch (...) {
    recording.fail_in(i);
  }
}

void GraphReplay::run_each(const Recording& recording, const Dims& dims, const volatile int32_t* cancel) {
  for (size_t i = 0; i < recording.nodes.size(); ++i) {
    recording.check_not_cancelled(cancel, i);
    run_op(recording, i, dims);
  }
}

// The events stand between the ops, so the time of an op is what the GPU spent, gaps included.
void GraphReplay::run_timed(const Recording& recording, const Dims& dims, const volatile int32_t* cancel,
                            uint64_t* timings) {
  const Driver& driver = gpu_->driver();
  const DriverStream stream = gpu_->queue().stream();
  while (events_.size() <= recording.nodes.size()) {
    DriverEvent event = nullptr;
    expect_success(driver, driver.event_create(&event, 0), "an event");
    events_.push_back(event);
  }
  expect_success(driver, driver.event_record(events_[0], stream), "recording an event");
  for (size_t i = 0; i < recording.nodes.size(); ++i) {
    recording.check_not_cancelled(cancel, i);
    run_op(recording, i, dims);
    expect_success(driver, driver.event_record(events_[i + 1], stream), "recording an event");
  }
  wait();
  for (size_t i = 0; i < recording.nodes.size(); ++i) {
    float milliseconds = 0;
    expect_success(driver, driver.event_elapsed(&milliseconds, events_[i], events_[i + 1]), "reading an event");
    timings[i] = static_cast<uint64_t>(std::llround(static_cast<double>(milliseconds) * 1e6));
  }
}

DriverGraphExec GraphReplay::capture(const Recording& recording, const Dims& dims) {
  const Driver& driver = gpu_->driver();
  const DriverStream stream = gpu_->queue().stream();
  // What waits for the copies must lie before the capture: a graph holds kernels alone.
  expect_success(driver, driver.stream_begin_capture(stream, kCaptureThreadLocal), "capturing a step");
  DriverGraph graph = nullptr;
  try {
    run_each(recording, dims, nullptr);
  } catch (...) {
    // The stream must be free again; what was captured is of no use.
    if (driver.stream_end_capture(stream, &graph) == 0 && graph != nullptr) driver.graph_destroy(graph);
    throw;
  }
  expect_success(driver, driver.stream_end_capture(stream, &graph), "capturing a step");
  DriverGraphExec exec = nullptr;
  const DriverResult made = driver.graph_instantiate(&exec, graph, 0);
  driver.graph_destroy(graph);
  expect_success(driver, made, "making a graph of a step");
  return exec;
}

}  // namespace hadal::cuda
