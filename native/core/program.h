// A recorded list of ops with their views resolved once; a run fills in the step's sizes and has the device run
// them. The program shares the device and every buffer that it names.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/device.h"

namespace hadal {

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
  Tensor resolve(const View& view, const std::string& where) const;
  void resolve_arguments(Recording::Node& node, const std::vector<std::vector<View>>& arguments) const;
  void check_smaller_steps(Recording::Node& node) const;
  void keep(const std::vector<View>& views);

  const std::shared_ptr<Device> device_;
  const Dims max_dims_;
  mutable std::mutex mutex_;  // recording, running and reading timings exclude one another
  Recording recording_;
  std::unique_ptr<Replay> replay_;  // goes before what it replays
  std::vector<uint64_t> timings_;
  std::atomic<uint32_t> size_{0};
  bool profile_ = false;
};

}  // namespace hadal
