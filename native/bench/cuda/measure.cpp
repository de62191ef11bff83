// See measure.h. Many launches go into one CUDA graph, since a launch of its own costs as much as the small
// kernels take; events around the graph give device time.
#include "bench/cuda/measure.h"

#include <cmath>

#include "cuda/measure/read_words.h"

namespace hadal::bench {
namespace {

using cuda::expect_success;

// A pair of events, destroyed with the object.
struct Events {
  const cuda::Driver& driver;
  cuda::DriverEvent from = nullptr, to = nullptr;

  explicit Events(const cuda::Driver& driver) : driver(driver) {
    expect_success(driver, driver.event_create(&from, 0), "cuEventCreate");
    expect_success(driver, driver.event_create(&to, 0), "cuEventCreate");
  }
  ~Events() {
    driver.event_destroy(from);
    driver.event_destroy(to);
  }
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;
};

// `launches` as one graph; empty where the driver captures none (the emulator).
class Graph {
 public:
  Graph(cuda::Queue& queue, const std::function<void()>& launches) : driver_(queue.driver()) {
    if (driver_.stream_begin_capture(queue.stream(), cuda::kCaptureThreadLocal) != 0) return;
    cuda::DriverGraph graph = nullptr;
    try {
      launches();
    } catch (...) {
      driver_.stream_end_capture(queue.stream(), &graph);
      throw;
    }
    expect_success(driver_, driver_.stream_end_capture(queue.stream(), &graph), "cuStreamEndCapture");
    const auto result = driver_.graph_instantiate(&exec_, graph, 0);
    driver_.graph_destroy(graph);
    expect_success(driver_, result, "cuGraphInstantiate");
  }
  ~Graph() {
    if (exec_ != nullptr) driver_.graph_exec_destroy(exec_);
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  bool captured() const { return exec_ != nullptr; }
  void launch(cuda::DriverStream stream) {
    expect_success(driver_, driver_.graph_launch(exec_, stream), "cuGraphLaunch");
  }

 private:
  const cuda::Driver& driver_;
  cuda::DriverGraphExec exec_ = nullptr;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

double Timer::elapsed(const std::function<void()>& work, Measured* clocks) {
  const cuda::Driver& driver = queue_.driver();
  Events events(driver);
  expect_success(driver, driver.event_record(events.from, queue_.stream()), "cuEventRecord");
  work();
  expect_success(driver, driver.event_record(events.to, queue_.stream()), "cuEventRecord");
  if (clocks != nullptr) {
    const Clocks now = read_clocks(0);  // while the device is at it
    clocks->sm_mhz = now.sm_mhz;
    clocks->memory_mhz = now.memory_mhz;
    clocks->watts = now.watts;
  }
  expect_success(driver, driver.event_synchronize(events.to), "cuEventSynchronize");
  float milliseconds = 0;
  expect_success(driver, driver.event_elapsed(&milliseconds, events.from, events.to), "cuEventElapsedTime");
  return milliseconds;
}

void Timer::measure(const std::vector<Launch>& sets, Measured& result) {
  const auto all_sets = [&] {
    for (const Launch& launch : sets) launch(queue_);
  };
  elapsed(all_sets);  // loads the kernels, says what cannot be launched
  const double once_ms = elapsed(all_sets) / static_cast<double>(sets.size());
  const double wanted = std::ceil(limits_.graph_ms / std::max(once_ms, 1e-4));
  const double most = static_cast<double>(limits_.most_launches);
  const auto rounds = static_cast<size_t>(
      std::max(1.0, std::floor(std::min(wanted, most) / static_cast<double>(sets.size()))));
  const auto launches = [&] {
    for (size_t round = 0; round < rounds; ++round) all_sets();
  };
  result.sets = sets.size();
  result.launches = rounds * sets.size();
  Graph graph(queue_, launches);
  result.graph = graph.captured();
  const std::function<void()> work =
      graph.captured() ? std::function<void()>([&] { graph.launch(queue_.stream()); }) : launches;
  elapsed(work);
  std::vector<double> times;
  for (int i = 0; i < limits_.repeats; ++i)
    times.push_back(1e3 * elapsed(work, i == limits_.repeats / 2 ? &result : nullptr) /
                    static_cast<double>(result.launches));
  result.median_us = median(times);
  result.least_us = *std::min_element(times.begin(), times.end());
}

Measured Timer::time(const Row& row) {
  std::vector<std::unique_ptr<RowMemory>> memories;
  std::vector<Launch> sets;
  size_t wanted = 1;
  while (sets.size() < wanted) {
    memories.push_back(std::make_unique<RowMemory>(pools_));
    sets.push_back(row.prepare(*memories.back()));
    if (sets.size() > 1) continue;
    const size_t size = std::max<size_t>(memories[0]->allocated(), 1);
    wanted = std::clamp<size_t>((limits_.rotate_bytes + size - 1) / size, 1, limits_.most_sets);
    if (size < 2 * limits_.rotate_bytes) wanted = std::max<size_t>(wanted, 2);
  }
  Measured result;
  measure(sets, result);
  return result;
}

Ceilings Timer::ceilings() {
  Ceilings found;
  const cuda::Driver& driver = queue_.driver();
  RowMemory memory(pools_);
  const size_t bytes = limits_.copy_bytes;
  const auto from = reinterpret_cast<cuda::DevicePointer>(memory.f32(bytes / 4, 1));
  const auto to = reinterpret_cast<cuda::DevicePointer>(memory.bytes(bytes));
  const auto copy = [&](cuda::Queue& queue) {
    expect_success(driver, driver.copy_on_device(to, from, bytes, queue.stream()), "cuMemcpyDtoD");
  };
  Measured copied;
  measure({copy}, copied);
  found.copy = 2e6 * static_cast<double>(bytes) / copied.median_us;

  constexpr uint32_t kBlocks = 132 * 8;
  cuda::ReadWordsParams params{reinterpret_cast<const void*>(from), nullptr,
                               static_cast<int64_t>(bytes / 4)};
  params.partial = static_cast<uint32_t*>(memory.bytes(kBlocks * sizeof(uint32_t)));
  Measured read;
  measure({[&](cuda::Queue& queue) { cuda::read_words(queue, kBlocks, params); }}, read);
  found.read = 1e6 * static_cast<double>(bytes) / read.median_us;
  return found;
}

}  // namespace hadal::bench
