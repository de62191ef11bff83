// Running on the host: one pass over the recorded ops on the calling thread, without allocating.
#include <chrono>

#include "core/host_device.h"
#include "core/map_guard.h"

namespace hadal {
namespace {

class HostReplay final : public Replay {
 public:
  HostReplay(HostDevice& device, hadal_precision precision)
      : device_(device), body_(precision == HADAL_REFERENCE ? &HostOp::reference : &HostOp::fast) {}

  void run(const Recording& recording, const Dims& dims, const volatile int32_t* cancel,
           uint64_t* timings) override {
    const uint64_t faults_before = mended_faults();
    Context context{device_.pool, device_.kernels, device_.arena};
    for (size_t i = 0; i < recording.nodes.size(); ++i) {
      recording.check_not_cancelled(cancel, i);
      if (timings != nullptr) {
        const auto start = std::chrono::steady_clock::now();
        run_node(context, recording, i, dims);
        const auto spent = std::chrono::steady_clock::now() - start;
        timings[i] = static_cast<uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count());
      } else {
        run_node(context, recording, i, dims);
      }
      if (mended_faults() != faults_before) recording.check_faults();
    }
  }

 private:
  void run_node(Context& context, const Recording& recording, size_t i, const Dims& dims) const {
    const Recording::Node& node = recording.sized(i, dims);
    context.arena.reset();
    try {
      (static_cast<const HostOp*>(node.op)->*body_)(context, node.call);
    } catch (...) {
      recording.fail_in(i);
    }
  }

  HostDevice& device_;  // the program's, which outlives this
  RunFn HostOp::* const body_;
};

}  // namespace

std::unique_ptr<Replay> HostDevice::replay(hadal_precision precision) {
  return std::make_unique<HostReplay>(*this, precision);
}

}  // namespace hadal
