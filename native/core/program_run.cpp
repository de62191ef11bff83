// Running: one pass over the recorded ops on the calling thread. Runs of one device take turns.
#include <algorithm>
#include <chrono>
#include <cinttypes>

#include "core/program.h"
#include "core/status.h"

namespace hadal {

void Program::check_faults() const {
  for (const auto& buffer : buffers_) buffer->check_faults();
}

void Program::run_node(Context& context, size_t index, const Dims& dims) {
  const Node& node = nodes_[index];
  for (const Extent& extent : node.extents) *extent.place = dims[extent.symbol];
  context.arena.reset();
  try {
    node.body(context, node.call);
  } catch (const Error& error) {
    check_faults();  // a vanished file is the better explanation of a strange value
    fail(error.status, "op %zu (%s): %s", index, node.op->name, error.what());
  } catch (const std::bad_alloc&) {
    fail(HADAL_ERROR_NO_MEMORY, "op %zu (%s): out of memory", index, node.op->name);
  } catch (const std::exception& error) {
    fail(HADAL_ERROR_INTERNAL, "op %zu (%s): %s", index, node.op->name, error.what());
  }
}

void Program::run(const Dims& dims, const volatile int32_t* cancel) {
  constexpr char kSymbols[] = "TSN";
  for (int i = 0; i < HADAL_STEP_DIMS; ++i)
    HADAL_EXPECT(dims[i] >= 0 && dims[i] <= max_dims_[i],
                 "run: expected %c between 0 and %" PRId64 ", got %" PRId64, kSymbols[i],
                 max_dims_[i], dims[i]);
  const std::lock_guard<std::mutex> device_lock(device_->run_mutex);
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& buffer : buffers_) buffer->check_unchanged();
  const uint64_t faults_before = mended_faults();
  Context context{device_->pool, device_->kernels, device_->arena};
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (cancel != nullptr && *cancel != 0)
      fail(HADAL_ERROR_CANCELLED, "run: cancelled before op %zu of %zu", i, nodes_.size());
    if (profile_) {
      const auto start = std::chrono::steady_clock::now();
      run_node(context, i, dims);
      const auto spent = std::chrono::steady_clock::now() - start;
      timings_[i] = static_cast<uint64_t>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count());
    } else {
      run_node(context, i, dims);
    }
    if (mended_faults() != faults_before) check_faults();
  }
}

void Program::profile(bool enable) {
  const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  HADAL_EXPECT(lock.owns_lock(), "profile: a run of this program is in flight");
  profile_ = enable;
  std::fill(timings_.begin(), timings_.end(), uint64_t{0});
}

void Program::timings(uint64_t* nanoseconds, uint32_t count) const {
  const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  HADAL_EXPECT(lock.owns_lock(), "timings: a run of this program is in flight");
  HADAL_EXPECT(profile_, "timings: profiling is switched off");
  HADAL_EXPECT(count == nodes_.size(), "timings: expected room for %zu ops, got %u", nodes_.size(),
               count);
  std::copy_n(timings_.begin(), nodes_.size(), nanoseconds);
}

}  // namespace hadal
