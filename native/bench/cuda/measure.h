// Times rows on one device, through the driver's interface alone, so that its tests run it on the emulator.
#pragma once

#include <optional>

#include "bench/cuda/bench.h"
#include "bench/cuda/memory.h"

namespace hadal::bench {

struct Limits {
  size_t rotate_bytes = size_t{128} << 20;  // inputs of consecutive launches; the second-level cache has 50 MB
  size_t most_sets = 128;                   // for rows so small that their inputs never fill it
  double graph_ms = 2;                      // work in one graph
  size_t most_launches = 2000;              // in one graph
  int repeats = 15;                         // graphs timed; the median is reported
  size_t copy_bytes = size_t{1} << 30;
};

struct Measured {
  double median_us = 0, least_us = 0;
  size_t sets = 0, launches = 0;  // launches: in one graph
  bool graph = true;              // else launched one by one
  std::optional<uint32_t> sm_mhz, memory_mhz, watts;
};

struct Ceilings {
  double copy = 0, read = 0;  // bytes a second
  double best() const { return std::max(copy, read); }
};

// Clocks while the device works, from the driver's management library; none where that cannot be opened.
struct Clocks {
  std::optional<uint32_t> sm_mhz, memory_mhz, watts;
};
Clocks read_clocks(int device);

class Timer {
 public:
  Timer(cuda::Queue& queue, Pools& pools, const Limits& limits)
      : queue_(queue), pools_(pools), limits_(limits) {}

  // Throws where a row cannot be launched or memory is short.
  Measured time(const Row& row);
  // A device-to-device copy (bytes read and written count both), and read_words.
  Ceilings ceilings();

 private:
  using Launch = std::function<void(cuda::Queue&)>;
  // Milliseconds on the device between before and after `work`.
  double elapsed(const std::function<void()>& work, Measured* clocks = nullptr);
  void measure(const std::vector<Launch>& sets, Measured& result);

  cuda::Queue& queue_;
  Pools& pools_;
  Limits limits_;
};

}  // namespace hadal::bench
